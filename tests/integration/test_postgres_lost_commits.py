"""A commit that came through although nobody was told so: whoever does it again finds it done, and no harm is done.

A server that waits for a standby that does not exist has committed when its connection is killed in that wait.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest

from evalbus.errors import Unavailable
from evalbus.store.ports import LeaseLost
from evalbus.store.postgres import migrate
from evalbus_schemas.jobs import JobStatus
from evalbus_schemas.queries import GetResult
from tests.builders import a_letter, a_new_job, a_stretch, an_event
from tests.servers.postgres import Databases, PostgresServer, available_postgres
from tests.stores import Stores, open_stores

LIMIT_SECONDS = 120.0

KILL_WHO_WAITS = """
    SELECT count(pg_terminate_backend(pid))
    FROM pg_stat_activity
    WHERE wait_event = 'SyncRep' AND datname = current_database()
"""


@pytest.fixture(scope="module", params=list(available_postgres()))
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PostgresServer]:
    """One that can be told to wait for a standby."""
    version: str = request.param
    made = PostgresServer(
        tmp_path_factory.mktemp("postgres"),
        available_postgres()[version],
        settings={"wal_level": "replica", "max_wal_senders": "2"},
    )
    made.start()
    yield made
    made.stop()


async def _migrate(database_url: str) -> None:
    await migrate(database_url)


@pytest.fixture
def database_url(server: PostgresServer) -> Iterator[str]:
    databases = Databases(server.url, _migrate)
    url = databases.make()
    yield url
    databases.drop(url)
    databases.forget()


@asynccontextmanager
async def commits_that_wait(
    database_url: str,
) -> AsyncGenerator["asyncpg.Connection[asyncpg.Record]"]:
    """The connection only looks, so it never waits itself."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        await connection.execute("SELECT pg_reload_conf()")
        await fact(connection, "SELECT current_setting('synchronous_standby_names') = 'nobody'")
        yield connection
    finally:
        await connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
        await connection.execute("SELECT pg_reload_conf()")
        await fact(connection, "SELECT current_setting('synchronous_standby_names') = ''")
        await connection.close()


async def fact(connection: "asyncpg.Connection[asyncpg.Record]", query: str) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while not await connection.fetchval(query):
            await connection.execute("SELECT pg_sleep(0.01)")


async def lose_the_commit_of(database_url: str, deed: Callable[[], Awaitable[object]]) -> None:
    """It has happened, and whoever did it only knows that the connection broke."""
    async with commits_that_wait(database_url) as watching:
        doing = asyncio.ensure_future(deed())
        await fact(watching, KILL_WHO_WAITS)
        with pytest.raises(Unavailable):
            await doing


@pytest.fixture
async def stores(database_url: str) -> AsyncGenerator[Stores]:
    async with open_stores(database_url) as opened:
        yield opened


async def test_a_job_is_made_once(stores: Stores, database_url: str) -> None:
    new = a_new_job(name="first")
    await lose_the_commit_of(database_url, lambda: stores.jobs.create(new))

    job, created = await stores.jobs.create(new)

    assert not created
    assert job == await stores.jobs.job("default", "first")


async def test_a_job_that_was_claimed_by_nobody_is_claimed_when_the_lease_ends(
    stores: Stores, database_url: str
) -> None:
    await stores.jobs.create(a_new_job())
    await lose_the_commit_of(database_url, lambda: stores.dispatch.claim(lease_seconds=0))

    lease = await stores.claim()

    assert lease.next_chunk == 0
    assert len(await stores.events.next_unpublished(limit=10)) == 1


async def test_rows_are_stored_once_and_the_next_holder_goes_on_behind_them(
    stores: Stores, database_url: str
) -> None:
    await stores.jobs.create(a_new_job())
    lease = await stores.claim()
    await lose_the_commit_of(database_url, lambda: stores.add(lease, a_stretch(n_rows=3)))

    with pytest.raises(LeaseLost):
        await stores.add(lease, a_stretch(n_rows=3))
    await stores.upkeep.free_leases()

    following = await stores.claim()
    assert (following.next_chunk, following.datasets[0].n_rows) == (1, 3)
    assert await stores.value("SELECT count(*) FROM item") == 3


async def test_chunks_that_were_taken_by_nobody_are_taken_again_at_once(
    stores: Stores, database_url: str
) -> None:
    await stores.a_job_read(a_new_job(), rows=12)
    await lose_the_commit_of(database_url, stores.take)
    in_flight = await stores.value("SELECT count(*) FROM chunk WHERE status = 'sent'")

    taken = await stores.take()

    assert in_flight == 4
    assert [chunk.chunk_no for chunk in taken] == [0, 1, 2, 3]
    assert await stores.take() == []


async def test_a_chunk_counts_once_and_its_job_is_finalized_all_the_same(
    stores: Stores, database_url: str
) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=3)
    (sent,) = await stores.take()
    await lose_the_commit_of(database_url, lambda: stores.keep(sent))

    kept = await stores.keep(sent)

    assert not kept.is_new
    assert (await stores.jobs.job("default", "first")).rows == 3
    assert await stores.finalize() == "first"


async def test_a_result_is_made_once(stores: Stores, database_url: str) -> None:
    await stores.a_job_read(a_new_job(name="first"))
    await stores.score_all()
    await lose_the_commit_of(database_url, stores.finalize)

    again = await stores.finalize()

    assert again is None
    assert (await stores.jobs.job("default", "first")).status is JobStatus.COMPLETED
    assert (await stores.results.result(GetResult(result="first"))).rows == 6
    assert [event.type for event in await stores.events.next_unpublished(limit=10)] == [
        "evalbus.benchmark.started.v1",
        "evalbus.benchmark.completed.v1",
    ]


async def test_a_job_is_cancelled_once(stores: Stores, database_url: str) -> None:
    await stores.jobs.create(a_new_job(name="first"))
    await lose_the_commit_of(database_url, lambda: stores.jobs.cancel("default", "first"))

    job = await stores.jobs.cancel("default", "first")

    assert job.status is JobStatus.CANCELLED
    assert len(await stores.events.next_unpublished(limit=10)) == 1


async def test_events_and_letters_are_kept_once(stores: Stores, database_url: str) -> None:
    event_id = str(uuid4())

    async def keep_both() -> None:
        await stores.events.add("rejected", an_event(), id=event_id)
        await stores.dead_letters.keep(a_letter())

    async def number() -> None:
        await stores.events.next_unpublished(limit=10)

    await lose_the_commit_of(database_url, keep_both)
    await lose_the_commit_of(database_url, keep_both)
    await keep_both()
    await lose_the_commit_of(database_url, number)

    (event,) = await stores.events.next_unpublished(limit=10)
    assert str(event.id) == event_id
    assert await stores.value("SELECT count(*) FROM dead_letter") == 1
