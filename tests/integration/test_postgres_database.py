"""What a database that is away, full, busy or wrong means for whoever waits for it."""

import asyncio
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

import pytest

from evalbus.errors import TransientError, Unavailable, WrongSettings
from evalbus.store.postgres import Database, open_database, wait_for
from tests.servers.ports import free_ports
from tests.servers.postgres import PostgresServer


@pytest.fixture
async def opened(database_url: str) -> AsyncGenerator[Database]:
    async with open_database(database_url, connections=2) as database:
        yield database


async def test_a_server_that_is_not_there_is_unavailable_when_the_time_is_over() -> None:
    (port,) = free_ports(1)

    with pytest.raises(Unavailable, match=f"127.0.0.1:{port} did not answer within 0.3 s"):
        await wait_for(f"postgresql://nobody:secret@127.0.0.1:{port}/none", within_seconds=0.3)


async def test_a_password_is_in_no_message() -> None:
    (port,) = free_ports(1)

    with pytest.raises(Unavailable) as raised:
        await wait_for(f"postgresql://nobody:secret@127.0.0.1:{port}/none", within_seconds=0)

    assert "secret" not in str(raised.value)


async def test_a_server_that_comes_up_is_waited_for(own_postgres_server: PostgresServer) -> None:
    await asyncio.to_thread(own_postgres_server.stop)
    waiting = asyncio.create_task(wait_for(own_postgres_server.url, within_seconds=60))

    await asyncio.to_thread(own_postgres_server.start)

    await waiting


@pytest.mark.parametrize("path", ["/no-such-database", "/"])
async def test_a_database_that_does_not_exist_is_a_wrong_setting(
    database_url: str, path: str
) -> None:
    parts = urlsplit(database_url)
    user = "nobody@" if path == "/" else f"{parts.username}@"

    with pytest.raises(WrongSettings, match="EVALBUS_DATABASE_URL"):
        await wait_for(f"postgresql://{user}{parts.hostname}:{parts.port}{path}", within_seconds=5)


async def test_what_is_no_url_is_a_wrong_setting() -> None:
    with pytest.raises(WrongSettings, match="EVALBUS_DATABASE_URL"):
        await wait_for("mysql://somewhere", within_seconds=5)


async def test_waiting_for_a_connection_has_a_limit(database_url: str) -> None:
    async with (
        open_database(database_url, connections=1, acquire_seconds=0.1) as database,
        database.connection(),
    ):
        with pytest.raises(Unavailable, match="in time"):
            async with database.connection():
                raise AssertionError("there is only one")


async def test_of_two_that_wait_for_each_other_one_is_told_to_try_again(
    opened: Database,
) -> None:
    async with opened.connection() as connection:
        await connection.execute("CREATE TABLE thing (id int PRIMARY KEY, n int DEFAULT 0)")
        await connection.execute("INSERT INTO thing VALUES (1), (2)")
    both_hold_one = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        async with opened.transaction() as connection:
            await connection.execute("UPDATE thing SET n = n + 1 WHERE id = $1", first)
            await both_hold_one.wait()
            await connection.execute("UPDATE thing SET n = n + 1 WHERE id = $1", second)

    outcomes = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)

    assert sorted(str(type(outcome)) for outcome in outcomes) == sorted(
        [str(type(None)), str(TransientError)]
    )


async def is_served(database: Database) -> None:
    """Half a minute at most: what serves a connection sees a little later that its server is gone."""
    async with asyncio.timeout(30):
        while True:
            async with database.connection() as connection:
                await connection.fetchval("SELECT 1")


async def test_a_server_that_went_away_and_came_back_serves_the_same_pool(
    own_postgres_server: PostgresServer,
) -> None:
    async with open_database(own_postgres_server.url, connections=3) as database:
        async with database.connection() as connection:
            assert await connection.fetchval("SELECT 1") == 1

        await asyncio.to_thread(own_postgres_server.kill9)
        with pytest.raises(Unavailable):
            await is_served(database)
        await asyncio.to_thread(own_postgres_server.start)

        async with database.connection() as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_a_connection_that_was_cut_off_in_a_transaction_comes_back_clean(
    opened: Database,
) -> None:
    async def holds_a_lock() -> None:
        async with opened.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(1)")
            await connection.execute("SELECT pg_sleep(60)")

    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await holds_a_lock()

    async with opened.connection() as one, opened.connection() as other:
        assert await one.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
        assert await other.fetchval("SELECT pg_current_xact_id_if_assigned() IS NULL")
