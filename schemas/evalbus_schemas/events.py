"""What happened to a job: the lifecycle events that any service may listen to."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from evalbus_schemas.base import JsonObject, Labels, Moment, Open
from evalbus_schemas.jobs import JobStatus
from evalbus_schemas.names import Name, Reference
from evalbus_schemas.scores import Count, ScoreScope

RESULTS_IN_EVENT_MAX = 200

LifecycleVerb = Literal["started", "completed", "failed", "cancelled", "rejected"]


class ScoreSummary(Open):
    """One line of a result, small enough for an event."""

    dataset: Reference
    model: Reference
    metric: Reference
    score: str
    scope: ScoreScope = "row"
    mean: float | None
    count: Count
    nan_count: Count


class EventError(Open):
    """Why a command was refused or a job failed; `code` is a JSON-RPC number for a refusal."""

    code: int | str
    message: str
    data: JsonObject | None = None


class BenchmarkEvent(Open):
    """The body of every lifecycle event; a rejected command has no job yet."""

    job: Name | None
    job_id: UUID | None
    workspace: Name
    benchmark: Reference | None
    status: JobStatus | None
    correlation_id: str | None
    labels: Labels = {}
    rows: Count = 0
    failed_rows: Count = 0
    started_at: Moment | None = None
    finished_at: Moment | None = None
    sequence: Annotated[
        int, Field(ge=0, description="Grows with every event; ask events.list for what came after.")
    ] = 0
    results: tuple[ScoreSummary, ...] = ()
    results_truncated: bool = False
    error: EventError | None = None


def routing_key(verb: LifecycleVerb, workspace: str) -> str:
    return f"benchmark.{verb}.{workspace}"
