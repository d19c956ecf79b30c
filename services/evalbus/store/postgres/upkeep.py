"""What the reconciler asks of Postgres, by the database's clock and never by a queue's depth."""

from collections import Counter
from uuid import UUID

from evalbus.store.ports import UNCONFIRMED_SECONDS
from evalbus.store.postgres import job_log, jobs, scores
from evalbus.store.postgres.database import Database
from evalbus.store.postgres.sql import load

SQL = load("upkeep.sql")


class PostgresUpkeep:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def overdue_to_pending(
        self, *, overdue_seconds: float, unconfirmed_seconds: float = UNCONFIRMED_SECONDS
    ) -> int:
        return await self._to_pending(
            "gave no sign of life", SQL.overdue, overdue_seconds, unconfirmed_seconds
        )

    async def in_flight_to_pending(self) -> int:
        return await self._to_pending("were lost with the bus that had them", SQL.in_flight)

    async def _to_pending(self, why: str, query: str, *arguments: float) -> int:
        async with self._database.transaction() as connection:
            chunks = await connection.fetch(query, *arguments)
            by_job = Counter[int](chunk["job_no"] for chunk in chunks)
            for job_no, count in sorted(by_job.items()):
                told = f"{count} chunks {why} and are sent again"
                await job_log.write(connection, job_no, "dispatching", "warning", told)
            if chunks:
                await connection.execute(SQL.notify_work)
            return len(chunks)

    async def free_leases(self) -> None:
        async with self._database.connection() as connection:
            await connection.execute(SQL.free_leases)
            await connection.execute(SQL.free_export_leases)

    async def reclaim(self, *, rows_max: int) -> bool:
        async with self._database.connection() as connection:
            job = await connection.fetchrow(SQL.job_to_reclaim)
            if job is None:
                return False
            key = (job["job_no"], job["month"])
            for query in (SQL.reclaim_scores, SQL.reclaim_items):
                if await connection.execute(query, *key, rows_max) != "DELETE 0":
                    return True
            # The job itself stays as a stone on the grave: whoever sends a late message finds that it has ended.
            async with connection.transaction():
                await connection.execute(SQL.reclaim_chunks, job["job_no"])
                await connection.execute(SQL.reclaim_log, job["job_no"])
                await connection.execute(SQL.reclaim_signatures, job["job_no"])
                await connection.execute(SQL.reclaimed, job["job_no"])
            return True

    async def broker_away(self, service: UUID) -> None:
        async with self._database.connection() as connection:
            await connection.execute(SQL.broker_away, service)

    async def broker_back(self, service: UUID) -> None:
        async with self._database.connection() as connection:
            await connection.execute(SQL.broker_back, service)

    async def end_overdue(self) -> None:
        async with self._database.connection() as connection:
            for record in await connection.fetch(SQL.beyond_deadline):
                message = f"it ran longer than its deadline of {record['deadline_seconds']:g} s"
                async with connection.transaction():
                    await jobs.fail(
                        connection, record["job_no"], code="deadline_exceeded", message=message
                    )

    async def settle(self) -> None:
        async with self._database.connection() as connection:
            for record in await connection.fetch(SQL.standing):
                async with connection.transaction():
                    await scores.settle(connection, record["job_no"])

    async def forget(self, *, event_days: int, answer_days: int) -> None:
        async with self._database.connection() as connection:
            await connection.execute(SQL.close_chunks)
            await connection.execute(SQL.forget_events, event_days)
            await connection.execute(SQL.forget_exports, event_days)
            await connection.execute(SQL.forget_answers, answer_days)
            await connection.execute(SQL.forget_private_answers)
            await connection.execute(SQL.prepare_partitions)
