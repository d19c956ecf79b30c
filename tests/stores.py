"""The store on a test's database, and the steps of a job that a test is not about."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from evalbus.metrics import layout_of
from evalbus.results.aggregates import aggregate
from evalbus.store.ports import (
    AnswerStore,
    CatalogueStore,
    ChunkToSend,
    ComparisonStore,
    DatapointStore,
    DeadLetterStore,
    DispatchStore,
    EventStore,
    ExplainingStore,
    ExportStore,
    FinalStore,
    JobStore,
    Kept,
    Lease,
    NewJob,
    ResultStore,
    RowStore,
    ScoreStore,
    Stretch,
    UpkeepStore,
    UploadStore,
)
from evalbus.store.postgres import (
    Database,
    PostgresAnswers,
    PostgresCatalogue,
    PostgresComparisons,
    PostgresDatapoints,
    PostgresDeadLetters,
    PostgresDispatch,
    PostgresEvents,
    PostgresExplaining,
    PostgresExports,
    PostgresFinals,
    PostgresJobs,
    PostgresResults,
    PostgresRows,
    PostgresScores,
    PostgresUpkeep,
    PostgresUploads,
    open_database,
)
from evalbus_schemas.jobs import Job
from evalbus_schemas.queries import ListRows, Row
from tests.builders import a_scored_chunk, samples_of, stretches

LEASE_SECONDS = 30.0
WINDOW = 64


@dataclass(frozen=True, kw_only=True)
class Stores:
    """Every port on one database, which a test may also ask itself."""

    database: Database
    jobs: JobStore
    dispatch: DispatchStore
    scores: ScoreStore
    finals: FinalStore
    results: ResultStore
    comparisons: ComparisonStore
    rows: RowStore
    explaining: ExplainingStore
    datapoints: DatapointStore
    events: EventStore
    dead_letters: DeadLetterStore
    answers: AnswerStore
    upkeep: UpkeepStore
    catalogue: CatalogueStore
    uploads: UploadStore
    exports: ExportStore

    async def claim(self, *, lease_seconds: float = LEASE_SECONDS) -> Lease:
        lease = await self.dispatch.claim(lease_seconds=lease_seconds)
        assert lease is not None, "a job waits to be read"
        return lease

    async def add(self, lease: Lease, *added: Stretch, position: str = "somewhere") -> Lease:
        return await self.dispatch.add(lease, added, position=position, lease_seconds=LEASE_SECONDS)

    async def a_job_read(
        self,
        new: NewJob,
        *,
        rows: int = 6,
        in_chunks_of: int = 3,
        items: Sequence[bytes] | None = None,
        slices: Sequence[int] = (),
    ) -> tuple[Job, Lease]:
        """Every dataset has so many rows, or these items, and every one of them is stored."""
        job, _ = await self.jobs.create(new)
        lease = await self.claim()
        assert lease.job_id == job.job_id, "no other job waits to be read"
        for dataset_no in range(len(lease.benchmark.datasets)):
            whole = stretches(
                of_rows=len(items or range(rows)),
                in_chunks_of=in_chunks_of,
                dataset_no=dataset_no,
                items=items,
                slices=slices,
            )
            for first in range(0, len(whole), 50):
                lease = await self.add(lease, *whole[first : first + 50])
            await self.dispatch.finish_dataset(lease, dataset_no)
        await self.dispatch.finish(lease)
        return job, lease

    async def take(self, *, window: int = WINDOW, most: int = WINDOW) -> Sequence[ChunkToSend]:
        return await self.dispatch.take(window=window, most=most)

    async def keep(self, sent: ChunkToSend) -> Kept:
        """Scored without a fault."""
        scored = a_scored_chunk(sent)
        return await self.scores.keep(scored, samples_of(scored))

    async def score_all(self) -> None:
        """Until nothing waits any more."""
        while taken := await self.take():
            for sent in taken:
                await self.keep(sent)

    async def finalize(self) -> str | None:
        return await self.finals.finalize_next(aggregate)

    async def a_completed_job(self, new: NewJob, *, rows: int = 6, in_chunks_of: int = 3) -> Job:
        job, _ = await self.a_job_read(new, rows=rows, in_chunks_of=in_chunks_of)
        await self.score_all()
        assert await self.finalize() == job.name
        return await self.jobs.job(job.workspace, job.name)

    async def take_over(self) -> Lease:
        """Every dataset of the source job, as a producer does; nothing of them is left to read."""
        lease = await self.claim()
        for dataset_no in range(len(lease.datasets)):
            while True:
                taken = await self.dispatch.take_over(
                    lease, dataset_no, lease_seconds=LEASE_SECONDS
                )
                lease = taken.lease
                if taken.is_last:
                    assert taken.is_whole
                    break
        await self.dispatch.finish(lease)
        return lease

    async def all_rows(self, job: Job, *, page_size: int = 1000) -> list[Row]:
        rows: list[Row] = []
        after: str | None = None
        while True:
            page = await self.rows.list(
                ListRows(job=job.name, workspace=job.workspace, limit=page_size, after=after)
            )
            rows += page.rows
            if page.next is None:
                return rows
            after = page.next

    async def value(self, query: str, *arguments: object) -> object:
        """Straight from the database."""
        async with self.database.connection() as connection:
            found: object = await connection.fetchval(query, *arguments)
            return found


@asynccontextmanager
async def open_stores(database_url: str, *, connections: int = 10) -> AsyncGenerator[Stores]:
    async with open_database(database_url, connections=connections) as database:
        yield Stores(
            database=database,
            jobs=PostgresJobs(database),
            dispatch=PostgresDispatch(database),
            scores=PostgresScores(database, layout_of),
            finals=PostgresFinals(database, layout_of),
            results=PostgresResults(database),
            comparisons=PostgresComparisons(database, layout_of),
            rows=PostgresRows(database, layout_of),
            explaining=PostgresExplaining(database, layout_of),
            datapoints=PostgresDatapoints(database, layout_of),
            events=PostgresEvents(database),
            dead_letters=PostgresDeadLetters(database),
            answers=PostgresAnswers(database),
            upkeep=PostgresUpkeep(database),
            catalogue=PostgresCatalogue(database),
            uploads=PostgresUploads(database),
            exports=PostgresExports(database),
        )
