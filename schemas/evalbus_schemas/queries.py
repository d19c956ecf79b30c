"""The methods of the RPC: parameters and answers of each, and which of them change something."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    BaseModel,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from evalbus_schemas.base import Closed, JsonObject, Labels, Moment, Open
from evalbus_schemas.benchmark import (
    IdempotencyKey,
    MetricOrName,
    Params,
    ScoreDirection,
    StartBenchmark,
)
from evalbus_schemas.catalogue import (
    BenchmarkRowPage,
    EntryNamed,
    EntryPage,
    EntrySaved,
    GetEntry,
    ListBenchmarkRows,
    ListEntries,
    SaveBenchmark,
    SaveDataset,
    SaveMetric,
    SaveModel,
    Upload,
    Uploaded,
    UploadNamed,
)
from evalbus_schemas.catalogue import Entry as CatalogueEntry
from evalbus_schemas.chunks import Answer, AnswerKey
from evalbus_schemas.events import BenchmarkEvent
from evalbus_schemas.explanations import Explanations
from evalbus_schemas.exports import DatapointPage, Exporting, ExportJob, ExportNamed, ListDatapoints
from evalbus_schemas.jobs import Job, JobStatus, LogLine, Why
from evalbus_schemas.names import DEFAULT_WORKSPACE, Name, Reference
from evalbus_schemas.scores import Count, MetricResult
from evalbus_schemas.usage import DatasetUsed, ModelUsage

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
    benchmark: Annotated[Reference | None, Field(description="Only the runs of this one.")] = None
    include_archived: bool = False
    limit: PageSize = 100
    after: Cursor | None = None


class ArchiveJob(JobNamed):
    """Put an ended job away, or take it out again; nothing of it changes."""

    archived: bool = True


class JobPage(Open):
    """Newest first."""

    jobs: tuple[Job, ...]
    next: Cursor | None


class JobStarted(Open):
    """The job that a command gave; `created` is false when the same command had given it before."""

    job: Job
    created: bool


class RetryJob(JobNamed):
    """Ask and score the failed and missing rows of an ended job once more, in a job of their own."""

    name: Annotated[Name | None, Field(description="The new job's name; made up when absent.")] = (
        None
    )
    params: Annotated[
        Params | None, Field(description="What is given replaces what the job ran with.")
    ] = None
    idempotency_key: IdempotencyKey = None


class RescoreJob(JobNamed):
    """Score the stored samples of an ended job with other metrics; no model is asked."""

    metrics: Annotated[tuple[MetricOrName, ...], Field(min_length=1, max_length=64)]
    name: Annotated[Name | None, Field(description="The new job's name; made up when absent.")] = (
        None
    )
    idempotency_key: IdempotencyKey = None


class ListLog(JobNamed):
    limit: PageSize = 100
    after: Cursor | None = None


class LogPage(Open):
    """Oldest first."""

    lines: tuple[LogLine, ...]
    next: Cursor | None


class FindAnswers(Closed):
    """What is known of these requests to live models: asked by evaluators before they ask the model."""

    keys: Annotated[tuple[AnswerKey, ...], Field(min_length=1, max_length=256)]


class AnswersFound(Open):
    answers: tuple[Answer, ...]


AggregateField = Literal[
    "scope",
    "nan_count",
    "n_rows",
    "n_failed",
    "sum",
    "mean",
    "value",
    "confidence_interval",
    "min",
    "max",
    "variance",
    "std_dev",
    "mean_failures_as_worst",
    "score_type",
    "percentiles",
    "histogram",
    "rubric_distribution",
    "mode_category",
    "agreement",
]
AggregateFields = Annotated[
    tuple[AggregateField, ...] | None,
    Field(description="What to tell of each score beside name and count; everything when absent."),
]
Filter = Annotated[
    # What is in the mapping is looked at by the grammar, whose sentences name the place and whose limits hold.
    dict[str, Any] | str | None,
    Field(
        description='A mapping, the same as JSON text, or words: `name:"a" OR created_at>"2026-01-01"`.'
    ),
]
ResultSort = Literal["created_at", "-created_at", "updated_at", "-updated_at", "name", "-name"]


class ResultNamed(Closed):
    result: Annotated[Name, Field(description="The name of the job that made it.")]
    workspace: Name = DEFAULT_WORKSPACE


class GetResult(ResultNamed):
    aggregate_fields: AggregateFields = None


class ListResults(Closed):
    workspace: Name = DEFAULT_WORKSPACE
    filter: Filter = None
    search: Annotated[Filter, Field(description="As filter, but bare text means containment.")] = (
        None
    )
    sort: ResultSort = "-created_at"
    aggregate_fields: AggregateFields = None
    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    page_size: PageSize = 100


class Result(Open):
    """Made exactly once when a job completes; outlives the job and never changes."""

    id: UUID
    name: Name
    job_id: UUID
    workspace: Name
    benchmark: Reference
    datasets: tuple[Reference, ...]
    models: tuple[Reference, ...]
    dataset: Annotated[Reference | None, Field(description="If there is only one.")]
    model: Annotated[Reference | None, Field(description="If there is only one.")]
    metrics: tuple[Reference, ...]
    labels: Labels
    rows: Count
    failed_rows: Count
    started_at: Moment | None
    finished_at: Moment
    created_at: Moment
    updated_at: Moment
    created_by: str | None
    results: tuple[MetricResult, ...]
    usage: tuple[ModelUsage, ...] = ()
    data: tuple[DatasetUsed, ...] = ()


class Pagination(Open):
    """`total_pages` is 0 for an empty list; a page past the end is empty."""

    page: Annotated[int, Field(ge=1)]
    page_size: Count
    current_page_size: Count
    total_pages: Count
    total_results: Count


class ResultPage(Open):
    """In the order of `sort`; results of equal rank in the order of their making."""

    data: tuple[Result, ...]
    pagination: Pagination
    sort: ResultSort
    filter: Filter


class Deleted(Open):
    """Gone from every answer at once; the space is reclaimed later."""

    id: Reference
    message: str = "Resource deleted successfully"
    deleted_at: Moment


class ListSlices(ResultNamed):
    """The scores of each slice of a result, the reserved ones included."""

    limit: PageSize = 100
    after: Cursor | None = None


class SliceScores(Open):
    """What a result says, over the rows of one slice. `all` has every row, `no-slice` those that are in none.

    `rows` and `failed_rows` are counted once for every model and repeat, as those of a job are.
    """

    slice: str
    description: str = ""
    rows: Count
    failed_rows: Count
    results: tuple[MetricResult, ...]


class SlicePage(Open):
    """In the order of the benchmark: `all`, the declared ones, `no-slice`. Without declared slices `all` is alone."""

    slices: tuple[SliceScores, ...]
    next: Cursor | None


class CompareResults(Closed):
    """Columns side by side: each a model of a result, or all models of it when none is named."""

    columns: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=127)], ...],
        Field(min_length=1, max_length=64, description="`result` or `result:model`."),
    ]
    baseline: Annotated[
        Annotated[str, Field(min_length=1, max_length=127)] | None,
        Field(description="What the others are compared with; the first column when absent."),
    ] = None
    workspace: Name = DEFAULT_WORKSPACE
    force: Annotated[
        bool, Field(description="Compare although data or metric parameters differ.")
    ] = False
    slice: Annotated[
        Name | None,
        Field(description="Only the rows of this slice, or of `no-slice`; `all` are all."),
    ] = None


class ComparedColumn(Open):
    result: Name
    model: Reference


class ComparedCell(Open):
    """One column's score, and how its rows stand against the baseline's, paired by row id.

    `delta` is the mean difference over the rows that both have a value for; `better` and `worse` follow the metric's
    direction, and for a score without one count higher as better. Where nothing can be paired (corpus scores, and
    repeats that are not averaged) `delta` is the difference of the two means, and all counts of pairs are null.
    """

    mean: float | None
    count: Count
    nan_count: Count
    n_failed: Count
    delta: float | None = None
    n_paired: Count | None = None
    only_in_baseline: Count | None = None
    only_in_this: Count | None = None
    better: Count | None = None
    worse: Count | None = None
    equal: Count | None = None


class ComparedScore(Open):
    """One line: a cell for each column, null where a column has no such score."""

    dataset: Reference
    metric: Reference
    score: str
    direction: ScoreDirection
    cells: tuple[ComparedCell | None, ...]


class Comparison(Open):
    """`differences` says what was overlooked because it was forced."""

    columns: tuple[ComparedColumn, ...]
    baseline: Annotated[
        int, Field(ge=0, description="The place of the baseline among the columns.")
    ]
    scores: tuple[ComparedScore, ...]
    differences: tuple[str, ...]


class ListRows(Closed):
    """The stored rows of a job, in dataset order, one entry for each (dataset, model, row)."""

    job: Annotated[str, Field(min_length=1, max_length=63)]
    workspace: Name = DEFAULT_WORKSPACE
    dataset: Name | None = None
    model: Name | None = None
    slice: Annotated[
        Name | None, Field(description="Only its rows; those of none for `no-slice`.")
    ] = None
    failed_only: bool = False
    score: Annotated[
        Annotated[str, Field(max_length=127)] | None,
        Field(description="`metric`, or `metric.score` where a metric has several."),
    ] = None
    below: Annotated[float | None, Field(description="Only rows whose score is lower.")] = None
    above: Annotated[float | None, Field(description="Only rows whose score is higher.")] = None
    limit: PageSize = 100
    after: Cursor | None = None

    @model_validator(mode="after")
    def _bounds_have_a_score(self) -> Self:
        if self.score is None and (self.below is not None or self.above is not None):
            raise ValueError("below and above need a score")
        return self


class NamedScore(Open):
    """A score of a row: its value and, where the metric says more, a rubric's label, why, and what it saw.

    With a ground truth also what people said, and whether the value is that: 1 or 0.
    """

    name: str
    value: float | None
    truth: float | None = None
    agreement: float | None = None
    label: str | None = None
    rationale: str | None = None
    detail: JsonObject | None = None

    @model_serializer(mode="wrap")
    def _without_silence(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Most metrics say nothing beside the value; then there is nothing beside it."""
        written: dict[str, Any] = serialize(self)
        return {
            name: value
            for name, value in written.items()
            if value is not None or name in ("name", "value")
        }


