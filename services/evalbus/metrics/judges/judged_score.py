"""One score of a judge's answers: each judge's verdict, and what several of them come to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from evalbus.metrics.base import Note, ScoreDeclaration, mean_of_repeats
from evalbus.metrics.judges.combining import (
    Combine,
    agreement_of_choices,
    agreement_of_numbers,
    majority,
    mean,
)
from evalbus.metrics.judges.parsers import Said
from evalbus.metrics.judges.scales import JudgedScore, RubricScore
from evalbus.metrics.judges.verdicts import Unclear, Verdict, beginning
from evalbus_schemas.base import JsonObject

TIE: Final = "tie"


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What is said of one row: a value for each declared score, and a note if any of them is NaN."""

    values: tuple[float, ...]
    label: str | None = None
    detail: JsonObject | None = None
    note: Note | None = None


def agreement_name(score: str) -> str:
    return f"{score}_agreement"


def agreement_declared(name: str, *, about: str) -> ScoreDeclaration:
    """It says something about the judges, so that more of it makes no model better."""
    return ScoreDeclaration(
        name=name,
        direction="none",
        minimum=0.0,
        maximum=1.0,
        description=f"How far the judges agree about {about}: 1 where all say the same.",
    )


class ScoreOfJudges:
    """Raises Invalid for a pattern that is none."""

    def __init__(
        self, score: JudgedScore, *, combine: Combine | None, judges: tuple[str, ...]
    ) -> None:
        self._score = score
        self._judges = judges
        self._read = score.parser.reader(score.name)
        self._combine = combine or ("majority" if isinstance(score, RubricScore) else "mean")

    @property
    def declared(self) -> tuple[ScoreDeclaration, ...]:
        """The score itself and, of several judges, how far they agree."""
        declared = self._score.declared()
        if len(self._judges) == 1:
            return (declared,)
        if self._combine == "mean":
            # A mean of labels is none of them.
            declared = replace(declared, rubric=(), over_repeats=mean_of_repeats)
        name = self._score.name
        return (declared, agreement_declared(agreement_name(name), about=name))

    def opinion(self, said: Sequence[Said]) -> Opinion:
        """Of what the judges said about one row, in their order."""
        heard = [self._heard(one) for one in said]
        if len(heard) == 1:
            return self._alone(heard[0], said[0])
        detail: JsonObject = {
            "judges": [_told(judge, one) for judge, one in zip(self._judges, heard, strict=True)]
        }
        verdicts = [one for one in heard if isinstance(one, Verdict)]
        if len(verdicts) < len(heard):
            note = next(
                self._note(unclear, one, judge)
                for unclear, one, judge in zip(heard, said, self._judges, strict=True)
                if isinstance(unclear, Unclear)
            )
            return Opinion(values=(math.nan, math.nan), detail=detail, note=note)
        return self._together(verdicts, detail)

    def _heard(self, said: Said) -> Verdict | Unclear:
        try:
            return self._score.verdict(self._read(said))
        except Unclear as problem:
            return problem

    def _alone(self, heard: Verdict | Unclear, said: Said) -> Opinion:
        if isinstance(heard, Unclear):
            return Opinion(values=(math.nan,), note=self._note(heard, said, "the judge"))
        return Opinion(values=(heard.value,), label=heard.label)

    def _together(self, verdicts: Sequence[Verdict], detail: JsonObject) -> Opinion:
        values = [verdict.value for verdict in verdicts]
        agreement = self._agreement(values)
        if self._combine == "mean":
            return Opinion(values=(mean(values), agreement), detail=detail)
        value = majority(values)
        if value is None:
            shown = ", ".join(verdict.label or f"{verdict.value:g}" for verdict in verdicts)
            note = Note(code=TIE, message=f"{self._score.name}: the judges are divided: {shown}")
            return Opinion(values=(math.nan, agreement), detail=detail, note=note)
        label = next(verdict.label for verdict in verdicts if verdict.value == value)
        return Opinion(values=(value, agreement), label=label, detail=detail)

    def _agreement(self, values: Sequence[float]) -> float:
        if isinstance(self._score, RubricScore):
            # No two labels have the same value.
            return agreement_of_choices(values)
        return agreement_of_numbers(
            values, minimum=self._score.minimum, maximum=self._score.maximum
        )

    def _note(self, problem: Unclear, said: Said, judge: str) -> Note:
        return Note(
            code=problem.code,
            message=f"{self._score.name}: {problem.message}; {judge} said {beginning(said.text)!r}",
        )


def _told(judge: str, heard: Verdict | Unclear) -> JsonObject:
    if isinstance(heard, Unclear):
        return {"judge": judge, "value": None, "problem": heard.code}
    if heard.label is None:
        return {"judge": judge, "value": heard.value}
    return {"judge": judge, "value": heard.value, "label": heard.label}
