"""A job as its readers see it."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from evalbus_schemas.base import Labels, Moment, Open
from evalbus_schemas.names import Name, Reference
from evalbus_schemas.scores import Count
from evalbus_schemas.usage import DatasetUsed, ModelUsage


class JobStatus(StrEnum):
    CREATED = "created"
    PENDING = "pending"
    ACTIVE = "active"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    ERROR = "error"
    COMPLETED = "completed"
    PAUSING = "pausing"
    PAUSED = "paused"
    RESUMING = "resuming"


TERMINAL = frozenset({JobStatus.COMPLETED, JobStatus.ERROR, JobStatus.CANCELLED})

_ENDINGS = frozenset({JobStatus.CANCELLING, JobStatus.CANCELLED, JobStatus.ERROR})

TRANSITIONS: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.CREATED: _ENDINGS
    | {JobStatus.PENDING, JobStatus.ACTIVE, JobStatus.PAUSING, JobStatus.PAUSED},
    JobStatus.PENDING: _ENDINGS
    | {JobStatus.ACTIVE, JobStatus.PAUSING, JobStatus.PAUSED, JobStatus.COMPLETED},
    JobStatus.ACTIVE: _ENDINGS | {JobStatus.COMPLETED, JobStatus.PAUSING, JobStatus.PAUSED},
    JobStatus.PAUSING: _ENDINGS | {JobStatus.PAUSED, JobStatus.RESUMING, JobStatus.ACTIVE},
    JobStatus.PAUSED: _ENDINGS | {JobStatus.RESUMING, JobStatus.ACTIVE},
    JobStatus.RESUMING: _ENDINGS | {JobStatus.PENDING, JobStatus.ACTIVE, JobStatus.PAUSING},
    JobStatus.CANCELLING: frozenset({JobStatus.CANCELLED, JobStatus.ERROR}),
    JobStatus.COMPLETED: frozenset(),
    JobStatus.ERROR: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}
"""What a job may become next. `pending`: its rows are being read, none was sent yet; `pausing`: what was sent is
still coming in, and whoever resumes the job need not wait for that; `resuming`: nothing was sent again yet, and
whoever pauses it need not wait for that either."""


class JobError(Open):
    """Why a job ended in error."""

    code: str
    message: str


Derivation = Literal["retry", "rescore"]


class Job(Open):
    """One run of a benchmark. Rows are counted once for every model that they are scored for."""

    name: Name
    job_id: UUID
    workspace: Name
    benchmark: Reference
    status: JobStatus
    rows: Annotated[Count, Field(description="Rows scored so far, failed ones included.")]
    rows_total: Annotated[Count | None, Field(description="Null until every dataset was read.")]
    failed_rows: Count
    chunks: Annotated[Count, Field(description="Chunks stored so far.")]
    chunks_total: Count | None
    labels: Labels
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    error: JobError | None
    correlation_id: str | None
    derived_from: Annotated[
        Name | None, Field(description="The job whose rows it took over, by `retry` or `rescore`.")
    ] = None
    derivation: Derivation | None = None
    rows_per_second: Annotated[
        float | None, Field(description="Since it became active; null while it is not.")
    ] = None
    eta_seconds: Annotated[
        float | None, Field(description="At that rate; null while the rows to come are unknown.")
    ] = None
    datasets: tuple[DatasetUsed, ...] = ()
    models: Annotated[
        tuple[ModelUsage, ...], Field(description="Told of a single job, not in lists.")
    ] = ()
    uid: Annotated[int | None, Field(description="Its number, which is never given again.")] = None
    created_by: str | None = None
    archived: Annotated[
        bool, Field(description="Put away: lists leave it out unless they are asked for it.")
    ] = False

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL


WhyReason = Literal[
    "not_dispatched",
    "no_evaluator",
    "model_limited",
    "circuit_open",
    "retry_delay",
    "broker_down",
    "lease_held",
    "paused",
    "finalizing",
    "nothing",
]


WHY_ADVICE: dict[WhyReason, str] = {
    "not_dispatched": "No producer reads it or sends its chunks; is `evalbus serve producer` running?",
    "no_evaluator": "Chunks wait on the queue; is `evalbus serve evaluator` running?",
    "model_limited": "Its models are asked as much at once as they may be; wait, or raise parallelism.",
    "circuit_open": "A model's endpoint fails; look at it, the job goes on when it answers.",
    "retry_delay": "Rows wait for their next try; nothing to do.",
    "broker_down": "RabbitMQ cannot be reached; start it, the job goes on when it is back.",
    "lease_held": "A producer holds its datasets and reads them, or died; another takes over when the lease ends.",
    "paused": "Somebody paused it; `evalbus jobs resume` lets it go on.",
    "finalizing": "Every row is scored; its result is being made, if `evalbus serve results` is running.",
    "nothing": "It waits for nothing.",
}


class Why(Open):
    """What a job waits for, in one word from a fixed set and one sentence for a person."""

    job: Name
    status: JobStatus
    reason: WhyReason
    advice: str
    chunks_waiting: Count
    chunks_in_flight: Count
    oldest_chunk: Annotated[
        Count | None,
        Field(
            description="The number of the chunk that is out the longest; if none is out, of the first that waits."
        ),
    ]
    oldest_chunk_seconds: float | None


class LogLine(Open):
    """Something that happened to a job; `step` says who tells it."""

    at: Moment
    step: Literal["job", "reading", "dispatching", "evaluating", "finalizing"]
    level: Literal["info", "warning", "error"]
    message: str
