"""Reading the rows of a job for explaining its scores: evenly chosen ones, a few at a time."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.queries import JobNamed


@dataclass(frozen=True, kw_only=True)
class ExplainingLimits:
    """How much of a job is looked at."""

    rows_max: int = 20_000
    """Of each dataset: of a larger one every second row is looked at, every third, and so on."""
    answers_max: int = 100_000
    """Of all datasets together, a repeat counted like an answer."""
    bytes_max: int = 64 * 1024 * 1024
    """The same for items and samples."""
    text_bytes_max: int = 64 * 1024
    """A longer item or sample is not looked into."""


@dataclass(frozen=True, kw_only=True)
class AskedOfModel:
    """What the answers to all rows of a dataset took; cost in the unit of the model's price, None where it has none."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost: float | None


@dataclass(frozen=True, kw_only=True)
class DatasetToExplain:
    """One dataset of the job: how many rows it has, and that each `every`th is looked at, from the first on."""

    dataset_no: int
    name: str
    n_rows: int
    every: int
    asked: Sequence[AskedOfModel | None]
    """For each model; None for one that was not asked."""


@dataclass(frozen=True, kw_only=True)
class JobToExplain:
    job_no: int
    month: date
    job_id: UUID
    workspace: str
    benchmark: Benchmark
    finished_at: datetime | None
    """None: it has not ended, so there may be more rows the next time."""
    is_complete: bool
    datasets: Sequence[DatasetToExplain]


@dataclass(frozen=True, kw_only=True)
class AnswerToExplain:
    """What one model made of a row, repeats taken together as their metrics say; NaN where there is no value."""

    is_failed: bool
    scores: Sequence[float]
    truths: Sequence[float]
    """What people said, for each score that has a ground truth; nothing at all in a row from before there were any."""
    sample: str | None
    """The first answer; None if it is too long."""
    latency: float | None
    errors: Sequence[str]
    """JSON lists of what went wrong, one for each repeat in which something did."""


@dataclass(frozen=True, kw_only=True)
class RowToExplain:
    row_index: int
    row_id: str
    item: str | None
    """None if it is too long."""
    slices: int
    """A bit for each slice of the benchmark, the first lowest."""
    answers: Sequence[AnswerToExplain | None]
    """For each model; None where there is none yet."""


class ExplainingStore(Protocol):
    async def job_id(self, named: JobNamed) -> UUID:
        """Which job it is, and nothing else. Raises NotFound."""
        ...

    async def job(self, named: JobNamed) -> JobToExplain:
        """Also one that has not ended. Its rows are weighed, which takes a moment. Raises NotFound."""
        ...

    def rows(
        self, job: JobToExplain, dataset: DatasetToExplain
    ) -> AsyncIterator[Sequence[RowToExplain]]:
        """The chosen rows in their order, as many at a time as lie in memory well."""
        ...
