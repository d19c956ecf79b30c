"""The life of a job in Postgres: made once, found by name, ended once."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, LiteralString
from uuid import UUID

import orjson

from evalbus.errors import Conflict, NotFound
from evalbus.store.ports import NewJob, SourceJob
from evalbus.store.postgres import events, job_log, pausing, usage
from evalbus.store.postgres.database import Connection, Database
from evalbus.store.postgres.records import (
    facts_of,
    id_in,
    job_of,
    number_after,
    page_of,
    storable,
)
from evalbus.store.postgres.sql import load
from evalbus.store.postgres.why import why
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.jobs import Job, Why
from evalbus_schemas.names import made_up_job_name, reference
from evalbus_schemas.queries import Deleted, JobPage, ListJobs, ListLog, LogPage

if TYPE_CHECKING:
    import asyncpg

SQL = load("jobs.sql")

NAMES_TRIED_MAX = 20
"""Two jobs of one benchmark and second may be given the same name; so many times in a row they are not."""
FIRST_ITEMS = 20
FIRST_ITEM_BYTES_MAX = 65_536
"""Of a job that others may be derived from: rows to look at, and of those none that is larger."""


class PostgresJobs:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, job: NewJob) -> tuple[Job, bool]:
        async with self._database.connection() as connection:
            await connection.execute(SQL.ensure_partition)
        async with self._database.transaction() as connection:
            source_no = await _source_held(connection, job)
            job_no, is_new = await _made_or_insert(connection, job)
            if is_new:
                if job.derivation is not None and source_no is None:
                    raise Conflict("the job to go on from was deleted", {"wanted": "a kept job"})
                await connection.execute(SQL.add_dataset, job_no, list(job.fingerprints))
                await connection.execute(
                    SQL.add_model,
                    job_no,
                    [model.is_live for model in job.models],
                    [model.endpoint for model in job.models],
                    job.benchmark.params.parallelism,
                    job.benchmark.params.repeats,
                    list(job.metric_endpoints),
                )
                await _tell_beginning(connection, job_no, job, source_no)
                await connection.execute(SQL.notify_work)
            return await _told(connection, job_no), is_new

    async def made_by(
        self, workspace: str, idempotency_key: str, content_hash: bytes
    ) -> Job | None:
        async with self._database.connection() as connection:
            job_no = await _made_by(connection, workspace, idempotency_key, content_hash)
            return None if job_no is None else await _told(connection, job_no)

    async def job(self, workspace: str, name_or_id: str) -> Job:
        async with self._database.connection() as connection:
            found = await _find(connection, workspace, name_or_id)
            return await usage.told(connection, found["job_no"], job_of(found))

    async def state(self, workspace: str, name_or_id: str) -> Job:
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
                query.include_archived,
            )
        kept, following = page_of(records, query.limit, "job_no", job_of)
        return JobPage(jobs=kept, next=following)

    async def cancel(self, workspace: str, name_or_id: str, *, by: str | None = None) -> Job:
        async with self._database.transaction() as connection:
            found = await _find(connection, workspace, name_or_id)
            if await connection.fetchval(SQL.end_job, found["job_no"], "cancelled", None, None):
                told = f"cancelled{pausing.named(by)}"
                await job_log.write(connection, found["job_no"], "job", "info", told)
                job = await job_by_no(connection, found["job_no"])
                await events.put(connection, "cancelled", events.event_of(job))
                await connection.execute(SQL.notify_work)
            return await _told(connection, found["job_no"])

    async def delete(self, workspace: str, name_or_id: str) -> Deleted:
        async with self._database.transaction() as connection:
            found = await _find(connection, workspace, name_or_id)
            deleted_at = await connection.fetchval(SQL.delete_job, found["job_no"])
            if deleted_at is not None:
                await _refuse_while_derived(connection, found["job_no"], name_or_id)
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

    async def pause(self, workspace: str, name_or_id: str, *, by: str | None = None) -> Job:
        async with self._database.transaction() as connection:
            found = await _find(connection, workspace, name_or_id)
            await pausing.pause(connection, found["job_no"], job_of(found), by=by)
        # Of whoever dies between the two, upkeep does the second.
        async with self._database.transaction() as connection:
            await pausing.stand_still(connection, found["job_no"])
            return await _told(connection, found["job_no"])

    async def resume(self, workspace: str, name_or_id: str, *, by: str | None = None) -> Job:
        async with self._database.transaction() as connection:
            found = await _find(connection, workspace, name_or_id)
            await pausing.resume(connection, found["job_no"], job_of(found), by=by)
            return await _told(connection, found["job_no"])

    async def archive(
        self, workspace: str, name_or_id: str, *, archived: bool, by: str | None = None
    ) -> Job:
        async with self._database.transaction() as connection:
            found = await _find(connection, workspace, name_or_id)
            if await connection.fetchval(SQL.archive, found["job_no"], archived):
                told = "archived" if archived else "taken out of the archive"
                await job_log.write(
                    connection, found["job_no"], "job", "info", f"{told}{pausing.named(by)}"
                )
            job = await _told(connection, found["job_no"])
        if not job.is_terminal:
            raise Conflict(
                f"job {job.name!r} is {job.status.value}: only one that has ended can be archived",
                {"wanted": "a job that has ended", "found": job.status.value},
            )
        return job

    async def logs(self, query: ListLog) -> LogPage:
        async with self._database.connection() as connection:
            found = await _find(connection, query.workspace, query.job)
            return await job_log.page(
                connection, found["job_no"], after=query.after, limit=query.limit
            )

    async def source(self, workspace: str, name_or_id: str) -> SourceJob:
        async with self._database.connection() as connection:
            found = await _find(connection, workspace, name_or_id)
            record = await connection.fetchrow(SQL.source, found["job_no"])
            models = await connection.fetch(SQL.source_models, found["job_no"])
            items = await connection.fetch(
                SQL.first_items, found["job_no"], FIRST_ITEMS, FIRST_ITEM_BYTES_MAX
            )
        job = job_of(found)
        if record is None:
            raise Conflict(
                f"job {job.name!r} is {job.status.value}: only one that has ended can be gone on from",
                {"wanted": "a job that has ended", "found": job.status.value},
            )
        return SourceJob(
            job=job,
            benchmark=Benchmark.model_validate_json(record["spec"]),
            fingerprints=tuple(record["fingerprints"]),
            models=tuple(facts_of(model) for model in models),
            rows_missing=record["rows_missing"],
            first_items=tuple(
                tuple(item.encode() for item in each["items"] or ()) for each in items
            ),
        )

    async def why(self, workspace: str, name_or_id: str) -> Why:
        async with self._database.connection() as connection:
            found = await _find(connection, workspace, name_or_id)
            return await why(connection, found["job_no"], job_of(found))


async def _refuse_while_derived(connection: Connection, job_no: int, name_or_id: str) -> None:
    """After its row is locked: whoever derives a job from it now waits, and then finds it gone. Raises Conflict."""
    if derived := await connection.fetchval(SQL.derived_unfinished, job_no):
        raise Conflict(
            f"job {name_or_id!r} cannot be deleted before {', '.join(derived)}, which takes over its rows, has ended",
            {"wanted": "a job that no unfinished one is derived from", "found": derived},
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


async def _source_held(connection: Connection, job: NewJob) -> int | None:
    """The number of the job that it is derived from, which nobody deletes meanwhile; None if there is none."""
    if job.derivation is None:
        return None
    source_no: int | None = await connection.fetchval(SQL.hold_source, job.derivation.source)
    return source_no


async def _tell_beginning(
    connection: Connection, job_no: int, job: NewJob, source_no: int | None
) -> None:
    name = await connection.fetchval(SQL.name, job_no)
    await job_log.write(
        connection, job_no, "job", "info", f"accepted{pausing.named(job.created_by)}"
    )
    if job.derivation is not None and source_no is not None:
        verb = "retried" if job.derivation.how == "retry" else "re-scored"
        await job_log.write(connection, source_no, "job", "info", f"{verb} as job {name}")


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
        await job_log.write(
            connection, job_no, "job", "error", f"ended in error: {message} ({code})"
        )
        await events.put(connection, "failed", events.event_of(job))
        await connection.execute(SQL.notify_work)


async def _told(connection: Connection, job_no: int) -> Job:
    return await usage.told(connection, job_no, await job_by_no(connection, job_no))


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


async def stored(
    connection: Connection, workspace: str, name_or_id: str, *, columns: LiteralString
) -> "asyncpg.Record":
    """These columns of the job's own row, for whoever reads what lies behind it; raises NotFound."""
    record = await connection.fetchrow(
        SQL.find_stored.format(columns=columns), workspace, storable(name_or_id), id_in(name_or_id)
    )
    if record is None:
        raise _no_job(workspace, name_or_id)
    return record


def _no_job(workspace: str, name_or_id: str) -> NotFound:
    return NotFound(
        f"no job {name_or_id!r} in workspace {workspace!r}",
        {"wanted": "a job", "found": name_or_id},
    )


def _name_taken(workspace: str, name: str, by: str) -> Conflict:
    return Conflict(
        f"the name {name!r} is taken by a {by} in workspace {workspace!r}; choose another",
        {"wanted": "a free name", "found": name},
    )
