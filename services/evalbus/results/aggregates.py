"""Statistics of a score over its rows.

Each is the exact value rounded once to the nearest float, so neither order nor chunking can be seen in a result; what
lies beyond the range of a float is None, like what there is none of.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from evalbus.errors import NoResult
from evalbus.metrics import WHOLE_DETAIL_BYTES_MAX, Metric, ScoreDeclaration, Whole, layout_of
from evalbus.metrics.details import readable
from evalbus.results.agreement import agreement
from evalbus.results.exact import exact_sum, exact_sum_of_squares, rounded
from evalbus.store.ports import CountedMetric, ScoreColumn
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.scores import (
    HISTOGRAM_BINS,
    PERCENTILES,
    Counts,
    Histogram,
    HistogramBin,
    MetricResult,
    Percentiles,
    RubricCount,
    ScoreStatistics,
)

if TYPE_CHECKING:
    from evalbus.results.exact import Numbers


Group = tuple[str, str, str]
"""Dataset, model and metric."""


def aggregate(
    benchmark: Benchmark, columns: Sequence[ScoreColumn], counted: Sequence[CountedMetric]
) -> list[MetricResult]:
    """One entry for each metric, given the columns and counts of one (dataset, model) in the benchmark's order."""
    layout = layout_of(benchmark)
    grouped: dict[Group, list[ScoreStatistics]] = {}
    details: dict[Group, JsonObject] = {}
    for column, declaration in zip(columns, layout.declarations, strict=True):
        key = (column.dataset, column.model, column.metric)
        grouped.setdefault(key, []).append(statistics(column, declaration))
    metrics = dict(layout.metrics)
    for name, counts in zip(layout.counted, counted, strict=True):
        key = (counts.dataset, counts.model, counts.metric)
        scores, detail = corpus_statistics(counts, metrics[name])
        grouped.setdefault(key, []).extend(scores)
        if detail is not None:
            details[key] = detail
    return [
        MetricResult(
            dataset=key[0],
            model=key[1],
            metric=key[2],
            scores=tuple(scores),
            detail=details.get(key),
        )
        for key, scores in grouped.items()
    ]


def corpus_statistics(
    counts: CountedMetric, metric: Metric
) -> tuple[list[ScoreStatistics], JsonObject | None]:
    """One value for each corpus score, which has no spread, and what the metric says beside them."""
    if counts.total is None:
        whole = Whole(values=[math.nan] * len(metric.corpus))
    else:
        whole = _whole(counts.metric, metric, counts.total)
    values = [value if math.isfinite(value) else None for value in whole.values]
    return [
        ScoreStatistics(
            name=declaration.name,
            scope="corpus",
            value=value,
            mean=value,
            count=counts.count,
            nan_count=counts.n_rows - counts.count,
            n_rows=counts.n_rows,
            n_failed=counts.n_failed,
            confidence_interval=None,
        )
        for declaration, value in zip(metric.corpus, values, strict=True)
    ], whole.detail


def _whole(name: str, metric: Metric, total: Counts) -> Whole:
    """What the metric makes of the counts of all rows; raises NoResult if it breaks its promises."""
    try:
        whole = metric.whole(total)
        values = [float(value) for value in whole.values]
        detail = whole.detail and readable(whole.detail, bytes_max=WHOLE_DETAIL_BYTES_MAX)
    except (Exception, SystemExit) as error:
        # A stranger's code may raise anything; none of it may end the service.
        raise NoResult(
            f"metric {name!r} cannot score all rows together: {type(error).__name__}: {error}"
        ) from error
    if len(values) != len(metric.corpus):
        raise NoResult(
            f"metric {name!r} cannot score all rows together:"
            f" wanted {len(metric.corpus)} values, found {len(values)}"
        )
    return Whole(values=values, detail=detail)


