"""The NDJSON messages between producer, evaluators and results: line 1 is one of these, each further line a row's bytes."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from evalbus_schemas.base import JsonObject, Open
from evalbus_schemas.benchmark import MetricPlugin, Plugin
from evalbus_schemas.names import Name
from evalbus_schemas.scores import Count, Counts, Signature


class RowLimits(Open):
    """What one row may cost before it fails."""

    row_seconds: Annotated[float, Field(gt=0)] = 10.0
    row_bytes: Annotated[int, Field(ge=1)] = 4 * 1024 * 1024
    template_characters: Annotated[int, Field(ge=1)] = 1024 * 1024
    samples_bytes: Annotated[
        int, Field(ge=1, description="What the samples of one chunk may have together.")
    ] = 6 * 1024 * 1024
    child_memory_bytes: Annotated[int, Field(ge=1)] = 2 * 1024 * 1024 * 1024


class Plan(Open):
    """What is to be done with each row: the model that answers, and the metrics in the job's order."""

    model: Plugin
    metrics: tuple[MetricPlugin, ...]


class Asking(Open):
    """How a live model may be asked for the rows of one chunk; times in seconds."""

    concurrency: Annotated[int, Field(ge=1, description="Calls at once, out of the job's total.")]
    max_retries: Count
    request_timeout: Annotated[float, Field(gt=0)]
    row_timeout: Annotated[float, Field(gt=0)]


SAMPLE_SEPARATOR = b"\x1e"
"""Between the parts of a line with a given sample; JSON has none of it, not even inside of its strings."""

Wanted = Literal["scores", "questions"]


class ChunkRequested(Open):
    """Score these rows; each further line of the message is one item, as it was read.

    Where samples are given, a line is item, sample and, for a row that has none, why, as JSON `[code, message]`;
    the parts are separated by SAMPLE_SEPARATOR. A fourth part, behind an empty third one, has the answers that live
    metrics need: by metric a list with one for each respondent, `{"sample": …}`, `{"code": …, "message": …}` or null.
    """

    job_id: UUID
    job: Name
    workspace: Name
    source_job_id: Annotated[
        UUID | None, Field(description="The job that this one is derived from.")
    ] = None
    chunk: Count
    dataset: Name
    first_row: Count
    n_rows: Annotated[int, Field(ge=1)]
    rows: Annotated[
        tuple[Count, ...] | None,
        Field(description="Where the rows do not follow one another: the index of each."),
    ] = None
    repeat: Count = 0
    samples: Annotated[
        Literal["asked", "given"], Field(description="Whether the model has still to answer.")
    ] = "asked"
    wanted: Annotated[
        Wanted,
        Field(
            description="`questions`: not the scores of the metrics but what live ones have to ask, by metric."
        ),
    ] = "scores"
    asking: Annotated[
        Asking | None, Field(description="For a live model, and for live metrics.")
    ] = None
    plan: Plan
    limits: RowLimits = RowLimits()

    def row_index(self, offset: int) -> int:
        """The place in the dataset of one of its rows."""
        return self.first_row + offset if self.rows is None else self.rows[offset]


class ScoreError(Open):
    """Why one row has no value for a metric, or no sample at all (`metric` is null)."""

    row: Annotated[Count, Field(description="Offset within the chunk.")]
    metric: Name | None
    stage: Literal["sample", "metric"]
    code: str
    message: str
    failed: Annotated[
        bool, Field(description="False for a plain NaN: the row could not be scored.")
    ]
    unanswered: Annotated[
        bool, Field(description="Somebody outside who was asked about the row gave no answer.")
    ] = False


class Asked(Open):
    """What it took to get one row's answer out of a live model.

    Calls are those that were sent, retries those after the first. Tokens and cost are None where the model did not
    say; an answer from the cache costs nothing and took no call.
    """

    calls: Count = 0
    is_cached: bool = False
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cost: Annotated[float, Field(ge=0)] | None = None
    seconds: Annotated[
        Annotated[float, Field(ge=0)] | None, Field(description="Of the call that was answered.")
    ] = None
    requests: Annotated[
        tuple[JsonObject, ...],
        Field(description="One for each call: what was sent, what came back."),
    ] = ()

    @property
    def retries(self) -> int:
        return max(self.calls - 1, 0)


AnswerKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Answer(Open):
    """A live model's answer to one request; `key` is a digest of everything that it depends on."""

    key: AnswerKey
    job_id: Annotated[UUID, Field(description="The job that paid for it.")]
    row: Annotated[str, Field(description="Which answer of that job: `dataset/model/row/repeat`.")]
    is_shared: Annotated[bool, Field(description="False: for this job alone, forgotten with it.")]
    sample: JsonObject
    asked: Asked


class AnswersGiven(Open):
    """Answers as they come, before their chunk is whole: an evaluator that dies need not ask again."""

    answers: Annotated[tuple[Answer, ...], Field(min_length=1)]


class ScoreRemark(Open):
    """What a metric says of one score of one row beside its value."""

    row: Annotated[Count, Field(description="Offset within the chunk.")]
    metric: Name
    score: str
    label: str | None = None
    rationale: str | None = None
    detail: JsonObject | None = None


class ChunkScored(Open):
    """Every row of a chunk, scored; each further line of the message is one row's sample.

    `scores` has one column per score in the plan's order, each `n_rows` long; null stands for NaN. `counts` has one
    column for each metric with corpus scores, `truths` one for each score with a ground truth, in the same order; null
    where people said nothing. `signatures` has one for each metric.
    """

    job_id: UUID
    job: Name
    workspace: Name
    chunk: Count
    n_rows: Annotated[int, Field(ge=1)]
    scores: tuple[tuple[float | None, ...], ...]
    errors: tuple[ScoreError, ...] = ()
    remarks: tuple[ScoreRemark, ...] = ()
    counts: tuple[tuple[Counts | None, ...], ...] = ()
    truths: tuple[tuple[float | None, ...], ...] = ()
    signatures: tuple[Signature, ...] = ()
    asked: Annotated[tuple[Asked, ...], Field(description="Of a live model, for each row.")] = ()
    asked_by_metrics: Annotated[
        tuple[tuple[Asked, ...], ...],
        Field(description="Of live metrics, for each row: what each of its questions took."),
    ] = ()
    seconds: Annotated[float, Field(ge=0)]
    evaluator: str


WaitsFor = Literal["circuit_open", "retry_delay"]


class ChunkProgress(Open):
    """An evaluator still works on this chunk; lost without harm."""

    job_id: UUID
    chunk: Count
    rows_done: Count
    waits_for: Annotated[
        WaitsFor | None, Field(description="What holds up its rows at the moment, if anything.")
    ] = None
    evaluator: str
