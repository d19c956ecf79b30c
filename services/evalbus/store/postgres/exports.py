"""Files that are to be written to buckets: accepted once, written by one producer at a time, ended once."""

from typing import TYPE_CHECKING

from evalbus.errors import NotFound
from evalbus.store.ports import ExportLease, LeaseLost
from evalbus.store.postgres import jobs
from evalbus.store.postgres.database import Connection, Database
from evalbus.store.postgres.records import storable
from evalbus.store.postgres.sql import load
from evalbus_schemas.exports import Exporting, ExportJob, ExportNamed
from evalbus_schemas.jobs import JobError

if TYPE_CHECKING:
    import asyncpg

SQL = load("exports.sql")


class PostgresExports:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, command: ExportJob) -> Exporting:
        async with self._database.transaction() as connection:
            job = await jobs.stored(
                connection, command.workspace, command.job, columns="job_no, job_id"
            )
            # However the job was named, it is the same command.
            kept = command.model_copy(update={"job": str(job["job_id"])})
            export = await connection.fetchval(
                SQL.create, job["job_no"], storable(kept.model_dump_json())
            )
            await connection.execute(SQL.notify)
            return await _exporting(
                connection, ExportNamed(export=export, workspace=command.workspace)
            )

    async def exporting(self, named: ExportNamed) -> Exporting:
        async with self._database.connection() as connection:
            return await _exporting(connection, named)

    async def claim(self, *, lease_seconds: float) -> ExportLease | None:
        async with self._database.connection() as connection:
            record = await connection.fetchrow(SQL.claim, lease_seconds)
        if record is None:
            return None
        return ExportLease(
            export_no=record["export_no"],
            export_id=record["export_id"],
            token=record["lease_token"],
            attempts=record["attempts"],
            command=ExportJob.model_validate_json(record["command"]),
            upload=record["upload"],
        )

    async def renew(
        self,
        lease: ExportLease,
        *,
        datapoints: int,
        lease_seconds: float,
        upload: str | None = None,
    ) -> None:
        key = (lease.export_no, lease.token)
        async with self._database.connection() as connection:
            if not await connection.fetchval(SQL.renew, *key, datapoints, lease_seconds, upload):
                raise LeaseLost

    async def release(self, lease: ExportLease) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(SQL.release, lease.export_no, lease.token)
            await connection.execute(SQL.notify)

    async def complete(self, lease: ExportLease, *, datapoints: int) -> None:
        await self._end(lease, "completed", datapoints, None, None)

    async def fail(self, lease: ExportLease, *, code: str, message: str) -> None:
        await self._end(lease, "error", None, code, storable(message))

    async def _end(self, lease: ExportLease, *end: str | int | None) -> None:
        async with self._database.connection() as connection:
            if not await connection.fetchval(SQL.end_export, lease.export_no, lease.token, *end):
                raise LeaseLost


async def _exporting(connection: Connection, named: ExportNamed) -> Exporting:
    record = await connection.fetchrow(SQL.exporting, named.export, named.workspace)
    if record is None:
        raise NotFound(
            f"no export {named.export} in workspace {named.workspace!r}",
            {"wanted": "an export", "found": str(named.export)},
        )
    return _told(record)


def _told(record: "asyncpg.Record") -> Exporting:
    command = ExportJob.model_validate_json(record["command"])
    code: str | None = record["error_code"]
    return Exporting(
        export=record["export_id"],
        job=record["job"],
        destination=command.destination,
        format=command.format,
        status=record["status"],
        datapoints=record["n_datapoints"],
        error=None if code is None else JobError(code=code, message=record["error_message"]),
        created_at=record["created_at"],
        finished_at=record["finished_at"],
    )