def statistics(column: ScoreColumn, declaration: ScoreDeclaration) -> ScoreStatistics:
    """Over the values that are finite; the others are counted as NaN. With truths also how far both agree."""
    # Loaded where a result is made: a service that makes none does well without its 30 MB.
    import numpy as np

    values = np.asarray(column.values, dtype=np.float64)
    # With zero added, for else minus zero is the least or the largest value or not, as it happens to lie.
    ordered = np.sort(values[np.isfinite(values)]) + 0.0
    count = len(ordered)
    total = exact_sum(ordered)
    variance, std_dev = _spread(ordered) if count else (None, None)
    rubric = _distribution(ordered, declaration)
    found = ScoreStatistics(
        name=column.score,
        scope="row",
        count=count,
        nan_count=len(values) - count,
        n_rows=len(values),
        n_failed=column.n_failed,
        sum=rounded(total) if count else None,
        mean=rounded(total / count) if count else None,
        min=float(ordered[0]) if count else None,
        max=float(ordered[-1]) if count else None,
        variance=variance,
        std_dev=std_dev,
        mean_failures_as_worst=_failures_as_worst(total, count, column.n_failed, declaration),
        score_type="rubric" if rubric else "range",
        percentiles=None if rubric or not count else percentiles(ordered),
        histogram=None if rubric else histogram(ordered),
        rubric_distribution=rubric or None,
        mode_category=_mode(rubric),
    )
    if column.truths is None:
        return found
    truths = np.asarray(column.truths, dtype=np.float64)
    return found.model_copy(update={"agreement": agreement(values, truths, declaration)})


def percentiles(ordered: "Numbers") -> Percentiles:
    """Of at least one value, in ascending order."""
    last = len(ordered) - 1
    found: dict[str, float] = {}
    for percent in PERCENTILES:
        position = Fraction(percent * (len(ordered) + 1), 100) - 1
        position = min(max(position, Fraction(0)), Fraction(last))
        below = math.floor(position)
        low = Fraction(float(ordered[below]))
        high = Fraction(float(ordered[min(below + 1, last)]))
        found[f"p{percent}"] = float(low + (high - low) * (position - below))
    return Percentiles.model_validate(found)


def histogram(ordered: "Numbers") -> Histogram:
    """Of values in ascending order: whatever the edges are rounded to, every value lies between two of them."""
    import numpy as np

    if not len(ordered):
        return Histogram(bins=())
    low, high = float(ordered[0]), float(ordered[-1])
    if low == high:
        return Histogram(
            bins=(HistogramBin(lower_bound=low, upper_bound=high, count=len(ordered)),)
        )
    width = (Fraction(high) - Fraction(low)) / HISTOGRAM_BINS
    edges = [float(Fraction(low) + width * number) for number in range(HISTOGRAM_BINS + 1)]
    starts = [0, *np.searchsorted(ordered, edges[1:-1]).tolist(), len(ordered)]
    return Histogram(
        bins=tuple(
            HistogramBin(
                lower_bound=edges[number],
                upper_bound=edges[number + 1],
                count=starts[number + 1] - starts[number],
            )
            for number in range(HISTOGRAM_BINS)
        )
    )


def _spread(ordered: "Numbers") -> tuple[float | None, float]:
    """Population variance and its root, of at least one value.

    The values are brought between -1 and 1 by a power of two, which changes no digit of them.
    """
    import numpy as np

    count = len(ordered)
    _, exponent = math.frexp(max(-float(ordered[0]), float(ordered[-1]), 0.0))
    scaled = np.ldexp(ordered, -exponent)
    squares, total = exact_sum_of_squares(scaled), exact_sum(scaled)
    variance = max((squares - total * total / count) / count, Fraction(0))
    return (
        rounded(variance * Fraction(4) ** exponent),
        math.ldexp(math.sqrt(variance), exponent),
    )


def _failures_as_worst(
    total: Fraction, count: int, n_failed: int, declaration: ScoreDeclaration
) -> float | None:
    """Without this a score would rise, unseen, because rows failed."""
    worst = _worst(declaration)
    if worst is None or count + n_failed == 0:
        return None
    return rounded((total + Fraction(worst) * n_failed) / (count + n_failed))


def _worst(declaration: ScoreDeclaration) -> float | None:
    """A rubric without a declared range reaches from its least level to its largest."""
    levels = [level.value for level in declaration.rubric]
    match declaration.direction:
        case "higher":
            return min(levels, default=None) if declaration.minimum is None else declaration.minimum
        case "lower":
            return max(levels, default=None) if declaration.maximum is None else declaration.maximum
        case "none":
            return None


def _distribution(ordered: "Numbers", declaration: ScoreDeclaration) -> tuple[RubricCount, ...]:
    """In declared order, labels that nobody got included; empty without a rubric."""
    return tuple(
        RubricCount(
            label=level.label,
            description=level.description,
            value=level.value,
            count=int((ordered == level.value).sum()),
        )
        for level in declaration.rubric
    )


def _mode(rubric: Sequence[RubricCount]) -> str | None:
    """None when no row got any label."""
    counted = [level for level in rubric if level.count]
    if not counted:
        return None
    return min(counted, key=lambda level: (-level.count, level.label)).label
