"""The scores of every model, one under the other, with how sure each mean is."""

import math
from collections.abc import Sequence

from evalbus.reporting.lines import OF_ALL_ROWS, Line, bars, grouped, titled
from evalbus.reporting.parts import Part, figures, sentences
from evalbus.writing.names import bare
from evalbus.writing.tables import Cell, Table
from evalbus_schemas.explanations import Explanations
from evalbus_schemas.scores import ScoreStatistics

STANDARD_ERROR = "± is the standard error of the mean."
SCALE = "A bar goes from 0 to 1, or to the largest of its score where one is larger."
CORPUS = f"A score {OF_ALL_ROWS} is one value for all of them together, not a mean."


def scores(lines: Sequence[Line]) -> Sequence[Part]:
    notes = [
        STANDARD_ERROR if any(standard_error(line.score) is not None for line in lines) else "",
        SCALE if lines else "",
        CORPUS if any(line.is_corpus for line in lines) else "",
    ]
    return [
        *figures("Scores of each model", scores_table(lines)),
        *sentences(" ".join(filter(None, notes))),
    ]


def scores_table(lines: Sequence[Line]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for group in grouped(lines):
        drawn = bars([line.score.mean for line in group])
        for line, bar in zip(group, drawn, strict=True):
            worst = line.score.mean_failures_as_worst if line.score.n_failed else None
            rows.append(
                (
                    *(line.title, line.dataset, line.model),
                    *(line.score.mean, standard_error(line.score), bar, worst),
                    *(line.score.count, line.score.n_failed, line.unscored or None),
                )
            )
    table = Table(
        columns=(
            *("score", "dataset", "model", mean_or_value(lines), "±", ""),
            *("failed as worst", "n", "failed", "no value"),
        ),
        rows=rows,
    ).without_empty()
    return table if len({line.dataset for line in lines}) > 1 else table.without("dataset")


def partial_scores(explanations: Explanations) -> Sequence[Part]:
    """The means of the rows that there are, of a job that has no result."""
    rows: list[tuple[Cell, ...]] = []
    for each in explanations.metric_dependent:
        drawn = bars([model.mean for model in each.summary.models])
        for model, bar in zip(each.summary.models, drawn, strict=True):
            score = (titled(each.score_id, each.summary.direction), bare(model.model), model.mean)
            rows.append((*score, bar, model.count, model.without_value))
    columns = ("score", "model", "mean", "", "n", "no value")
    return figures(
        "Scores of each model over the rows looked at", Table(columns=columns, rows=rows)
    )


def mean_or_value(lines: Sequence[Line]) -> str:
    """What the column of means has in it, if some scores are of all rows together."""
    if not any(line.is_corpus for line in lines):
        return "mean"
    return "value" if all(line.is_corpus for line in lines) else "mean or value"


def standard_error(score: ScoreStatistics) -> float | None:
    """Of the mean over its rows: the square root of variance/(n - 1), as the variance is that of a population."""
    if score.scope == "corpus" or score.variance is None or score.count < 2:
        return None
    return math.sqrt(score.variance / (score.count - 1))
