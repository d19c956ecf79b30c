"""The two kinds of score that a judge is asked for: a number in a range, or a label of a rubric."""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import Discriminator, Field, Tag, model_validator

from evalbus.metrics.base import OUT_OF_RANGE, UNPARSABLE, RubricLevel, ScoreDeclaration
from evalbus.metrics.judges.combining import majority_of_repeats
from evalbus.metrics.judges.parsers import JsonParser, Parser
from evalbus.metrics.judges.verdicts import Unclear, Verdict, beginning
from evalbus.templates import as_text
from evalbus_schemas.base import Closed, JsonObject
from evalbus_schemas.benchmark import ScoreDirection

UNKNOWN_LABEL: Final = "unknown_label"

LEVELS_MAX = 64
NUMBER_CHARACTERS_MAX = 64

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class _Score(Closed):
    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=63, examples=["helpful"])]
    description: Annotated[
        str, Field(max_length=4096, description="What the judge shall look at; also told to it.")
    ] = ""
    direction: Annotated[
        ScoreDirection, Field(description="Whether more is better, for comparisons.")
    ] = "higher"
    parser: Annotated[
        Parser, Field(description="How the value is found in what the judge says.")
    ] = JsonParser(type="json")


class RangeScore(_Score):
    """A number between two others, both of them included."""

    minimum: float
    maximum: float

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.minimum >= self.maximum:
            raise ValueError("minimum must be less than maximum")
        return self

    def declared(self) -> ScoreDeclaration:
        return ScoreDeclaration(
            name=self.name,
            direction=self.direction,
            minimum=self.minimum,
            maximum=self.maximum,
            description=self.description,
        )

    @property
    def schema_of_answer(self) -> JsonObject:
        return {"type": "number", "minimum": self.minimum, "maximum": self.maximum}

    def verdict(self, found: object) -> Verdict:
        """A number, or one written as text; raises Unclear for others, and for one outside of the range."""
        value = _number(found)
        if value is None or math.isnan(value):
            raise Unclear(UNPARSABLE, f"no number: {_shown(found)}")
        if not self.minimum <= value <= self.maximum:
            raise Unclear(
                OUT_OF_RANGE, f"{_shown(found)} is not in {self.minimum:g} … {self.maximum:g}"
            )
        return Verdict(value=value)


class Level(Closed):
    """One label of a rubric, and the number that stands for it."""

    label: Annotated[str, Field(min_length=1, max_length=255, examples=["good"])]
    value: float
    description: Annotated[str | None, Field(max_length=4096)] = None


class RubricScore(_Score):
    """One of some labels, each with a number; no label and no number twice."""

    rubric: Annotated[tuple[Level, ...], Field(min_length=2, max_length=LEVELS_MAX)]

    @model_validator(mode="after")
    def _levels_differ(self) -> Self:
        if not len({level.label for level in self.rubric}) == len(self.rubric):
            raise ValueError("a label stands twice in the rubric")
        if not len({level.value for level in self.rubric}) == len(self.rubric):
            raise ValueError("a value stands twice in the rubric")
        return self

    def declared(self) -> ScoreDeclaration:
        values = [level.value for level in self.rubric]
        return ScoreDeclaration(
            name=self.name,
            direction=self.direction,
            minimum=min(values),
            maximum=max(values),
            description=self.description,
            rubric=tuple(
                RubricLevel(label=level.label, value=level.value, description=level.description)
                for level in self.rubric
            ),
            over_repeats=majority_of_repeats,
        )

    @property
    def schema_of_answer(self) -> JsonObject:
        return {"type": "string", "enum": [level.label for level in self.rubric]}

    def verdict(self, found: object) -> Verdict:
        """The label as it is written, or the only one that differs in case and spaces alone; else raises Unclear."""
        if not isinstance(found, str | int | float):
            raise Unclear(UNPARSABLE, f"no label: {_shown(found)}")
        level = self._level(as_text(found))
        if level is None:
            known = ", ".join(level.label for level in self.rubric)
            raise Unclear(UNKNOWN_LABEL, f"{_shown(found)} is none of {beginning(known)}")
        return Verdict(value=level.value, label=level.label)

    def _level(self, text: str) -> Level | None:
        for level in self.rubric:
            if level.label == text:
                return level
        alike = [level for level in self.rubric if _folded(level.label) == _folded(text)]
        return alike[0] if len(alike) == 1 else None


def _folded(text: str) -> str:
    return text.strip().casefold()


def _number(found: object) -> float | None:
    """None for what is no number; true and false are none."""
    match found:
        case bool():
            return None
        case int() | float():
            return _as_float(found)
        case str() if len(found) <= NUMBER_CHARACTERS_MAX and _NUMBER.fullmatch(found.strip()):
            return float(found)
        case _:
            return None


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _shown(found: object) -> str:
    return beginning(repr(found))


def _kind_of_score(score: object) -> str:
    if isinstance(score, Mapping):
        return "rubric" if "rubric" in score else "range"
    return "rubric" if isinstance(score, RubricScore) else "range"


# Told apart by sight, so that what is wrong with one is not reported as wrong for the other as well.
JudgedScore = Annotated[
    Annotated[RangeScore, Tag("range")] | Annotated[RubricScore, Tag("rubric")],
    Discriminator(_kind_of_score),
]
