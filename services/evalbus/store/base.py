"""What evalbus needs of its database, one small port for each thing that is kept.

The promises, kept by every adapter and tested in tests/conformance:

- Each method is one transaction: it happened altogether or not at all, and doing it again changes nothing.
- A lease is checked in the transaction that uses it, with the database's clock; a holder that lost it writes nothing.
- Keeping a chunk twice counts it once. Counters of a job always equal the rows that are stored.
- What a job ended as never changes; nothing is written to it afterwards.
- Unavailable means the outcome may be unknown; every method bears being called again.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol
from uuid import UUID

from evalbus_schemas.base import JsonObject, Labels
from evalbus_schemas.benchmark import Benchmark, ScoreDirection
from evalbus_schemas.catalogue import (
    Entry,
    EntryKind,
    EntryNamed,
    EntryPage,
    EntrySaved,
    GetEntry,
    ListEntries,
    Upload,
    Uploaded,
)
from evalbus_schemas.chunks import Answer, Asking, ChunkProgress, ChunkScored, Plan, RowLimits
from evalbus_schemas.events import BenchmarkEvent, LifecycleVerb
from evalbus_schemas.jobs import Derivation, Job, Why
from evalbus_schemas.queries import (
    CompareResults,
    Comparison,
    DeadLetterPage,
    DeadLetterShown,
    Deleted,
    EventPage,
    GetResult,
    JobPage,
    ListDeadLetters,
    ListEvents,
    ListJobs,
    ListLog,
    ListResults,
    ListRows,
    LogPage,
    Result,
    ResultPage,
    RowPage,
)
from evalbus_schemas.scores import Counts, MetricResult

# --- jobs ---------------------------------------------------------------------------------------


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


# --- reading and dispatching --------------------------------------------------------------------


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


# --- scored chunks ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What became of a scored chunk."""

    is_new: bool
    """False: it was there already, or its job has ended; nothing was changed."""
    is_last: bool = False
    rows_failed: int = 0
    rows_done: int = 0
    rows_total: int | None = None
    max_row_error_ratio: float | None = None


class ScoreStore(Protocol):
    async def keep(self, chunk: ChunkScored, samples: Sequence[bytes]) -> Kept:
        """Store every row of a chunk. Raises UnknownJob, or Malformed if it does not fit its job."""
        ...

    async def set_aside(self, job_id: UUID, chunk: int) -> int:
        """A message of the chunk could not be handled: it is sent again. How often that was so; 0 if it is scored."""
        ...

    async def note_progress(self, progress: ChunkProgress) -> None:
        """A sign of life; nothing if the chunk is not in flight."""
        ...


class Layout(Protocol):
    """How the values of a benchmark's rows are laid out."""

    @property
    def scores(self) -> Sequence[tuple[str, str]]:
        """The (metric, score) names in the order in which values are stored."""
        ...

    @property
    def over_repeats(self) -> Sequence[Callable[[Sequence[float]], float]]:
        """How the values of a row's repeats become one, in the same order."""
        ...

    @property
    def not_averaged(self) -> Collection[tuple[str, str]]:
        """The scores whose rule is another than the mean."""
        ...

    @property
    def counted(self) -> Sequence[str]:
        """The metrics whose rows have counts, in the order in which these are stored."""
        ...

    @property
    def directions(self) -> Mapping[tuple[str, str], ScoreDirection]:
        """Whether more is better, by (metric, score)."""
        ...


LayoutOf = Callable[[Benchmark], Layout]

# --- results ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ScoreColumn:
    """All values of one score for one (dataset, model), in row order, NaN included."""

    dataset: str
    model: str
    metric: str
    score: str
    n_failed: int
    values: Sequence[float]


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
"""From the columns and counts of one (dataset, model), in the benchmark's order, to the entries of the result."""


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


# --- events and dead letters --------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class EventToPublish:
    event_no: int
    id: UUID
    type: str
    routing_key: str
    body: BenchmarkEvent


class EventStore(Protocol):
    async def add(self, verb: LifecycleVerb, event: BenchmarkEvent, *, id: str) -> None:
        """An event that no change of a job goes with: a rejection. The same id is the same event."""
        ...

    async def next_unpublished(self, *, limit: int) -> Sequence[EventToPublish]:
        """In order, each with its sequence, which it keeps when it is asked for again."""
        ...

    async def mark_published(self, events: Sequence[EventToPublish]) -> None: ...

    async def list(self, query: ListEvents) -> EventPage: ...


@dataclass(frozen=True, kw_only=True)
class LetterToKeep:
    """A message that was set aside; of a large body the beginning is kept."""

    queue: str
    reason: str
    detail: str
    type: str
    message_id: str
    attempts: int
    headers: dict[str, str]
    body: bytes
    body_bytes: int


