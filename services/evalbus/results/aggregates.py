"""Statistics of a score over its rows: exact sums, so that neither order nor chunking can be seen in a result."""

import math
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from evalbus.metrics import ScoreDeclaration, declarations_of
from evalbus.store.base import ScoreColumn
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.scores import (
    HISTOGRAM_BINS,
    PERCENTILES,
    Histogram,
    HistogramBin,
    MetricResult,
    Percentiles,
    RubricCount,
    ScoreStatistics,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers: TypeAlias = NDArray[np.float64]


def aggregate(benchmark: Benchmark, columns: Sequence[ScoreColumn]) -> list[MetricResult]:
    """One entry for each metric, given the columns of one (dataset, model) in the benchmark's order."""
    grouped: dict[tuple[str, str, str], list[ScoreStatistics]] = {}
    for column, declaration in zip(columns, declarations_of(benchmark), strict=True):
        key = (column.dataset, column.model, column.metric)
        grouped.setdefault(key, []).append(statistics(column, declaration))
    return [
        MetricResult(dataset=dataset, model=model, metric=metric, scores=tuple(scores))
        for (dataset, model, metric), scores in grouped.items()
    ]


def statistics(column: ScoreColumn, declaration: ScoreDeclaration) -> ScoreStatistics:
    """Population variance by two passes over exactly rounded sums (Shewchuk 1997, as in math.fsum).

    What cannot be computed, of no values or beyond the range of a float, is None.
    """
    # Loaded where a result is made: a service that makes none does well without its 30 MB.
    import numpy as np

    values = np.frombuffer(array("d", column.values), dtype=np.float64)
    finite = values[np.isfinite(values)]
    count = len(finite)
    total = _sum(finite) if count else None
    mean = None if total is None else total / count
    variance = None if mean is None else _variance(finite, mean)
    rubric = declaration.rubric
    return ScoreStatistics(
        name=column.score,
        count=count,
        nan_count=len(values) - count,
        n_rows=len(values),
        n_failed=column.n_failed,
        sum=total,
        mean=mean,
        min=float(finite.min()) if count else None,
        max=float(finite.max()) if count else None,
        variance=variance,
        std_dev=None if variance is None else math.sqrt(variance),
        mean_failures_as_worst=_failures_as_worst(total, count, column.n_failed, declaration),
        score_type="rubric" if rubric else "range",
        percentiles=None if rubric or not count else percentiles(finite),
        histogram=None if rubric else histogram(finite),
        rubric_distribution=_distribution(finite, declaration) if rubric else None,
        mode_category=_mode(finite, declaration) if rubric else None,
    )


def percentiles(finite: "Numbers") -> Percentiles:
    import numpy as np

    found = np.percentile(finite, PERCENTILES, method="weibull").tolist()
    named = {f"p{p}": value for p, value in zip(PERCENTILES, found, strict=True)}
    return Percentiles(**named)


def histogram(finite: "Numbers") -> Histogram:
    """The bin of a value is computed from the value, never by comparing it with rounded edges: all are counted."""
    import numpy as np

    if not len(finite):
        return Histogram(bins=())
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        return Histogram(bins=(HistogramBin(lower_bound=low, upper_bound=high, count=len(finite)),))
    # Halved first: the difference of two floats may be beyond the range of one.
    share = (finite / 2 - low / 2) / (high / 2 - low / 2)
    bins = np.minimum((share * HISTOGRAM_BINS).astype(np.int64), HISTOGRAM_BINS - 1)
    counts = np.bincount(bins, minlength=HISTOGRAM_BINS).tolist()
    edges = [
        low * (1 - i / HISTOGRAM_BINS) + high * (i / HISTOGRAM_BINS) for i in range(HISTOGRAM_BINS)
    ] + [high]
    return Histogram(
        bins=tuple(
            HistogramBin(lower_bound=edges[i], upper_bound=edges[i + 1], count=counts[i])
            for i in range(HISTOGRAM_BINS)
        )
    )


def _sum(finite: "Numbers") -> float | None:
    try:
        total = math.fsum(finite.tolist())
    except (OverflowError, ValueError):
        return None
    return total if math.isfinite(total) else None


def _variance(finite: "Numbers", mean: float) -> float | None:
    import numpy as np

    with np.errstate(over="ignore"):
        squares = _sum((finite - mean) ** 2)
    return None if squares is None else squares / len(finite)


def _failures_as_worst(
    total: float | None, count: int, n_failed: int, declaration: ScoreDeclaration
) -> float | None:
    """Without this a score would rise, unseen, because rows failed."""
    worst = declaration.minimum if declaration.direction == "higher" else declaration.maximum
    if declaration.direction == "none" or worst is None or count + n_failed == 0:
        return None
    if count and total is None:
        return None
    return ((total or 0.0) + worst * n_failed) / (count + n_failed)


def _distribution(finite: "Numbers", declaration: ScoreDeclaration) -> tuple[RubricCount, ...]:
    """In declared order, labels that nobody got included."""
    return tuple(
        RubricCount(
            label=level.label,
            description=level.description,
            value=level.value,
            count=int((finite == level.value).sum()),
        )
        for level in declaration.rubric
    )


def _mode(finite: "Numbers", declaration: ScoreDeclaration) -> str | None:
    """None when no row got any label."""
    counted = [level for level in _distribution(finite, declaration) if level.count]
    if not counted:
        return None
    return min(counted, key=lambda level: (-level.count, level.label)).label
