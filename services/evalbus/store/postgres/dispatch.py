"""Reading and dispatching in Postgres: leases with a fence, rows stored in stretches, places filled fairly."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import asyncpg

from evalbus.errors import TransientError
from evalbus.store.fairness import Demand, LiveDemand, share, share_calls
from evalbus.store.ports import (
    ChunkToSend,
    DatasetProgress,
    JobLimits,
    Lease,
    LeaseLost,
    Stretch,
    TakenOver,
)
from evalbus.store.postgres import chunking, deriving, events, job_log, jobs
from evalbus.store.postgres.database import WHOLE_DATASET_SECONDS, Connection, Database
from evalbus.store.postgres.recent_lines import RecentLines
from evalbus.store.postgres.records import facts_of
from evalbus.store.postgres.sending import SQL, Sending
from evalbus_schemas.benchmark import Benchmark

ITEM_COLUMNS = ("month", "job_no", "dataset_no", "row_index", "row_id", "item", "slices")
LIVE_CHUNKS_COUNTED = 64
"""Whether a live model has more chunks waiting makes no difference to how many calls each gets."""


class PostgresDispatch:
    """Remembers chunks that it may have taken or not."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._unsure: list[ChunkToSend] = []
        self._recent = RecentLines()
        self._sending = Sending(self._recent)

    async def claim(self, *, lease_seconds: float) -> Lease | None:
        async with self._database.transaction() as connection:
            record = await connection.fetchrow(SQL.claim, lease_seconds)
            if record is None:
                return None
            if record["is_first"]:
                job = await jobs.job_by_no(connection, record["job_no"])
                await events.put(connection, "started", events.event_of(job))
                await job_log.write(
                    connection, record["job_no"], "reading", "info", "began to read its datasets"
                )
            datasets = await connection.fetch(SQL.datasets, record["job_no"])
            models = await connection.fetch(SQL.models, record["job_no"])
        return Lease(
            job_no=record["job_no"],
            job_id=record["job_id"],
            month=record["month"],
            token=record["lease_token"],
            next_chunk=record["next_chunk"],
            benchmark=Benchmark.model_validate_json(record["spec"]),
            limits=JobLimits.model_validate_json(record["limits"]),
            datasets=tuple(
                DatasetProgress(
                    fingerprint=dataset["fingerprint"],
                    position=dataset["position"],
                    n_rows=dataset["n_rows"],
                    is_read=dataset["is_read"],
                )
                for dataset in datasets
            ),
            models=tuple(facts_of(model) for model in models),
            derivation=record["derivation"],
        )

    async def renew(self, lease: Lease, *, lease_seconds: float) -> None:
        async with self._database.connection() as connection:
            if not await connection.fetchval(SQL.renew, lease.job_no, lease.token, lease_seconds):
                raise LeaseLost

    async def release(self, lease: Lease) -> None:
        async with self._database.connection() as connection:
            await connection.execute(SQL.release, lease.job_no, lease.token)
            await connection.execute(SQL.notify_work)

    async def add(
        self, lease: Lease, stretches: Sequence[Stretch], *, position: str, lease_seconds: float
    ) -> Lease:
        chunks = chunking.chunks_of_stretches(lease, stretches)
        last = stretches[-1]
        try:
            async with self._database.transaction() as connection:
                await connection.copy_records_to_table(
                    "item", columns=ITEM_COLUMNS, records=chunking.items(lease, stretches)
                )
                behind = last.first_row + len(last.rows)
                following = await _add_chunks(
                    connection,
                    lease,
                    chunks,
                    at=(last.dataset_no, position, behind),
                    lease_seconds=lease_seconds,
                )
        except asyncpg.UniqueViolationError:
            # Another holder has stored these very rows.
            raise LeaseLost from None
        for stretch in stretches:
            self._recent.put(
                b"\n".join([item for _, item in stretch.rows]),
                job_no=lease.job_no,
                dataset_no=stretch.dataset_no,
                first_row=stretch.first_row,
                uses=sum(not lease.waits(model_no) for model_no in range(len(lease.models))),
            )
        return following

    async def take_over(self, lease: Lease, dataset_no: int, *, lease_seconds: float) -> TakenOver:
        first_row = lease.datasets[dataset_no].n_rows
        try:
            async with self._database.transaction() as connection:
                source = await connection.fetchrow(deriving.SQL.source, lease.job_no, dataset_no)
                assert source, "a job is kept as long as others are derived from it"
                if first_row > source["n_rows"]:
                    # An earlier holder took over everything, and has read on from there.
                    return TakenOver(lease=lease, is_last=True, is_whole=False)
                end_row = min(first_row + deriving.SLAB_ROWS, source["n_rows"])
                is_last = end_row == source["n_rows"]
                is_whole = is_last and (source["is_read"] or lease.derivation == "rescore")
                position = source["position"] if is_last else None
                # Of a job that was stored just now the planner knows nothing.
                rows = deriving.Source(
                    lease, dataset_no, job_no=source["job_no"], month=source["month"]
                )
                chunks = await rows.take_over(connection, first_row, end_row)
                if is_whole:
                    await connection.execute(
                        deriving.SQL.note_source_read, lease.job_no, dataset_no, source["digest"]
                    )
                following = await _add_chunks(
                    connection,
                    lease,
                    chunks,
                    at=(dataset_no, position, end_row),
                    lease_seconds=lease_seconds,
                )
                if is_last:
                    name = lease.benchmark.datasets[dataset_no].name
                    told = f"took over {end_row} rows of dataset {name!r}"
                    await job_log.write(connection, lease.job_no, "reading", "info", told)
        except asyncpg.UniqueViolationError:
            raise LeaseLost from None
        datasets = list(following.datasets)
        datasets[dataset_no] = replace(
            datasets[dataset_no], n_rows=end_row, position=position, is_read=is_whole
        )
        following = replace(following, datasets=tuple(datasets))
        return TakenOver(lease=following, is_last=is_last, is_whole=is_whole)

    async def finish_dataset(self, lease: Lease, dataset_no: int) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(SQL.join_by_hash)
            numbered = ""
            # An ordinal may make an id that another row was given: then once more, until all differ.
            while numbered != "UPDATE 0":
                numbered = await connection.execute(
                    SQL.number_equal_rows,
                    lease.job_no,
                    dataset_no,
                    lease.month,
                    timeout=WHOLE_DATASET_SECONDS,
                )
            n_rows: int = await connection.fetchval(
                SQL.dataset_is_read,
                lease.job_no,
                dataset_no,
                lease.month,
                timeout=WHOLE_DATASET_SECONDS,
            )
            # Last in the transaction: who is no holder any more writes nothing.
            if not await connection.fetchval(SQL.holds, lease.job_no, lease.token):
                raise LeaseLost
            name = lease.benchmark.datasets[dataset_no].name
            told = f"read dataset {name!r} to its end: {n_rows} rows"
            await job_log.write(connection, lease.job_no, "reading", "info", told)

    async def finish(self, lease: Lease) -> None:
        async with self._database.transaction() as connection:
            record = await connection.fetchrow(SQL.job_is_read, lease.job_no, lease.token)
            if record is None:
                raise LeaseLost
            if record["is_whole"]:
                await connection.execute(SQL.notify_final)

    async def waiting(self, lease: Lease) -> int:
        async with self._database.connection() as connection:
            # Where both kinds are, chunks that wait for somebody do not hold up what is read for the others.
            count: int = await connection.fetchval(
                SQL.count_waiting, lease.job_no, not lease.has_recorded
            )
            return count

    async def take(self, *, window: int, most: int) -> Sequence[ChunkToSend]:
        taken: list[ChunkToSend] = []
        try:
            async with self._database.transaction() as connection:
                await _give_back(connection, self._unsure)
                await connection.execute(SQL.lock_window)
                taken += await self._take_live(connection, window=window, most=most)
                # Looked at after the live ones: whatever was taken of those is among these jobs.
                jobs_at_work = await connection.fetch(SQL.demand, window)
                taken += await self._take_recorded(
                    connection, jobs_at_work, window=window, most=most
                )
                await _wake(connection, jobs_at_work, {chunk.job_no for chunk in taken})
        except TransientError:
            # The commit may have come through: then these are in flight, and nobody has them.
            self._unsure += taken
            raise
        except asyncio.CancelledError:
            with suppress(TransientError):
                await asyncio.shield(self.give_back([*self._unsure, *taken]))
            raise
        self._unsure = []
        return taken

    async def confirm(self, chunks: Sequence[ChunkToSend]) -> None:
        async with self._database.transaction() as connection:
            for job_no, chunk_nos in _by_job(chunks):
                await connection.execute(SQL.confirm, job_no, chunk_nos)

    async def give_back(self, chunks: Sequence[ChunkToSend]) -> None:
        async with self._database.transaction() as connection:
            await _give_back(connection, chunks)

    async def _take_recorded(
        self,
        connection: Connection,
        records: "Sequence[asyncpg.Record]",
        *,
        window: int,
        most: int,
    ) -> list[ChunkToSend]:
        demands = [
            Demand(
                job_no=record["job_no"],
                workspace=record["workspace"],
                in_flight=record["in_flight"],
                waiting=record["waiting"],
            )
            for record in records
        ]
        taken: list[ChunkToSend] = []
        for job_no, places in share(demands, window=window, most=most).items():
            taken += [
                await self._sending.chunk(connection, job_no, record)
                for record in await connection.fetch(SQL.take, job_no, places)
            ]
        return taken

    async def _take_live(
        self, connection: Connection, *, window: int, most: int
    ) -> list[ChunkToSend]:
        demands = [
            LiveDemand(
                job_no=record["job_no"],
                model_no=record["model_no"],
                workspace=record["workspace"],
                endpoints=frozenset(record["endpoints"]),
                parallelism=record["parallelism"],
                endpoint_parallelism=record["endpoint_parallelism"],
                in_use=record["in_use"],
                chunks_in_flight=record["chunks_in_flight"],
                waiting=record["waiting"],
                chunk_rows=record["chunk_rows"],
            )
            for record in await connection.fetch(SQL.live_demand, LIVE_CHUNKS_COUNTED)
        ]
        taken: list[ChunkToSend] = []
        for allotment in share_calls(demands, window=window, most=most):
            record = await connection.fetchrow(
                SQL.take_live, allotment.job_no, allotment.model_no, allotment.concurrency
            )
            if record is not None:
                taken.append(await self._sending.chunk(connection, allotment.job_no, record))
        return taken


