"""Reading and dispatching in Postgres: leases with a fence, rows stored in stretches, a window filled fairly."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

import asyncpg

from evalbus.errors import TransientError
from evalbus.store.base import (
    ChunkToSend,
    DatasetProgress,
    JobLimits,
    Lease,
    LeaseLost,
    Stretch,
)
from evalbus.store.fairness import Demand, share
from evalbus.store.postgres import events, jobs
from evalbus.store.postgres.database import WHOLE_DATASET_SECONDS, Connection, Database
from evalbus.store.postgres.recent_lines import RecentLines
from evalbus.store.postgres.sql import load
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.chunks import Plan

SQL = load("dispatch.sql")

ITEM_COLUMNS = ("month", "job_no", "dataset_no", "row_index", "row_id", "item")
CHUNK_COLUMNS = ("job_no", "chunk_no", "dataset_no", "model_no", "first_row", "n_rows")

JOBS_REMEMBERED = 1024


@dataclass(frozen=True, kw_only=True)
class _JobToSend:
    job_id: UUID
    name: str
    workspace: str
    month: date
    limits: JobLimits
    datasets: tuple[str, ...]
    plans: tuple[Plan, ...]
    """One for each model."""


class PostgresDispatch:
    """Remembers what never changes of the jobs it sends chunks of, and chunks that it may have taken or not."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._jobs: dict[int, _JobToSend] = {}
        self._unsure: list[ChunkToSend] = []
        self._recent = RecentLines()

    async def claim(self, *, lease_seconds: float) -> Lease | None:
        async with self._database.transaction() as connection:
            record = await connection.fetchrow(SQL.claim, lease_seconds)
            if record is None:
                return None
            if record["is_first"]:
                job = await jobs.job_by_no(connection, record["job_no"])
                await events.put(connection, "started", events.event_of(job))
            datasets = await connection.fetch(SQL.datasets, record["job_no"])
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
        n_models = len(lease.benchmark.models)
        following = lease.next_chunk + n_models * len(stretches)
        last = stretches[-1]
        try:
            async with self._database.transaction() as connection:
                await connection.copy_records_to_table(
                    "item", columns=ITEM_COLUMNS, records=_items(lease, stretches)
                )
                await connection.copy_records_to_table(
                    "chunk", columns=CHUNK_COLUMNS, records=_chunks(lease, stretches)
                )
                await connection.execute(
                    SQL.note_position,
                    lease.job_no,
                    last.dataset_no,
                    position,
                    last.first_row + len(last.rows),
                )
                if not await connection.fetchval(
                    SQL.fence,
                    lease.job_no,
                    lease.token,
                    lease.next_chunk,
                    following,
                    lease_seconds,
                ):
                    raise LeaseLost
                await connection.execute(SQL.notify_work)
        except asyncpg.UniqueViolationError:
            # Another holder has stored these very rows.
            raise LeaseLost from None
        for stretch in stretches:
            self._recent.put(
                b"\n".join([item for _, item in stretch.rows]),
                job_no=lease.job_no,
                dataset_no=stretch.dataset_no,
                first_row=stretch.first_row,
                uses=n_models,
            )
        return replace(lease, next_chunk=following)

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
            await connection.execute(SQL.dataset_is_read, lease.job_no, dataset_no)
            # Last in the transaction: who is no holder any more writes nothing.
            if not await connection.fetchval(SQL.holds, lease.job_no, lease.token):
                raise LeaseLost

    async def finish(self, lease: Lease) -> None:
        async with self._database.transaction() as connection:
            record = await connection.fetchrow(
                SQL.job_is_read, lease.job_no, lease.token, len(lease.benchmark.models)
            )
            if record is None:
                raise LeaseLost
            if record["is_whole"]:
                await connection.execute(SQL.notify_final)

    async def waiting(self, lease: Lease) -> int:
        async with self._database.connection() as connection:
            count: int = await connection.fetchval(SQL.count_waiting, lease.job_no)
            return count

    async def take(self, *, window: int, most: int) -> Sequence[ChunkToSend]:
        taken: list[ChunkToSend] = []
        try:
            async with self._database.transaction() as connection:
                await _give_back(connection, self._unsure)
                await connection.execute(SQL.lock_window)
                demands = [
                    Demand(
                        job_no=record["job_no"],
                        workspace=record["workspace"],
                        in_flight=record["in_flight"],
                        waiting=record["waiting"],
                    )
                    for record in await connection.fetch(SQL.demand, window)
                ]
                for job_no, places in share(demands, window=window, most=most).items():
                    taken += [
                        await self._to_send(connection, job_no, record)
                        for record in await connection.fetch(SQL.take, job_no, places)
                    ]
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

    async def _to_send(
        self, connection: Connection, job_no: int, record: "asyncpg.Record"
    ) -> ChunkToSend:
        job = await self._job(connection, job_no)
        dataset_no: int = record["dataset_no"]
        model_no: int = record["model_no"]
        first_row: int = record["first_row"]
        n_rows: int = record["n_rows"]
        lines = self._recent.take(job_no=job_no, dataset_no=dataset_no, first_row=first_row)
        if lines is None:
            lines = await connection.fetchval(
                SQL.lines, job_no, dataset_no, job.month, first_row, n_rows
            )
        return ChunkToSend(
            job_no=job_no,
            job_id=job.job_id,
            job=job.name,
            workspace=job.workspace,
            plan=job.plans[model_no],
            limits=job.limits,
            chunk_no=record["chunk_no"],
            dataset=job.datasets[dataset_no],
            first_row=first_row,
            n_rows=n_rows,
            lines=lines,
        )

    async def _job(self, connection: Connection, job_no: int) -> _JobToSend:
        if job := self._jobs.get(job_no):
            return job
        record = await connection.fetchrow(SQL.job_to_send, job_no)
        assert record, "its chunks were taken a moment ago"
        if len(self._jobs) >= JOBS_REMEMBERED:
            self._jobs.clear()
        benchmark = Benchmark.model_validate_json(record["spec"])
        job = self._jobs[job_no] = _JobToSend(
            job_id=record["job_id"],
            name=record["name"],
            workspace=record["workspace"],
            month=record["month"],
            limits=JobLimits.model_validate_json(record["limits"]),
            datasets=tuple(dataset.name for dataset in benchmark.datasets),
            plans=tuple(Plan(model=model, metrics=benchmark.metrics) for model in benchmark.models),
        )
        return job