class DeadLetterStore(Protocol):
    async def keep(self, letter: LetterToKeep) -> None:
        """Once, however often it is given."""
        ...

    async def list(self, query: ListDeadLetters) -> DeadLetterPage: ...

    async def show(self, id: int) -> DeadLetterShown:
        """Raises NotFound."""
        ...


# --- catalogue and uploads ----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NewRevision:
    """A validated thing to save; its definition has everything written out."""

    kind: EntryKind
    workspace: str
    name: str
    version: str
    description: str
    supplier: str
    labels: Labels
    additional_info: JsonObject
    definition: JsonObject
    created_by: str | None


class CatalogueStore(Protocol):
    async def create(self, new: NewRevision) -> EntrySaved:
        """Its first revision; the same content again changes nothing. Raises Conflict if the name has another."""
        ...

    async def update(self, new: NewRevision) -> EntrySaved:
        """Its next revision, unless nothing differs. Raises NotFound."""
        ...

    async def get(self, kind: EntryKind, query: GetEntry) -> Entry:
        """Raises NotFound."""
        ...

    async def list(self, kind: EntryKind, query: ListEntries) -> EntryPage:
        """Raises Invalid for a cursor that is none."""
        ...

    async def delete(self, kind: EntryKind, named: EntryNamed) -> Deleted:
        """All its revisions; raises NotFound, also the second time."""
        ...


class UploadStore(Protocol):
    async def add(self, page: Upload) -> Uploaded:
        """Store a page behind those that are there; one that is there changes nothing.

        Raises Conflict for another size or for a page that leaves a gap, Invalid for a page that is no base64 or too
        long, and for a last page with which the content has another hash: then nothing of it is kept.
        """
        ...

    async def uploaded(self, sha256: str) -> Uploaded:
        """Nothing received for a content that nobody sent."""
        ...

    def pages(self, sha256: str) -> AsyncIterator[bytes]:
        """A complete content, in order; raises NotFound."""
        ...


# --- answers of live models ---------------------------------------------------------------------


class AnswerStore(Protocol):
    async def keep(self, answers: Sequence[Answer]) -> None:
        """Each once; the first to come stays."""
        ...

    async def find(self, keys: Sequence[str]) -> Sequence[Answer]:
        """Those that are there, in any order."""
        ...


# --- upkeep -------------------------------------------------------------------------------------


UNCONFIRMED_SECONDS = 90.0
"""The bus gives up publishing before that, so a producer that took a chunk and is silent about it is dead."""


class UpkeepStore(Protocol):
    async def overdue_to_pending(
        self, *, overdue_seconds: float, unconfirmed_seconds: float = UNCONFIRMED_SECONDS
    ) -> int:
        """Chunks in flight without a sign of life wait for a place again; the delay doubles with each sending.

        Those that the bus never confirmed were lost with the producer that took them, and wait for less.
        """
        ...

    async def in_flight_to_pending(self) -> int:
        """The bus lost what was on it: every chunk in flight waits for a place again."""
        ...

    async def free_leases(self) -> None:
        """Whoever held one is known to be gone: jobs are read on at once."""
        ...

    async def reclaim(self, *, rows_max: int) -> bool:
        """Free the space of deleted jobs, so many rows at a time; False when there is nothing left to free."""
        ...

    async def forget(self, *, event_days: int, answer_days: int) -> None:
        """Drop what retention no longer keeps, and prepare the partitions of the coming month."""
        ...

    async def broker_away(self, service: UUID) -> None:
        """This service cannot reach the broker; to be said again every few seconds, as long as it is so."""
        ...

    async def broker_back(self, service: UUID) -> None:
        """It can again, or has stopped looking."""
        ...

    async def settle(self) -> None:
        """Jobs that pause or end gently stand still or end once nothing of them is in flight."""
        ...

    async def end_overdue(self) -> None:
        """Jobs beyond their deadline end in error."""
        ...


# --- changes ------------------------------------------------------------------------------------


Topic = Literal["work", "final", "events", "jobs"]
"""There is something to read or to send; a job is whole; an event waits; a job has ended."""


class Watcher(Protocol):
    async def wait(self, timeout_seconds: float) -> None:
        """Return when something has happened since the last wait, or after the timeout.

        A wake-up may be missed or be for nothing: whoever waits looks again in any case.
        """
        ...


class Changes(Protocol):
    def watch(self, topic: Topic) -> Watcher:
        """For as long as the process lives."""
        ...

    def watching(self, topic: Topic) -> AbstractContextManager[Watcher]:
        """For as long as the context is open."""
        ...
