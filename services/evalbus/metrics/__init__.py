"""The kinds of metric; a new one is a file here and a line in the table."""

from typing import Final

from evalbus.metrics.base import (
    NON_FINITE,
    Batch,
    Columns,
    Metric,
    Note,
    RubricLevel,
    ScoreDeclaration,
)
from evalbus.metrics.exact_match import ExactMatch
from evalbus.metrics.f1 import F1
from evalbus.metrics.number_check import NumberCheck
from evalbus.metrics.string_check import StringCheck
from evalbus.registry import Table, build
from evalbus_schemas.benchmark import Benchmark, Plugin, ScoreDirection
from evalbus_schemas.chunks import RowLimits

METRICS: Final = Table[Metric](
    kind="metric type",
    group="evalbus.metrics",
    base=Metric,
    builtin={
        "exact-match": ExactMatch,
        "f1": F1,
        "number-check": NumberCheck,
        "string-check": StringCheck,
    },
)


def build_metric(plugin: Plugin, limits: RowLimits) -> Metric:
    """The metric that a benchmark names; raises Invalid."""
    return build(METRICS, plugin, limits=limits, where=f"metric {plugin.name!r}")


def scores_of(benchmark: Benchmark) -> tuple[tuple[str, str], ...]:
    """The (metric, score) names of a benchmark, in the order in which a row's values are kept; raises Invalid."""
    return tuple(
        (metric.name, score.name)
        for metric in benchmark.metrics
        for score in build_metric(metric, RowLimits()).scores
    )


def declarations_of(benchmark: Benchmark) -> tuple[ScoreDeclaration, ...]:
    """How to read the values of a row, in the same order; raises Invalid."""
    return tuple(
        score for metric in benchmark.metrics for score in build_metric(metric, RowLimits()).scores
    )


def directions_of(benchmark: Benchmark) -> dict[tuple[str, str], ScoreDirection]:
    """Whether more is better, by (metric, score); raises Invalid."""
    return {
        name: declaration.direction
        for name, declaration in zip(scores_of(benchmark), declarations_of(benchmark), strict=True)
    }


__all__ = [
    "METRICS",
    "NON_FINITE",
    "Batch",
    "Columns",
    "Metric",
    "Note",
    "RubricLevel",
    "ScoreDeclaration",
    "build_metric",
    "declarations_of",
    "directions_of",
    "scores_of",
]
