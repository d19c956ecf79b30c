"""The connection pool, and what a database error means for whoever waits."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

import asyncpg

from evalbus.errors import TransientError, Unavailable, WrongSettings
from evalbus.logs import get_logger

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

# As text, because the driver's classes take no parameters at run time.
Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

log = get_logger(__name__)

ACQUIRE_SECONDS = 10.0
COMMAND_SECONDS = 120.0
WHOLE_DATASET_SECONDS = 3600.0
"""For the few statements that look at every row of a dataset at once."""
CONNECT_SECONDS = 5.0

# 08 connection, 53 resources, 57P0 shutting down or starting up, 58 its disk, 25006 a replica, 28 and 3D000 it lets
# nobody in: nobody is served now.
AWAY = ("08", "53", "57P0", "58", "25006", "28", "3D000")
# 40 serialization and dead-locks, 55P03 lock not available, 57014 a statement took too long, 0A000 a cached plan
# after a migration: once more.
AGAIN = ("40", "55P03", "57014", "0A000")


@asynccontextmanager
async def explained() -> AsyncGenerator[None]:
    """Turn the driver's errors into ours: away, once more, or a bug that stays what it is."""
    try:
        yield
    except asyncpg.PostgresError as error:
        state: str = error.sqlstate or ""
        if state.startswith(AWAY):
            raise Unavailable(f"the database does not serve now: {error}") from error
        if state.startswith(AGAIN):
            raise TransientError(f"the database gave up the transaction: {error}") from error
        raise
    except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        # A backend killed in the middle shows up as one of these (and COMMIT's outcome is unknown).
        raise Unavailable(f"the connection to the database broke: {error}") from error
    except TimeoutError as error:
        raise Unavailable("the database does not answer in time") from error
    except OSError as error:
        raise Unavailable(f"the database cannot be reached: {error}") from error


def place(url: str) -> str:
    """Host and port for a message; never the password."""
    parts = urlsplit(url)
    if not parts.hostname:
        return "its socket"
    return f"{parts.hostname}:{parts.port or 5432}"


class Database:
    """A pool whose every use has a limit in time; the address is kept for connections outside the pool."""

    def __init__(self, pool: "Pool", url: str, *, acquire_seconds: float = ACQUIRE_SECONDS) -> None:
        self._pool = pool
        self.url = url
        self._acquire_seconds = acquire_seconds

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator["Connection"]:
        """Raises Unavailable, or TransientError for a transaction that lost against another."""
        async with explained(), self._pool.acquire(timeout=self._acquire_seconds) as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator["Connection"]:
        async with self.connection() as connection, connection.transaction():
            yield connection


async def connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    """One connection outside any pool; raises Unavailable, or WrongSettings if the database says no."""
    async with explained():
        try:
            return await asyncpg.connect(
                url, timeout=CONNECT_SECONDS, command_timeout=COMMAND_SECONDS
            )
        except (
            asyncpg.InvalidAuthorizationSpecificationError,
            asyncpg.InvalidCatalogNameError,
            asyncpg.ClientConfigurationError,
            ValueError,
        ) as error:
            raise WrongSettings(f"EVALBUS_DATABASE_URL: {error}") from None


async def wait_for(url: str, *, within_seconds: float) -> None:
    """Return when the database answers; raises Unavailable when the time is over."""
    loop = asyncio.get_running_loop()
    end, delay = loop.time() + within_seconds, 0.1
    while True:
        try:
            connection = await connect(url)
        except Unavailable as error:
            if loop.time() + delay > end:
                raise Unavailable(
                    f"Postgres at {place(url)} did not answer within {within_seconds:g} s: {error}"
                ) from None
            log.warning("database.awaited", at=place(url), error=str(error))
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5.0)
        else:
            await connection.close(timeout=CONNECT_SECONDS)
            return


async def _as_it_is(_connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Nothing of ours outlives its transaction, so a connection goes back without a round trip to clean it."""


@asynccontextmanager
async def open_database(
    url: str,
    *,
    connections: int = 10,
    within_seconds: float = 60.0,
    acquire_seconds: float = ACQUIRE_SECONDS,
) -> AsyncGenerator[Database]:
    """A pool, once the database answers; raises Unavailable or WrongSettings."""
    await wait_for(url, within_seconds=within_seconds)
    async with explained():
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=connections,
            timeout=CONNECT_SECONDS,
            command_timeout=COMMAND_SECONDS,
            server_settings={"application_name": "evalbus"},
            reset=_as_it_is,
        )
    try:
        yield Database(pool, url, acquire_seconds=acquire_seconds)
    finally:
        try:
            await asyncio.wait_for(pool.close(), timeout=CONNECT_SECONDS)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pool.terminate()