async def _give_back(connection: Connection, chunks: Sequence[ChunkToSend]) -> None:
    for job_no, chunk_nos in _by_job(chunks):
        await connection.execute(SQL.give_back, job_no, chunk_nos)


def _by_job(chunks: Sequence[ChunkToSend]) -> Sequence[tuple[int, list[int]]]:
    """In order, as everybody locks chunks."""
    by_job: dict[int, list[int]] = {}
    for chunk in chunks:
        by_job.setdefault(chunk.job_no, []).append(chunk.chunk_no)
    return sorted(by_job.items())


def _items(lease: Lease, stretches: Sequence[Stretch]) -> "list[tuple[object, ...]]":
    return [
        (lease.month, lease.job_no, stretch.dataset_no, row_index, row_id, item.decode())
        for stretch in stretches
        for row_index, (row_id, item) in enumerate(stretch.rows, stretch.first_row)
    ]


def _chunks(lease: Lease, stretches: Sequence[Stretch]) -> "list[tuple[object, ...]]":
    """Every model in turn for each stretch, so that all of them advance together."""
    pairs = [
        (stretch, model_no)
        for stretch in stretches
        for model_no in range(len(lease.benchmark.models))
    ]
    return [
        (
            lease.job_no,
            chunk_no,
            stretch.dataset_no,
            model_no,
            stretch.first_row,
            len(stretch.rows),
        )
        for chunk_no, (stretch, model_no) in enumerate(pairs, lease.next_chunk)
    ]
