"""The methods of the RPC: parameters and answers of each, and which of them change something."""

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from evalbus_schemas.base import Closed, JsonObject, Labels, Moment, Open
from evalbus_schemas.benchmark import StartBenchmark
from evalbus_schemas.events import BenchmarkEvent
from evalbus_schemas.jobs import Job, JobStatus, Why
from evalbus_schemas.names import DEFAULT_WORKSPACE, Name, Reference
from evalbus_schemas.scores import Count, MetricResult

PAGE_SIZE_MAX = 1000
WAIT_SECONDS_MAX = 30.0

PageSize = Annotated[int, Field(ge=1, le=PAGE_SIZE_MAX)]
Cursor = Annotated[str, Field(max_length=255)]


class JobNamed(Closed):
    """A job by its name, or by its id."""

    job: Annotated[str, Field(min_length=1, max_length=63)]
    workspace: Name = DEFAULT_WORKSPACE


class WaitForJob(JobNamed):
    """Answer when the job has ended, or with its state when the time is over."""

    timeout_seconds: Annotated[float, Field(gt=0, le=WAIT_SECONDS_MAX)] = 20.0


class ListJobs(Closed):
    workspace: Name = DEFAULT_WORKSPACE
    status: JobStatus | None = None
    limit: PageSize = 100
    after: Cursor | None = None


class JobPage(Open):
    """Newest first."""

    jobs: tuple[Job, ...]
    next: Cursor | None


class JobStarted(Open):
    """The job that a command gave; `created` is false when the same command had given it before."""

    job: Job
    created: bool


class ResultNamed(Closed):
    result: Annotated[Name, Field(description="The name of the job that made it.")]
    workspace: Name = DEFAULT_WORKSPACE


class ListResults(Closed):
    workspace: Name = DEFAULT_WORKSPACE
    benchmark: Reference | None = None
    limit: PageSize = 100
    after: Cursor | None = None


class Result(Open):
    """Made exactly once when a job completes; outlives the job and never changes."""

    name: Name
    job_id: UUID
    workspace: Name
    benchmark: Reference
    datasets: tuple[Reference, ...]
    models: tuple[Reference, ...]
    metrics: tuple[Reference, ...]
    labels: Labels
    rows: Count
    failed_rows: Count
    started_at: Moment | None
    finished_at: Moment
    created_at: Moment
    results: tuple[MetricResult, ...]


class ResultPage(Open):
    """Newest first."""

    results: tuple[Result, ...]
    next: Cursor | None


class ListRows(Closed):
    """The stored rows of a job, in dataset order, one entry for each (dataset, model, row)."""

    job: Annotated[str, Field(min_length=1, max_length=63)]
    workspace: Name = DEFAULT_WORKSPACE
    dataset: Name | None = None
    model: Name | None = None
    failed_only: bool = False
    limit: PageSize = 100
    after: Cursor | None = None


class NamedScore(Open):
    name: str
    value: float | None


class Row(Open):
    """One row of one dataset, answered by one model and scored by every metric."""

    row_index: Count
    row_id: str
    dataset: Reference
    model: Reference
    item: JsonObject
    sample: JsonObject
    metrics: dict[Reference, tuple[NamedScore, ...]]
    requests: tuple[JsonObject, ...] = ()
    metric_errors: dict[str, str] | None
    failed: bool


class RowPage(Open):
    """At most 1 MiB of rows, therefore perhaps fewer than the limit; `partial` while the job has not completed."""

    rows: tuple[Row, ...]
    next: Cursor | None
    partial: bool


class ListEvents(Closed):
    workspace: Name | None = None
    after: Annotated[int, Field(ge=0)] = 0
    limit: PageSize = 100


class StoredEvent(Open):
    id: UUID
    type: str
    time: Moment
    event: BenchmarkEvent


class EventPage(Open):
    """In the order of their sequence."""

    events: tuple[StoredEvent, ...]


class ListDeadLetters(Closed):
    queue: Annotated[str, Field(max_length=255)] | None = None
    limit: PageSize = 100
    after: Cursor | None = None


class DeadLetter(Open):
    """A message that could not be handled, and why."""

    id: Annotated[int, Field(ge=1)]
    queue: str
    reason: str
    detail: str
    type: str
    message_id: str
    attempts: Count
    body_bytes: Annotated[Count, Field(description="As it arrived; what is kept may be less.")]
    first_seen_at: Moment


class DeadLetterPage(Open):
    """Newest first."""

    dead_letters: tuple[DeadLetter, ...]
    next: Cursor | None


class DeadLetterNamed(Closed):
    id: Annotated[int, Field(ge=1)]


class DeadLetterShown(Open):
    """With the first 64 KiB of the body, bytes that are no UTF-8 replaced."""

    dead_letter: DeadLetter
    headers: JsonObject
    body: str


class Nothing(Closed):
    """No parameters."""


class Discovered(Open):
    """The OpenRPC document."""

    document: JsonObject


@dataclass(frozen=True, kw_only=True)
class Method:
    """One method: a command changes something and goes to the producer, a query only reads."""

    name: str
    kind: Literal["command", "query"]
    params: type[BaseModel]
    answer: type[BaseModel]
    summary: str


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(name="jobs.start", kind="command", params=StartBenchmark, answer=JobStarted, summary="Run a benchmark."),
        Method(name="jobs.cancel", kind="command", params=JobNamed, answer=Job, summary="End a job; the rows that are stored stay readable."),
        Method(name="jobs.get", kind="query", params=JobNamed, answer=Job, summary="One job."),
        Method(name="jobs.list", kind="query", params=ListJobs, answer=JobPage, summary="The jobs of a workspace, newest first."),
        Method(name="jobs.why", kind="query", params=JobNamed, answer=Why, summary="What a job waits for, and what to do."),
        Method(name="jobs.wait", kind="query", params=WaitForJob, answer=Job, summary="The job once it has ended, or as it is after the timeout."),
        Method(name="results.get", kind="query", params=ResultNamed, answer=Result, summary="The result of a completed job."),
        Method(name="results.list", kind="query", params=ListResults, answer=ResultPage, summary="The results of a workspace, newest first."),
        Method(name="results.rows", kind="query", params=ListRows, answer=RowPage, summary="The stored rows of a job, with their scores."),
        Method(name="events.list", kind="query", params=ListEvents, answer=EventPage, summary="Lifecycle events after a sequence number."),
        Method(name="dlq.list", kind="query", params=ListDeadLetters, answer=DeadLetterPage, summary="Messages that were set aside, with their reasons."),
        Method(name="dlq.show", kind="query", params=DeadLetterNamed, answer=DeadLetterShown, summary="One of them with its body."),
        Method(name="rpc.discover", kind="query", params=Nothing, answer=Discovered, summary="This document."),
    )
}  # fmt: skip
