"""The life of a job in Postgres: made once, found by name, ended once."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from evalbus.errors import Conflict, NotFound
from evalbus.store.base import NewJob
from evalbus.store.postgres import events
from evalbus.store.postgres.database import Connection, Database
from evalbus.store.postgres.records import id_in, job_of, number_after, page_of, storable
from evalbus.store.postgres.sql import load
from evalbus_schemas.jobs import Job, Why, WhyReason
from evalbus_schemas.names import made_up_job_name, reference
from evalbus_schemas.queries import Deleted, JobPage, ListJobs

if TYPE_CHECKING:
    import asyncpg

SQL = load("jobs.sql")

NAMES_TRIED_MAX = 20
"""Two jobs of one benchmark and second may be given the same name; so many times in a row they are not."""

SILENT_SECONDS = 30.0
"""When of all chunks in flight none was sent and none gave a sign of life for so long, probably nobody evaluates."""

ADVICE: dict[WhyReason, str] = {
    "not_dispatched": "No producer reads it or sends its chunks; is `evalbus serve producer` running?",
    "no_evaluator": "Chunks wait on the queue; is `evalbus serve evaluator` running?",
    "model_limited": "The model's limits hold it back; raise parallelism or wait.",
    "circuit_open": "The model's endpoint fails; look at it, the job goes on when it answers.",
    "retry_delay": "Rows wait for their next try; nothing to do.",
    "broker_down": "RabbitMQ cannot be reached; the job goes on when it is back.",
    "lease_held": "A producer holds its datasets and reads them, or died; another takes over when the lease ends.",
    "paused": "Somebody paused it; `evalbus jobs resume` lets it go on.",
    "finalizing": "Every row is scored; its result is being made, if `evalbus serve results` is running.",
    "nothing": "It waits for nothing.",
}


class PostgresJobs:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, job: NewJob) -> tuple[Job, bool]:
        async with self._database.connection() as connection:
            await connection.execute(SQL.ensure_partition)
        async with self._database.transaction() as connection:
            job_no, is_new = await _made_or_insert(connection, job)
            if is_new:
                await connection.execute(SQL.add_dataset, job_no, list(job.fingerprints))
                await connection.execute(
                    SQL.add_model,
                    job_no,
                    [model.is_live for model in job.models],
                    [model.endpoint for model in job.models],
                    job.benchmark.params.parallelism,
                    job.benchmark.params.repeats,
                )
                await connection.execute(SQL.notify_work)
            return await job_by_no(connection, job_no), is_new

    async def made_by(
        self, workspace: str, idempotency_key: str, content_hash: bytes
    ) -> Job | None:
        async with self._database.connection() as connection:
            job_no = await _made_by(connection, workspace, idempotency_key, content_hash)
            return None if job_no is None else await job_by_no(connection, job_no)

    async def job(self, workspace: str, name_or_id: str) -> Job:
        async with self._database.connection() as connection:
            return job_of(await _find(connection, workspace, name_or_id))

    async def list(self, query: ListJobs) -> JobPage:
        async with self._database.connection() as connection:
            records = await connection.fetch(
                SQL.list_jobs,
                query.workspace,
                query.status,
                number_after(query.after),
                query.limit + 1,
                query.benchmark,
            )
        kept, following = page_of(records, query.limit, "job_no", job_of)
        return JobPage(jobs=kept, next=following)

    async def cancel(self, workspace: str, name_or_id: str) -> Job:
        async with self._database.transaction() as connection:
            found = await _find(connection, workspace, name_or_id)
            if await connection.fetchval(SQL.end_job, found["job_no"], "cancelled", None, None):
                job = await job_by_no(connection, found["job_no"])
                await events.put(connection, "cancelled", events.event_of(job))
                await connection.execute(SQL.notify_work)
                return job
            return await job_by_no(connection, found["job_no"])

    async def delete(self, workspace: str, name_or_id: str) -> Deleted:
        async with self._database.transaction() as connection:
            found = await _find(connection, workspace, name_or_id)
            deleted_at = await connection.fetchval(SQL.delete_job, found["job_no"])
        if deleted_at is None and job_of(found).is_terminal:
            raise _no_job(workspace, name_or_id)
        if deleted_at is None:
            raise Conflict(
                f"job {name_or_id!r} is {found['status']}: cancel it before it is deleted",
                {"wanted": "a job that has ended", "found": found["status"]},
            )
        return Deleted(id=reference(workspace, found["name"]), deleted_at=deleted_at)

    async def fail(self, job_id: UUID, *, code: str, message: str) -> None:
        async with self._database.transaction() as connection:
            job_no = await connection.fetchval(SQL.job_no_by_id, job_id)
            if job_no is not None:
                await fail(connection, job_no, code=code, message=message)

    async def why(self, workspace: str, name_or_id: str) -> Why:
        async with self._database.connection() as connection:
            job = job_of(found := await _find(connection, workspace, name_or_id))
            record = await connection.fetchrow(SQL.why, found["job_no"])
        assert record, "the job was found a moment ago"
        reason = _reason(job, record)
        return Why(
            job=job.name,
            status=job.status,
            reason=reason,
            advice=ADVICE[reason],
            chunks_waiting=record["waiting"],
            chunks_in_flight=record["in_flight"],
            oldest_chunk=record["oldest_chunk"],
            oldest_chunk_seconds=record["oldest_seconds"],
        )


async def _made_or_insert(connection: Connection, job: NewJob) -> tuple[int, bool]:
    """The number of the job, and whether it is new. Raises Conflict."""
    key = (job.workspace, job.idempotency_key, job.content_hash)
    if (made := await _made_by(connection, *key)) is not None:
        return made, False
    name, taken_by = "", ""
    for _ in range(1 if job.name else NAMES_TRIED_MAX):
        name = job.name or made_up_job_name(job.benchmark.name, datetime.now(UTC))
        if await connection.fetchval(SQL.result_has_name, job.workspace, name):
            taken_by = "result"
            continue
        if (job_no := await _insert(connection, job, name)) is not None:
            return job_no, True
        # Either the very same command came a moment earlier, or another has the name.
        if (made := await _made_by(connection, *key)) is not None:
            return made, False
        taken_by = "job"
    raise _name_taken(job.workspace, name, taken_by)


async def _insert(connection: Connection, job: NewJob, name: str) -> int | None:
    job_no: int | None = await connection.fetchval(
        SQL.create_job,
        job.workspace,
        name,
        job.benchmark.name,
        job.benchmark.model_dump_json(),
        job.limits.model_dump_json(),
        orjson.dumps(job.labels).decode(),
        storable(job.idempotency_key),
        job.content_hash,
        None if job.correlation_id is None else storable(job.correlation_id),
        None if job.created_by is None else storable(job.created_by),
        job.benchmark.params.deadline,
        None if job.derivation is None else job.derivation.how,
        None if job.derivation is None else job.derivation.source,
    )
    return job_no


async def _made_by(
    connection: Connection, workspace: str, idempotency_key: str, content_hash: bytes
) -> int | None:
    record = await connection.fetchrow(SQL.same_command, workspace, storable(idempotency_key))
    if record is None:
        return None
    if record["content_hash"] != content_hash:
        raise Conflict(
            f"the idempotency key {idempotency_key!r} was used for another command",
            {"found": idempotency_key},
        )
    job_no: int = record["job_no"]
    return job_no


async def fail(connection: Connection, job_no: int, *, code: str, message: str) -> None:
    """In the caller's transaction; nothing if the job has ended already."""
    if await connection.fetchval(SQL.end_job, job_no, "error", code, storable(message)):
        job = await job_by_no(connection, job_no)
        await events.put(connection, "failed", events.event_of(job))
        await connection.execute(SQL.notify_work)


