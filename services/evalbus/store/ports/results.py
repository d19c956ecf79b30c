"""Making results out of stored rows, and reading both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.queries import (
    CompareResults,
    Comparison,
    Deleted,
    GetResult,
    ListResults,
    ListRows,
    ListSlices,
    Result,
    ResultPage,
    RowPage,
    SlicePage,
)
from evalbus_schemas.scores import Counts, MetricResult


@dataclass(frozen=True, kw_only=True)
class ScoreColumn:
    """All values of one score for one (dataset, model), in row order, NaN included."""

    dataset: str
    model: str
    metric: str
    score: str
    n_failed: int
    values: Sequence[float]
    truths: Sequence[float] | None = None
    """What people said of the same rows, NaN where they said nothing; None: the score has no ground truth."""


@dataclass(frozen=True, kw_only=True)
class CountedMetric:
    """The counts of one metric with corpus scores, added up over all rows of one (dataset, model)."""

    dataset: str
    model: str
    metric: str
    total: Counts | None
    """None when no row takes part."""
    count: int
    """Rows that take part."""
    n_rows: int
    n_failed: int


Aggregate = Callable[
    [Benchmark, Sequence[ScoreColumn], Sequence[CountedMetric]], Sequence[MetricResult]
]
"""From the columns and counts of one (dataset, model), in the benchmark's order, to the entries of the result.

Called for all rows, and for those of each slice by themselves.
"""


class FinalStore(Protocol):
    async def finalize_next(self, aggregate: Aggregate) -> str | None:
        """End one whole job that nobody else finalizes; its name, or None if there is none.

        Result, job and event change together. With more failed rows than its benchmark bears it ends in error.
        """
        ...


class ResultStore(Protocol):
    async def result(self, query: GetResult) -> Result:
        """Raises NotFound."""
        ...

    async def slices(self, query: ListSlices) -> SlicePage:
        """Raises NotFound, or Invalid for a cursor that is none."""
        ...

    async def list(self, query: ListResults) -> ResultPage:
        """Raises Invalid or OverLimit for a filter that cannot be, OverLimit for a page that is too large."""
        ...

    async def delete(self, workspace: str, name: str) -> Deleted:
        """Gone at once and never made again; raises NotFound, also the second time."""
        ...


class ComparisonStore(Protocol):
    async def compare(self, query: CompareResults) -> Comparison:
        """Raises NotFound, Invalid, or Conflict if data or metric parameters differ and it is not forced."""
        ...


class RowStore(Protocol):
    async def list(self, query: ListRows) -> RowPage:
        """Raises NotFound, or Invalid for a score or a cursor that is none."""
        ...
