"""A scored row as Python wants it: a score without a value is NaN, so that a column of scores stays numeric."""

import math
from dataclasses import dataclass
from typing import TypedDict

from evalbus_schemas.base import JsonObject
from evalbus_schemas.queries import Row


class RowFilters(TypedDict, total=False):
    """Which rows: of one dataset, of one model, of one slice, only failed ones, only those whose score is below or above a
    number.

    `slice` may be `no-slice` as well, or `all`. `score` is `metric`, or `metric.score` where a metric has several. `after` goes on behind an earlier page's `next`.
    """

    dataset: str | None
    model: str | None
    slice: str | None
    failed_only: bool
    score: str | None
    below: float | None
    above: float | None
    after: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricScore:
    """One value that a metric gave a row; NaN where it gave none, and `metric_errors` says why."""

    name: str
    value: float
    label: str | None = None
    """Of a rubric."""
    rationale: str | None = None
    """Why, where the metric says so: a judge's own words."""
    detail: JsonObject | None = None
    """What the metric saw."""
    truth: float | None = None
    """What people said, where the metric has a ground truth and they said something."""
    agreement: float | None = None
    """1 where the value is what they said, else 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredRow:
    """One row of one dataset, answered by one model and scored by every metric; `metrics` by `workspace/metric`."""

    row_index: int
    row_id: str
    repeat: int
    dataset: str
    model: str
    item: JsonObject
    sample: JsonObject
    metrics: dict[str, list[MetricScore]]
    requests: list[JsonObject]
    latency_seconds: float | None
    """Of the call that a live model answered; None out of the cache."""
    metric_errors: dict[str, str] | None
    failed: bool
    slices: tuple[str, ...] = ()
    """The declared ones that it is in."""


def scored(row: Row) -> ScoredRow:
    return ScoredRow(
        row_index=row.row_index,
        row_id=row.row_id,
        repeat=row.repeat,
        dataset=row.dataset,
        model=row.model,
        item=row.item,
        sample=row.sample,
        metrics={
            metric: [
                MetricScore(
                    name=score.name,
                    value=math.nan if score.value is None else score.value,
                    label=score.label,
                    rationale=score.rationale,
                    detail=score.detail,
                    truth=score.truth,
                    agreement=score.agreement,
                )
                for score in scores
            ]
            for metric, scores in row.metrics.items()
        },
        requests=list(row.requests),
        latency_seconds=row.latency_seconds,
        metric_errors=row.metric_errors,
        failed=row.failed,
        slices=row.slices,
    )
