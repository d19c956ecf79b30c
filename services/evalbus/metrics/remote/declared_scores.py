"""Scores that a benchmark says a service gives, and what is made of what the service says."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Self, TypeVar

from pydantic import AfterValidator, Field, JsonValue, model_validator

from evalbus.metrics.base import (
    NON_FINITE,
    OUT_OF_RANGE,
    UNPARSABLE,
    Columns,
    Note,
    Remark,
    ScoreDeclaration,
)
from evalbus.models.answers import beginning
from evalbus.templates import as_text
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import ScoreDirection

NO_VALUE: Final = "no_value"

SCORES_MAX: Final = 64

NOT_FINITE: Final = frozenset({"nan", "inf", "infinity"})
"""How programs write what JSON has no number for, but for case and sign."""


class DeclaredScore(Closed):
    """One score of a service; a value outside of its range is none."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,63}$", examples=["helpfulness"])]
    direction: Annotated[
        ScoreDirection, Field(description="Whether more is better, or less, or neither.")
    ] = "higher"
    minimum: Annotated[float | None, Field(description="The least that it can be.")] = None
    maximum: Annotated[float | None, Field(description="The most that it can be.")] = None

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        if (
            self.minimum is not None
            and self.maximum is not None
            and not self.minimum < self.maximum
        ):
            raise ValueError(f"minimum {self.minimum:g} is not less than maximum {self.maximum:g}")
        return self

    @property
    def declaration(self) -> ScoreDeclaration:
        return ScoreDeclaration(
            name=self.name, direction=self.direction, minimum=self.minimum, maximum=self.maximum
        )

    def read(self, said: JsonValue, *, where: str = "") -> float | Note:
        """The value that a service gives: true is 1, false 0, and a text is no number, whatever it says.

        `where` says in the note at what place of the answer it was looked for.
        """
        match said:
            case None:
                return self._note(NO_VALUE, f"the answer has no value{where}")
            case int() | float():
                return self._in_range(said)
            case str() if said.strip().lstrip("+-").casefold() in NOT_FINITE:
                return self._note(NON_FINITE, f"the service says {said.strip()}")
            case _:
                shown = beginning(as_text(said).encode(errors="replace"))
                return self._note(UNPARSABLE, f"wanted a number, found {shown!r}")

    def _in_range(self, said: float) -> float | Note:
        try:
            value = float(said)
        except OverflowError:  # an integer beyond all floats
            value = math.inf
        if not math.isfinite(value):
            return self._note(NON_FINITE, "the service says what is no finite number")
        if self.minimum is not None and value < self.minimum:
            return self._note(OUT_OF_RANGE, f"{value:g} is less than {self.minimum:g}")
        if self.maximum is not None and value > self.maximum:
            return self._note(OUT_OF_RANGE, f"{value:g} is more than {self.maximum:g}")
        return value

    def _note(self, code: str, message: str) -> Note:
        return Note(code=code, message=f"{self.name}: {message}")


Declared = TypeVar("Declared", bound=DeclaredScore)


def _all_different(scores: tuple[Declared, ...]) -> tuple[Declared, ...]:
    names = [score.name for score in scores]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"score {twice[0]!r} is declared twice")
    return scores


DeclaredScores = Annotated[
    tuple[Declared, ...],
    Field(min_length=1, max_length=SCORES_MAX),
    AfterValidator(_all_different),
]


def columns_of(
    columns: Sequence[Sequence[float | Note]],
    remarks: Mapping[tuple[int, int], Remark] | None = None,
) -> Columns:
    """Columns of values and notes as a metric gives them: a row has one note for all that it lacks."""
    missing: dict[int, list[Note]] = {}
    for column in columns:
        for row, found in enumerate(column):
            if isinstance(found, Note):
                missing.setdefault(row, []).append(found)
    return Columns(
        values=[
            [math.nan if isinstance(found, Note) else found for found in column]
            for column in columns
        ],
        notes={row: _joined(notes) for row, notes in missing.items()},
        remarks=remarks or {},
    )


def _joined(notes: Sequence[Note]) -> Note:
    return Note(code=notes[0].code, message="; ".join(note.message for note in notes))
