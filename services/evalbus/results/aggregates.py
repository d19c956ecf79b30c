"""Statistics of a score over its rows: exact sums, so that neither order nor chunking can be seen in a result."""

import math
from collections.abc import Sequence

from evalbus.store.base import ScoreColumn
from evalbus_schemas.scores import MetricResult, ScoreStatistics


def aggregate(columns: Sequence[ScoreColumn]) -> list[MetricResult]:
    """One entry for each (dataset, model, metric), in the order of the columns."""
    grouped: dict[tuple[str, str, str], list[ScoreStatistics]] = {}
    for column in columns:
        key = (column.dataset, column.model, column.metric)
        grouped.setdefault(key, []).append(statistics(column))
    return [
        MetricResult(dataset=dataset, model=model, metric=metric, scores=tuple(scores))
        for (dataset, model, metric), scores in grouped.items()
    ]


def statistics(column: ScoreColumn) -> ScoreStatistics:
    """Population variance by two passes over exactly rounded sums (Shewchuk 1997, as in math.fsum).

    What cannot be computed, of no values or beyond the range of a float, is None.
    """
    finite = [value for value in column.values if math.isfinite(value)]
    count = len(finite)
    total = _sum(finite)
    mean = None if total is None or not count else total / count
    variance = None
    if mean is not None:
        squares = _sum([_square(value - mean) for value in finite])
        variance = None if squares is None else squares / count
    return ScoreStatistics(
        name=column.score,
        count=count,
        nan_count=len(column.values) - count,
        n_rows=len(column.values),
        n_failed=column.n_failed,
        sum=total if count else None,
        mean=mean,
        min=min(finite, default=None),
        max=max(finite, default=None),
        variance=variance,
        std_dev=None if variance is None else math.sqrt(variance),
    )


def _sum(values: Sequence[float]) -> float | None:
    try:
        total = math.fsum(values)
    except (OverflowError, ValueError):
        return None
    return total if math.isfinite(total) else None


def _square(value: float) -> float:
    # Not `** 2`, which raises where this gives inf.
    return value * value
