"""Writing a whole job out: every datapoint, what is said before them, and files in buckets."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from evalbus_schemas.base import Closed, JsonObject, Moment, Open
from evalbus_schemas.jobs import Job, JobError
from evalbus_schemas.names import DEFAULT_WORKSPACE, Name, Reference
from evalbus_schemas.scores import Count, ScoreScope

ExportFormat = Literal["json", "csv", "jsonl", "parquet"]

DATAPOINTS_MAX = 10_000

JobNameOrId = Annotated[str, Field(min_length=1, max_length=63)]
Character = Annotated[str, Field(min_length=1, max_length=1)]


class ExportedSlice(Open):
    """`id` is the place of a declared slice, from 1; "None" and "-1" are those of the reserved ones."""

    id: str
    display_name: str
    reserved_slice_type: Literal["global", "no_slice", "regular_slice"]
    description: str = ""


class ExportedScore(Open):
    """One score of one metric: what `criteria_uid` and `criteria_name` in a datapoint mean."""

    criteria_uid: Annotated[int, Field(ge=1)]
    criteria_name: Annotated[
        str, Field(description="`metric`, or `metric.score` where it has several.")
    ]
    metric: Reference
    score: str
    scope: ScoreScope = "row"
    has_ground_truth: bool = False


class ExportedBenchmark(Open):
    """As it is saved; of one that is not, what its job ran. Then it has no number, and is as old as its job."""

    uid: int | None
    name: Name
    description: str
    created_at: Moment
    created_by: str | None


class ExportHead(Open):
    """What is said of a job beside its datapoints; `partial` while it is not, or never will be, complete."""

    benchmark_metadata: ExportedBenchmark
    execution: Job
    partial: bool
    definition: Annotated[
        JsonObject,
        Field(description="The benchmark as the job ran it, but for rows that are written in it."),
    ]
    datasets: tuple[Reference, ...]
    models: tuple[Reference, ...]
    scores: tuple[ExportedScore, ...]
    slices: tuple[ExportedSlice, ...]


class ListDatapoints(Closed):
    """Every row of the job's datasets in their order, also those that no model was asked about or scored on."""

    job: JobNameOrId
    workspace: Name = DEFAULT_WORKSPACE
    limit: Annotated[int, Field(ge=1, le=DATAPOINTS_MAX)] = DATAPOINTS_MAX
    after: Annotated[
        Annotated[str, Field(max_length=255)] | None,
        Field(
            description="A page's `next`; or `dataset.row`, both counted from 0, to begin there.",
            examples=["0.1000"],
        ),
    ] = None


class DatapointPage(Open):
    """`lines` has a JSON object in each line, with a line feed behind it; at most about 1 MiB.

    A datapoint that is larger than a page comes in pieces: where `lines` does not end with a line feed the next page
    goes on with it. `count` has those that end here.

    A datapoint: `{"x_uid": "dataset::row_index", "dataset", "row_index", "row_id", "item": {…}, "samples": [{"model",
    "repeat", "failed", "output": {…}, "latency_seconds"?}], "scores": [{"criteria_uid", "criteria_name", "model",
    "repeat"?, "score_type": "EVAL" | "RATIONALE" | "AGREEMENT", "value", "label"?, "truth"?, "error"?}],
    "slice_membership": […]}`. Datasets and models are named as in the head, in `x_uid` the dataset without its
    workspace. An EVAL stands there for every score of every sample, null with its error where there is no value, with
    its label where the metric has some, and with the truth where people said something, value or not. RATIONALE (a text)
    and AGREEMENT (1.0 or 0.0) stand there only where there is one. `repeat` stands there from the second answer on.
    """

    head: Annotated[ExportHead | None, Field(description="With the first page.")] = None
    lines: str
    count: Count
    next: str | None


class ExportJob(Closed):
    """Write every datapoint of a job to a bucket; the same command again gives the export that is under way."""

    job: JobNameOrId
    workspace: Name = DEFAULT_WORKSPACE
    destination: Annotated[
        str,
        Field(
            min_length=1, max_length=4096, pattern=r"^(s3|gs)://", examples=["s3://bucket/run.csv"]
        ),
    ]
    format: ExportFormat = "json"
    connector: Annotated[
        Name | None, Field(description="Needed for a private bucket; a public one needs none.")
    ] = None
    sep: Annotated[Character, Field(description="Of CSV: between cells.")] = ","
    quotechar: Annotated[Character, Field(description="Of CSV: around a cell that needs it.")] = '"'
    escapechar: Annotated[
        Character, Field(description="Of CSV: doubled inside of a cell, as a quote is.")
    ] = "\\"
    neutralise: Annotated[
        bool, Field(description="Of CSV: an apostrophe before text that a spreadsheet would run.")
    ] = True


class ExportNamed(Closed):
    export: UUID
    workspace: Name = DEFAULT_WORKSPACE


class Exporting(Open):
    """An export to a bucket; the object appears there when all of it is written, and not before."""

    export: UUID
    job: Name
    destination: str
    format: ExportFormat
    status: Literal["waiting", "running", "completed", "error"]
    datapoints: Count
    error: JobError | None = None
    created_at: Moment
    finished_at: Moment | None = None

    @property
    def is_terminal(self) -> bool:
        return self.status in ("completed", "error")