async def _wake(
    connection: Connection, records: "Sequence[asyncpg.Record]", sent: set[int]
) -> None:
    """Jobs of which something is sent now become active, and resumed ones in any case.

    Nothing is asked of the database for the many that are active already.
    """
    waking = sorted(
        record["job_no"]
        for record in records
        if record["status"] == "resuming"
        or (record["status"] != "active" and record["job_no"] in sent)
    )
    if not waking:
        return
    for record in await connection.fetch(SQL.become_active, waking):
        await job_log.write(
            connection, record["job_no"], "dispatching", "info", "began to send its chunks"
        )


async def _add_chunks(
    connection: Connection,
    lease: Lease,
    chunks: Sequence[chunking.ChunkRows],
    *,
    at: tuple[int, str | None, int],
    lease_seconds: float,
) -> Lease:
    """Store them, and how far which dataset was read: its number, the position, and the rows so far."""
    following = lease.next_chunk + len(chunks)
    await connection.copy_records_to_table(
        "chunk", columns=chunking.CHUNK_COLUMNS, records=chunking.records(lease, chunks)
    )
    dataset_no, position, n_rows = at
    await connection.execute(SQL.note_position, lease.job_no, dataset_no, position, n_rows)
    key = (lease.job_no, lease.token, lease.next_chunk)
    if not await connection.fetchval(SQL.fence, *key, following, lease_seconds):
        raise LeaseLost
    await connection.execute(SQL.notify_work)
    return replace(lease, next_chunk=following)


async def _give_back(connection: Connection, chunks: Sequence[ChunkToSend]) -> None:
    for job_no, chunk_nos in _by_job(chunks):
        await connection.execute(SQL.give_back, job_no, chunk_nos)


def _by_job(chunks: Sequence[ChunkToSend]) -> Sequence[tuple[int, list[int]]]:
    """In order, as everybody locks chunks."""
    by_job: dict[int, list[int]] = {}
    for chunk in chunks:
        by_job.setdefault(chunk.job_no, []).append(chunk.chunk_no)
    return sorted(by_job.items())