async def job_by_no(connection: Connection, job_no: int) -> Job:
    record = await connection.fetchrow(SQL.job_by_no, job_no)
    if record is None:
        raise NotFound("the job was deleted", {"wanted": "a job"})
    return job_of(record)


async def _find(connection: Connection, workspace: str, name_or_id: str) -> "asyncpg.Record":
    record = await connection.fetchrow(
        SQL.find_job, workspace, storable(name_or_id), id_in(name_or_id)
    )
    if record is None:
        raise _no_job(workspace, name_or_id)
    return record


def _no_job(workspace: str, name_or_id: str) -> NotFound:
    return NotFound(
        f"no job {name_or_id!r} in workspace {workspace!r}",
        {"wanted": "a job", "found": name_or_id},
    )


def _reason(job: Job, record: "asyncpg.Record") -> WhyReason:
    if job.is_terminal:
        return "nothing"
    if job.status in ("pausing", "paused"):
        return "paused"
    if record["is_whole"]:
        return "finalizing"
    if record["in_flight"]:
        return "no_evaluator" if record["silent_seconds"] > SILENT_SECONDS else "nothing"
    if record["waiting"] or not record["is_leased"]:
        # Every job with work gets a place in the window, so somebody would have sent a chunk.
        return "not_dispatched"
    return "lease_held"


def _name_taken(workspace: str, name: str, by: str) -> Conflict:
    return Conflict(
        f"the name {name!r} is taken by a {by} in workspace {workspace!r}; choose another",
        {"wanted": "a free name", "found": name},
    )
