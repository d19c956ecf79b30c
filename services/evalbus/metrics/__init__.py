"""The kinds of metric by family; a new one is a file in its family and a line in that family's table."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import orjson

from evalbus.errors import Invalid
from evalbus.metrics.base import (
    COUNTS_BYTES_MAX,
    DETAIL_BYTES_MAX,
    NON_FINITE,
    RATIONALE_CHARACTERS_MAX,
    WHOLE_DETAIL_BYTES_MAX,
    Batch,
    Columns,
    LiveMetric,
    Metric,
    Note,
    Remark,
    RubricLevel,
    ScoreDeclaration,
    Whole,
)
from evalbus.metrics.checks import CHECKS
from evalbus.metrics.ground_truth import GroundTruth, ground_truths_of
from evalbus.metrics.judges import JUDGES
from evalbus.metrics.labels import LABELS
from evalbus.metrics.layout import Layout
from evalbus.metrics.overlap import OVERLAP
from evalbus.metrics.remote import REMOTE
from evalbus.metrics.signatures import signature_of
from evalbus.metrics.vectors import VECTORS
from evalbus.registry import Table, build
from evalbus_schemas.benchmark import Benchmark, MetricPlugin, Plugin
from evalbus_schemas.chunks import RowLimits

LAYOUTS_KEPT_MAX = 64
SCORE_NAME_CHARACTERS_MAX = 255

METRICS: Final = Table[Metric](
    kind="metric type",
    group="evalbus.metrics",
    base=Metric,
    builtin={**CHECKS, **OVERLAP, **LABELS, **VECTORS, **JUDGES, **REMOTE},
)


def build_metric(plugin: Plugin, limits: RowLimits) -> Metric:
    """The metric that a benchmark names; raises Invalid."""
    where = f"metric {plugin.name!r}"
    metric = build(METRICS, plugin, limits=limits, where=where)
    names: set[str] = set()
    for score in (*metric.scores, *metric.corpus):
        if not 0 < len(score.name) <= SCORE_NAME_CHARACTERS_MAX or not score.name.isprintable():
            raise Invalid(f"{where}: {score.name[:80]!r} is no name for a score")
        if score.name in names:
            raise Invalid(f"{where}: has two scores with the name {score.name!r}")
        names.add(score.name)
    return metric


def layout_of(benchmark: Benchmark) -> Layout:
    """How the values of its rows are laid out; raises Invalid."""
    return _layout_of(orjson.dumps([metric.model_dump() for metric in benchmark.metrics]))


@lru_cache(maxsize=LAYOUTS_KEPT_MAX)
def _layout_of(metrics_json: bytes) -> Layout:
    # Asked for with every page of rows, and building a metric may take a moment.
    written: Sequence[object] = orjson.loads(metrics_json)
    plugins = [MetricPlugin.model_validate(plugin) for plugin in written]
    metrics = [(plugin.name, build_metric(plugin, RowLimits())) for plugin in plugins]
    return Layout(
        metrics,
        with_truth=tuple(
            (name, truth.score)
            for plugin, (name, metric) in zip(plugins, metrics, strict=True)
            for truth in ground_truths_of(plugin, metric, RowLimits())
        ),
    )


__all__ = [
    "COUNTS_BYTES_MAX",
    "DETAIL_BYTES_MAX",
    "METRICS",
    "NON_FINITE",
    "RATIONALE_CHARACTERS_MAX",
    "WHOLE_DETAIL_BYTES_MAX",
    "Batch",
    "Columns",
    "GroundTruth",
    "Layout",
    "LiveMetric",
    "Metric",
    "Note",
    "Remark",
    "RubricLevel",
    "ScoreDeclaration",
    "Whole",
    "build_metric",
    "ground_truths_of",
    "layout_of",
    "signature_of",
]
