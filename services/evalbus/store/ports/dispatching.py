"""Reading the datasets of a job under a lease, and sending its chunks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from uuid import UUID

from evalbus.store.ports.jobs import JobLimits, ModelFacts
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.chunks import Asking, Plan
from evalbus_schemas.jobs import Derivation


@dataclass(frozen=True, kw_only=True)
class DatasetProgress:
    """How far one dataset was read."""

    fingerprint: str
    position: str | None
    n_rows: int
    is_read: bool


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to read one job's datasets, until another takes it over."""

    job_no: int
    job_id: UUID
    month: date
    token: UUID
    next_chunk: int
    benchmark: Benchmark
    limits: JobLimits
    datasets: tuple[DatasetProgress, ...]
    models: tuple[ModelFacts, ...]
    derivation: Derivation | None = None
    """How it takes over the rows of another job, before it reads any itself."""

    @property
    def has_recorded(self) -> bool:
        """Whether some of its chunks are scored without waiting for anybody."""
        return not all(self.waits(model_no) for model_no in range(len(self.models)))

    def waits(self, model_no: int, *, is_given: bool = False) -> bool:
        """Whether a chunk of this model waits for somebody outside: the model, unless it has its samples, or a metric's
        respondent."""
        model = self.models[model_no]
        is_asked = model.is_live and not is_given and self.derivation != "rescore"
        return is_asked or bool(model.metric_endpoints)


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Consecutive rows of one dataset, stored together; it becomes one chunk for each model."""

    dataset_no: int
    first_row: int
    rows: Sequence[tuple[str, bytes]]
    """(row id, item) pairs; an empty item is a row over the size limit."""
    slices: Sequence[int] = ()
    """Of each row a number with a bit for each slice that it is in, the first of the benchmark lowest; none at all where
    the benchmark has no slices."""


@dataclass(frozen=True, kw_only=True)
class TakenOver:
    """Some rows of a source job lie in the derived one now."""

    lease: Lease
    is_last: bool
    """The source job has no more of this dataset."""
    is_whole: bool
    """And with that the dataset is complete: nothing of it is left to read."""


class LeaseLost(Exception):
    """Somebody else reads this job now, or it has ended."""


@dataclass(frozen=True, kw_only=True)
class ChunkToSend:
    """A chunk that has a place in the window, with everything its message needs."""

    job_no: int
    job_id: UUID
    job: str
    workspace: str
    source_job_id: UUID | None
    """Of the job that this one is derived from."""
    plan: Plan
    limits: JobLimits
    chunk_no: int
    dataset: str
    first_row: int
    n_rows: int
    rows: tuple[int, ...] | None
    """Where its rows do not follow one another: the index of each."""
    repeat: int
    is_live: bool
    samples_are_given: bool
    asking: Asking | None
    lines: bytes
    """The items, one a line, as they were read; with their samples where those are given."""


class ChunkBroken(Exception):
    """What is stored of a job does not make a message; nothing was taken."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__(f"a chunk of job {job_id} cannot be sent")
        self.job_id = job_id


class DispatchStore(Protocol):
    async def claim(self, *, lease_seconds: float) -> Lease | None:
        """The oldest job that still has rows to read and that nobody reads; it becomes active."""
        ...

    async def renew(self, lease: Lease, *, lease_seconds: float) -> None:
        """Raises LeaseLost."""
        ...

    async def release(self, lease: Lease) -> None:
        """Let another go on at once; nothing if the lease is lost."""
        ...

    async def add(
        self, lease: Lease, stretches: Sequence[Stretch], *, position: str, lease_seconds: float
    ) -> Lease:
        """Store rows of one dataset, their chunks and how far it was read; the lease as it is then.

        Raises LeaseLost.
        """
        ...

    async def take_over(self, lease: Lease, dataset_no: int, *, lease_seconds: float) -> TakenOver:
        """Copy the next rows of the dataset from the job that this one is derived from. Raises LeaseLost."""
        ...

    async def finish_dataset(self, lease: Lease, dataset_no: int) -> None:
        """Every row of it is stored; equal row ids get their ordinals. Raises LeaseLost."""
        ...

    async def finish(self, lease: Lease) -> None:
        """Every dataset is read: the number of chunks is known. Raises LeaseLost."""
        ...

    async def waiting(self, lease: Lease) -> int:
        """Chunks of the job that wait for a place in the window."""
        ...

    async def take(self, *, window: int, most: int) -> Sequence[ChunkToSend]:
        """Fill the window fairly and mark what was taken as in flight; empty when there is no place or no work.

        Raises ChunkBroken for a job that has to end, so that the others go on.
        """
        ...

    async def confirm(self, chunks: Sequence[ChunkToSend]) -> None:
        """The bus has them; what nobody confirms is soon taken again."""
        ...

    async def give_back(self, chunks: Sequence[ChunkToSend]) -> None:
        """They were not sent after all."""
        ...
