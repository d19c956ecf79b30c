"""Jobs from the command that makes one to the moment it is deleted."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.jobs import Derivation, Job, Why
from evalbus_schemas.queries import Deleted, JobPage, ListJobs, ListLog, LogPage


class JobLimits(RowLimits):
    """Frozen when the job is made, so that a change of settings never changes its chunks."""

    chunk_rows: int
    chunk_bytes: int
    live_chunk_rows: int = 16
    endpoint_parallelism: int = 64


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What dispatching must know of a model of a job."""

    is_live: bool
    endpoint: str | None = None
    """What limits of calls at once go by; None for a recorded model."""
    metric_endpoints: tuple[str, ...] = ()
    """The same of whom live metrics ask about its answers, once for each question that a row may have."""


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A validated command, and what its datasets looked like when it was accepted."""

    workspace: str
    name: str | None
    """None: a name is made up."""
    benchmark: Benchmark
    limits: JobLimits
    labels: dict[str, str]
    idempotency_key: str
    content_hash: bytes
    correlation_id: str | None
    created_by: str | None
    fingerprints: tuple[str, ...]
    """One for each dataset, in the order of the benchmark."""
    models: tuple[ModelFacts, ...]
    """One for each model, in the order of the benchmark; `metric_endpoints` are those of the job."""
    metric_endpoints: tuple[str, ...] = ()
    """Whom its live metrics ask, once for each question that a row may have."""
    derivation: "Derived | None" = None


@dataclass(frozen=True, kw_only=True)
class Derived:
    """The ended job whose stored rows a new one takes over."""

    source: UUID
    how: Derivation


@dataclass(frozen=True, kw_only=True)
class SourceJob:
    """An ended job, as something to derive another from."""

    job: Job
    benchmark: Benchmark
    fingerprints: tuple[str, ...]
    models: tuple[ModelFacts, ...]
    rows_missing: bool
    """True: rows are failed, were never scored, or were never read."""
    first_items: tuple[tuple[bytes, ...], ...]
    """Of each dataset a few of the first rows that are stored; none if none are."""


class JobStore(Protocol):
    async def create(self, job: NewJob) -> tuple[Job, bool]:
        """The job and True, or the one that the same command made before and False.

        Raises Conflict if the name is in use, or the key was used for another content.
        """
        ...

    async def made_by(
        self, workspace: str, idempotency_key: str, content_hash: bytes
    ) -> Job | None:
        """The job that this very command made before. Raises Conflict if the key came with another content."""
        ...

    async def job(self, workspace: str, name_or_id: str) -> Job:
        """Raises NotFound."""
        ...

    async def state(self, workspace: str, name_or_id: str) -> Job:
        """The same without its models and datasets, cheap enough to be asked for often. Raises NotFound."""
        ...

    async def cancel(self, workspace: str, name_or_id: str, *, by: str | None = None) -> Job:
        """End it, with its event; one that has ended is returned as it is. Raises NotFound."""
        ...

    async def fail(self, job_id: UUID, *, code: str, message: str) -> None:
        """End it in error, with its event; nothing if it has ended already."""
        ...

    async def delete(self, workspace: str, name_or_id: str) -> Deleted:
        """An ended job and its rows; its result stays.

        Raises NotFound, or Conflict if it has not ended or an unfinished job is derived from it.
        """
        ...

    async def pause(self, workspace: str, name_or_id: str, *, by: str | None = None) -> Job:
        """Send no more of its chunks; what is in flight is still kept. It does not complete before it is resumed.

        Twice is as once. Raises NotFound, or Conflict if it has ended or is about to.
        """
        ...

    async def resume(self, workspace: str, name_or_id: str, *, by: str | None = None) -> Job:
        """Let it go on, though some of it may still be in flight; one that runs is returned as it is.

        Raises NotFound, or Conflict if it has ended or is about to.
        """
        ...

    async def archive(
        self, workspace: str, name_or_id: str, *, archived: bool, by: str | None = None
    ) -> Job:
        """Put it away, or take it out again; twice is as once. Raises NotFound, or Conflict if it has not ended."""
        ...

    async def logs(self, query: ListLog) -> LogPage:
        """Raises NotFound, or Invalid for a cursor that is none."""
        ...

    async def source(self, workspace: str, name_or_id: str) -> SourceJob:
        """What a derived job needs of it. Raises NotFound, or Conflict if it has not ended."""
        ...

    async def why(self, workspace: str, name_or_id: str) -> Why:
        """Raises NotFound."""
        ...

    async def list(self, query: ListJobs) -> JobPage: ...
