"""Rows to look at: the worst of each model, and those where values lie furthest apart."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from evalbus.results.agreement import agreeing
from evalbus.results.explaining.columns import DatasetColumns
from evalbus.results.explaining.fields import EXCERPT_CHARACTERS, excerpt
from evalbus.results.explaining.words import counted, figure, rounded
from evalbus.writing.names import bare
from evalbus_schemas.benchmark import ScoreDirection
from evalbus_schemas.explanations import (
    Disagreements,
    ModelsDisagree,
    PeopleDisagree,
    RowShown,
    WorstOfModel,
    WorstRows,
)

if TYPE_CHECKING:
    from evalbus.results.exact import Numbers

ROWS_MAX: Final = 5
"""Of a model, and of a kind of disagreement."""
ROWS_OF_ALL_MAX: Final = 40
"""Over all models: with many, fewer of each."""


class ShownRows:
    """One score of the rows of a dataset, from which rows are picked."""

    def __init__(
        self,
        columns: DatasetColumns,
        models: Sequence[str],
        values: "Sequence[Numbers]",
        truths: "Sequence[Numbers | None]",
        direction: ScoreDirection,
    ) -> None:
        self._columns = columns
        self._models = models
        self._values = values
        self._truths = truths
        self._direction: ScoreDirection = direction
        self._most = max(min(ROWS_MAX, ROWS_OF_ALL_MAX // len(models)), 1)

    def worst(self) -> WorstRows:
        found = [
            worst
            for model_no in range(len(self._models))
            if (worst := self._worst_of(model_no)) is not None
        ]
        notes = [
            f"{bare(one.model)}: {counted(one.tied, 'row')} with {figure(one.worst)}"
            for one in found[:ROWS_MAX]
        ]
        kind = "largest" if self._direction == "lower" else "lowest"
        text = (
            f"The {kind} value of each model: {'; '.join(notes)}."
            if found
            else "No row has a value."
        )
        return WorstRows(models=tuple(found), text=text)

    def disagreements(self) -> Disagreements:
        import numpy as np

        stacked = np.stack(self._values)
        told = np.isfinite(stacked)
        spread = np.where(told, stacked, -np.inf).max(axis=0) - np.where(told, stacked, np.inf).min(
            axis=0
        )
        spread = np.where(told.sum(axis=0) > 1, np.nan_to_num(spread, posinf=0.0), 0.0)
        places = [place for place in _largest(spread, ROWS_MAX) if spread[place] > 0]
        with_people = self._with_people()
        differing = int((spread > 0).sum())
        return Disagreements(
            differing=differing,
            between_models=tuple(self._between(place, float(spread[place])) for place in places),
            with_people=tuple(with_people),
            text=self._disagreements_in_words(differing),
        )

    def _worst_of(self, model_no: int) -> WorstOfModel | None:
        import numpy as np

        values = self._values[model_no]
        places = np.flatnonzero(np.isfinite(values))
        if not len(places):
            return None
        badness = values[places] if self._direction == "lower" else -values[places]
        chosen = places[_largest(badness, self._most)]
        worst = float(values[chosen[0]])
        return WorstOfModel(
            model=self._models[model_no],
            worst=rounded(worst),
            tied=int((values == worst).sum()),
            rows=tuple(self._row(int(place), model_no) for place in chosen),
        )

    def _with_people(self) -> list[PeopleDisagree]:
        found: list[tuple[float, int, int]] = []
        for model_no, (values, truths) in enumerate(zip(self._values, self._truths, strict=True)):
            if truths is None:
                continue
            apart = _apart(values, truths)
            found += [
                (-float(apart[place]), place, model_no)
                for place in _largest(apart, ROWS_MAX)
                if apart[place] > 0
            ]
        return [
            PeopleDisagree(model=self._models[model_no], row=self._row(place, model_no))
            for _, place, model_no in sorted(found)[:ROWS_MAX]
        ]

    def _disagreements_in_words(self, differing: int) -> str:
        import numpy as np

        notes: list[str] = []
        if len(self._models) > 1:
            notes.append(f"The models differ in {counted(differing, 'row')}.")
        for model, values, truths in zip(self._models, self._values, self._truths, strict=True):
            if truths is None:
                continue
            apart = int((_apart(values, truths) > 0).sum())
            of = int((np.isfinite(values) & np.isfinite(truths)).sum())
            notes.append(f"{bare(model)} scores otherwise than people in {apart} of {of} rows.")
        return (
            " ".join(notes[: ROWS_MAX + 1]) or "There is one model, and nobody to compare it with."
        )

    def _between(self, place: int, spread: float) -> ModelsDisagree:
        return ModelsDisagree(
            row_index=self._columns.row_indexes[place],
            row_id=self._columns.row_ids[place],
            values=tuple(_told(values[place]) for values in self._values),
            spread=rounded(spread),
            item=excerpt(self._columns.excerpts[place], EXCERPT_CHARACTERS),
        )

    def _row(self, place: int, model_no: int) -> RowShown:
        truths = self._truths[model_no]
        return RowShown(
            row_index=self._columns.row_indexes[place],
            row_id=self._columns.row_ids[place],
            value=rounded(float(self._values[model_no][place])),
            truth=None if truths is None else _told(truths[place]),
            item=excerpt(self._columns.excerpts[place], EXCERPT_CHARACTERS),
            answer=excerpt(self._columns.models[model_no].excerpts[place], EXCERPT_CHARACTERS),
        )


def _apart(values: "Numbers", truths: "Numbers") -> "Numbers":
    """How far each value is from what people said; 0 where it is that, and where one of the two is missing."""
    import numpy as np

    found = np.zeros(len(values))
    has_both = np.isfinite(values) & np.isfinite(truths)
    scored, said = values[has_both], truths[has_both]
    # Beyond the largest float it is as far as can be told.
    with np.errstate(over="ignore"):
        found[has_both] = np.nan_to_num(np.abs(scored - said)) * ~agreeing(scored, said)
    return found


def _largest(values: "Numbers", most: int) -> list[int]:
    """Their places, the largest first, of equal ones those that come first."""
    import numpy as np

    places: list[int] = np.argsort(-values, kind="stable")[:most].tolist()
    return places


def _told(value: float) -> float | None:
    number = float(value)
    return None if number != number else rounded(number)