class Row(Open):
    """One row of one dataset, answered by one model and scored by every metric."""

    row_index: Count
    row_id: str
    repeat: Count = 0
    dataset: Reference
    model: Reference
    item: JsonObject
    sample: JsonObject
    metrics: dict[Reference, tuple[NamedScore, ...]]
    requests: Annotated[
        tuple[JsonObject, ...], Field(description="Of a live model: each call, and what came back.")
    ] = ()
    latency_seconds: Annotated[
        float | None, Field(description="Of the call that was answered.")
    ] = None
    metric_errors: dict[str, str] | None
    failed: bool
    slices: Annotated[tuple[Name, ...], Field(description="The declared ones that it is in.")] = ()


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
        Method(name="jobs.pause", kind="command", params=JobNamed, answer=Job, summary="Send no more of a job's rows until it is resumed."),
        Method(name="jobs.resume", kind="command", params=JobNamed, answer=Job, summary="Let a paused job go on."),
        Method(name="jobs.retry", kind="command", params=RetryJob, answer=JobStarted, summary="Run the failed and missing rows of an ended job again, as a new job."),
        Method(name="jobs.rescore", kind="command", params=RescoreJob, answer=JobStarted, summary="Score the stored samples of an ended job with other metrics, as a new job."),
        Method(name="jobs.logs", kind="query", params=ListLog, answer=LogPage, summary="What happened to a job, oldest first."),
        Method(name="jobs.archive", kind="command", params=ArchiveJob, answer=Job, summary="Put an ended job away, or take it out again."),
        Method(name="jobs.delete", kind="command", params=JobNamed, answer=Deleted, summary="Delete an ended job and its rows; its result stays."),
        Method(name="results.delete", kind="command", params=ResultNamed, answer=Deleted, summary="Delete a result; it is never made again."),
        Method(name="results.compare", kind="query", params=CompareResults, answer=Comparison, summary="Models and results side by side, row by row."),
        Method(name="results.get", kind="query", params=GetResult, answer=Result, summary="The result of a completed job."),
        Method(name="results.list", kind="query", params=ListResults, answer=ResultPage, summary="The results of a workspace, filtered, searched and sorted."),
        Method(name="results.rows", kind="query", params=ListRows, answer=RowPage, summary="The stored rows of a job, with their scores."),
        Method(name="results.slices", kind="query", params=ListSlices, answer=SlicePage, summary="The scores of each slice of a result."),
        Method(name="results.explain", kind="query", params=JobNamed, answer=Explanations, summary="What the rows of a job say about its scores, in words and numbers."),
        Method(name="results.datapoints", kind="query", params=ListDatapoints, answer=DatapointPage, summary="Every row of a job's datasets with all its scores, as text to be written to a file."),
        Method(name="results.export", kind="command", params=ExportJob, answer=Exporting, summary="Write every datapoint of a job to a bucket."),
        Method(name="results.exported", kind="query", params=ExportNamed, answer=Exporting, summary="How far an export has come."),
        Method(name="datasets.create", kind="command", params=SaveDataset, answer=EntrySaved, summary="Save a dataset under a new name."),
        Method(name="datasets.update", kind="command", params=SaveDataset, answer=EntrySaved, summary="Save the next revision of a dataset."),
        Method(name="datasets.delete", kind="command", params=EntryNamed, answer=Deleted, summary="Delete a dataset; what has it written out keeps it."),
        Method(name="datasets.get", kind="query", params=GetEntry, answer=CatalogueEntry, summary="One saved dataset."),
        Method(name="datasets.list", kind="query", params=ListEntries, answer=EntryPage, summary="The saved datasets of a workspace."),
        Method(name="models.create", kind="command", params=SaveModel, answer=EntrySaved, summary="Save a model under a new name."),
        Method(name="models.update", kind="command", params=SaveModel, answer=EntrySaved, summary="Save the next revision of a model."),
        Method(name="models.delete", kind="command", params=EntryNamed, answer=Deleted, summary="Delete a model; what has it written out keeps it."),
        Method(name="models.get", kind="query", params=GetEntry, answer=CatalogueEntry, summary="One saved model."),
        Method(name="models.list", kind="query", params=ListEntries, answer=EntryPage, summary="The saved models of a workspace."),
        Method(name="metrics.create", kind="command", params=SaveMetric, answer=EntrySaved, summary="Save a metric under a new name."),
        Method(name="metrics.update", kind="command", params=SaveMetric, answer=EntrySaved, summary="Save the next revision of a metric."),
        Method(name="metrics.delete", kind="command", params=EntryNamed, answer=Deleted, summary="Delete a metric; what has it written out keeps it."),
        Method(name="metrics.get", kind="query", params=GetEntry, answer=CatalogueEntry, summary="One saved metric."),
        Method(name="metrics.list", kind="query", params=ListEntries, answer=EntryPage, summary="The saved metrics of a workspace."),
        Method(name="benchmarks.create", kind="command", params=SaveBenchmark, answer=EntrySaved, summary="Save a benchmark under a new name."),
        Method(name="benchmarks.update", kind="command", params=SaveBenchmark, answer=EntrySaved, summary="Save the next revision of a benchmark."),
        Method(name="benchmarks.delete", kind="command", params=EntryNamed, answer=Deleted, summary="Delete a benchmark; what has it written out keeps it."),
        Method(name="benchmarks.get", kind="query", params=GetEntry, answer=CatalogueEntry, summary="One saved benchmark."),
        Method(name="benchmarks.list", kind="query", params=ListEntries, answer=EntryPage, summary="The saved benchmarks of a workspace."),
        Method(name="benchmarks.rows", kind="command", params=ListBenchmarkRows, answer=BenchmarkRowPage, summary="The rows of a saved benchmark's datasets."),
        Method(name="datasets.upload", kind="command", params=Upload, answer=Uploaded, summary="Store a page of a file."),
        Method(name="datasets.uploaded", kind="query", params=UploadNamed, answer=Uploaded, summary="How much of a file is stored."),
        Method(name="events.list", kind="query", params=ListEvents, answer=EventPage, summary="Lifecycle events after a sequence number."),
        Method(name="dlq.list", kind="query", params=ListDeadLetters, answer=DeadLetterPage, summary="Messages that were set aside, with their reasons."),
        Method(name="dlq.show", kind="query", params=DeadLetterNamed, answer=DeadLetterShown, summary="One of them with its body."),
        Method(name="rpc.discover", kind="query", params=Nothing, answer=Discovered, summary="This document."),
    )
}  # fmt: skip

ANSWERS_FIND = Method(
    name="answers.find",
    kind="query",
    params=FindAnswers,
    answer=AnswersFound,
    summary="Kept answers of live models; evaluators ask for them on a queue of their own.",
)
