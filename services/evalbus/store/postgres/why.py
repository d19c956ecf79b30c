"""What a job waits for: of everything that holds it up, the one thing that somebody should look at first."""

from typing import TYPE_CHECKING

from evalbus.store.fairness import calls_per_chunk
from evalbus.store.postgres.database import Connection
from evalbus.store.postgres.sql import load
from evalbus_schemas.jobs import WHY_ADVICE, Job, JobStatus, Why, WhyReason

if TYPE_CHECKING:
    import asyncpg

SQL = load("why.sql")

SILENT_SECONDS = 30.0
"""When of all chunks in flight none was sent and none gave a sign of life for so long, probably nobody evaluates."""
SENT_IN_VAIN = 2
"""Or when all of them were sent more often than that: sending a chunk again is no sign of life."""
BROKER_NOTED_SECONDS = 15.0
"""Whoever misses the broker says so every few seconds; what was said longer ago is over."""


async def why(connection: Connection, job_no: int, job: Job) -> Why:
    record = await connection.fetchrow(SQL.why, job_no, BROKER_NOTED_SECONDS, SENT_IN_VAIN)
    assert record, "the job was found a moment ago"
    models = await connection.fetch(SQL.models_that_wait, job_no)
    reason = _reason(job, record, is_limited=any(map(_has_no_room, models)))
    return Why(
        job=job.name,
        status=job.status,
        reason=reason,
        advice=WHY_ADVICE[reason],
        chunks_waiting=record["waiting"],
        chunks_in_flight=record["in_flight"],
        oldest_chunk=record["oldest_chunk"],
        oldest_chunk_seconds=record["oldest_seconds"],
    )


def _reason(job: Job, record: "asyncpg.Record", *, is_limited: bool) -> WhyReason:
    """The first that holds: what a person did, what concerns everybody, then the way of a chunk backwards."""
    if job.is_terminal:
        return "nothing"
    if job.status in (JobStatus.PAUSING, JobStatus.PAUSED):
        return "paused"
    if record["is_whole"]:
        return "finalizing"
    if record["is_broker_away"]:
        return "broker_down"
    if record["in_flight"] and _is_silent(record):
        # What its chunks waited for when they were last heard of is not known to be so still.
        return "no_evaluator"
    if record["in_open_circuit"]:
        # Also when others go on: an endpoint that fails is what the job will be left with.
        return "circuit_open"
    if record["in_flight"] and record["in_flight"] == record["in_retry_delay"]:
        return "retry_delay"
    if is_limited:
        return "model_limited"
    if record["in_flight"]:
        return "nothing"
    if record["waiting"] or not record["is_leased"]:
        # Every job with work gets a place in the window, so somebody would have sent a chunk.
        return "not_dispatched"
    return "lease_held"


def _is_silent(record: "asyncpg.Record") -> bool:
    return bool(record["is_sent_in_vain"] or record["silent_seconds"] > SILENT_SECONDS)


def _has_no_room(model: "asyncpg.Record") -> bool:
    """Its job or its endpoint bears too few calls more for another chunk to be handed out."""
    of_job, of_endpoint = model["parallelism"], model["endpoint_parallelism"]
    least = calls_per_chunk(of_job, of_endpoint)
    return bool(of_job - model["in_job"] < least or of_endpoint - model["at_endpoint"] < least)
