"""One score on one dataset: first everything that is looked at, then, when all looks are counted, what was found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalbus.results.explaining.columns import DatasetColumns
from evalbus.results.explaining.comparing import Pair, compare, pairs_of
from evalbus.results.explaining.drivers import drivers_of
from evalbus.results.explaining.failures import errors_of
from evalbus.results.explaining.features import Feature
from evalbus.results.explaining.looks import Look, Looks, Outcome, look
from evalbus.results.explaining.rows_shown import ShownRows
from evalbus.results.explaining.words import figure, rounded
from evalbus.writing.names import bare
from evalbus_schemas.benchmark import ScoreDirection
from evalbus_schemas.explanations import MeanOfModel, ScoreExplanation, ScoreSummary
from evalbus_schemas.names import reference

if TYPE_CHECKING:
    from evalbus.results.exact import Numbers


@dataclass(frozen=True, kw_only=True)
class ScoreToExplain:
    """Where one score stands among the columns, and how it is called."""

    score_id: str
    workspace: str
    metric: str
    score: str
    direction: ScoreDirection
    place: int
    truth_place: int | None
    not_features: frozenset[str]
    """Fields that answers and the ground truth are made of, as `item.a.b`: that a score goes with these is no finding."""


class Study:
    """Made with everything there is to look at; `explained` may be asked when the looks of the whole job are closed."""

    def __init__(
        self,
        looks: Looks,
        score: ScoreToExplain,
        columns: DatasetColumns,
        *,
        dataset: str,
        models: Sequence[str],
        of_rows: Sequence[Feature],
        of_answers: Sequence[Sequence[Feature]],
        slices: Sequence[Feature],
    ) -> None:
        self._score = score
        self._columns = columns
        self._dataset = dataset
        self._models = models
        self._outcomes = [
            Outcome(given.scores[score.place], model=model, direction=score.direction)
            for model, given in zip(models, columns.models, strict=True)
        ]
        self._drivers = _looked(
            looks,
            self._outcomes,
            _allowed(of_rows, score),
            [_allowed(of_model, score) for of_model in of_answers],
        )
        self._pairs: list[Pair] = pairs_of(looks, self._outcomes, slices)

    def explained(self, looks: Looks) -> ScoreExplanation:
        score, columns, models = self._score, self._columns, self._models
        shown = ShownRows(
            columns,
            models,
            [given.scores[score.place] for given in columns.models],
            [
                None if score.truth_place is None else given.truths[score.truth_place]
                for given in columns.models
            ],
            score.direction,
        )
        return ScoreExplanation(
            score_id=score.score_id,
            dataset=self._dataset,
            summary=self._summary(),
            drivers=drivers_of(self._drivers, looks, of_several_models=len(models) > 1),
            worst_rows=shown.worst(),
            disagreements=shown.disagreements(),
            models=compare(self._pairs, looks, score.direction),
            errors=errors_of(columns, models, score.metric),
        )

    def _summary(self) -> ScoreSummary:
        means = tuple(
            _mean(outcome, given.n_answers)
            for outcome, given in zip(self._outcomes, self._columns.models, strict=True)
        )
        notes = [
            f"{bare(one.model)} {'has no value' if one.mean is None else figure(one.mean)}"
            for one in means
        ]
        better = {
            "higher": "higher is better",
            "lower": "lower is better",
            "none": "neither end is better",
        }[self._score.direction]
        return ScoreSummary(
            metric=reference(self._score.workspace, self._score.metric),
            score=self._score.score,
            direction=self._score.direction,
            models=means,
            text=f"On average {', '.join(notes)}; {better}.",
        )


def _allowed(features: Sequence[Feature], score: ScoreToExplain) -> list[Feature]:
    return [
        feature
        for feature in features
        if not any(_is_of(feature.name, field) for field in score.not_features)
    ]


def _is_of(feature: str, field: str) -> bool:
    return feature.startswith(field) and feature[len(field) :][:1] in ("", ":", "=", "!", ".")


def _looked(
    looks: Looks,
    outcomes: Sequence[Outcome],
    of_rows: Sequence[Feature],
    of_answers: Sequence[Sequence[Feature]],
) -> list[Look]:
    return [
        found
        for outcome, of_model in zip(outcomes, of_answers, strict=True)
        for feature in (*of_rows, *of_model)
        if (found := look(looks, outcome, feature)) is not None
    ]


def _mean(outcome: Outcome, n_answers: int) -> MeanOfModel:
    told: Numbers = outcome.column.values[outcome.column.is_told]
    return MeanOfModel(
        model=outcome.model,
        count=len(told),
        without_value=n_answers - len(told),
        mean=rounded(float(told.mean())) if len(told) else None,
    )
