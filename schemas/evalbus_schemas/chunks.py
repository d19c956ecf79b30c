"""The NDJSON messages between producer, evaluators and results: line 1 is one of these, each further line a row's bytes."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from evalbus_schemas.base import Open
from evalbus_schemas.benchmark import Plugin
from evalbus_schemas.names import Name
from evalbus_schemas.scores import Count


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
    metrics: Annotated[tuple[Plugin, ...], Field(min_length=1)]


class ChunkRequested(Open):
    """Score these rows; each further line of the message is one item, as it was read."""

    job_id: UUID
    job: Name
    workspace: Name
    chunk: Count
    dataset: Name
    first_row: Count
    n_rows: Annotated[int, Field(ge=1)]
    plan: Plan
    limits: RowLimits = RowLimits()


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


class ChunkScored(Open):
    """Every row of a chunk, scored; each further line of the message is one row's sample.

    `scores` has one column per score in the plan's order, each `n_rows` long; null stands for NaN.
    """

    job_id: UUID
    job: Name
    workspace: Name
    chunk: Count
    n_rows: Annotated[int, Field(ge=1)]
    scores: tuple[tuple[float | None, ...], ...]
    errors: tuple[ScoreError, ...] = ()
    seconds: Annotated[float, Field(ge=0)]
    evaluator: str


class ChunkProgress(Open):
    """An evaluator still works on this chunk; lost without harm."""

    job_id: UUID
    chunk: Count
    rows_done: Count
    evaluator: str
