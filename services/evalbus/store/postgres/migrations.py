"""Bring a database to the schema of this version: numbered files, each applied once, in dbmate's format and table."""

import asyncio
import re
from importlib.resources import files
from typing import TYPE_CHECKING

import asyncpg

from evalbus.errors import Unavailable
from evalbus.logs import get_logger
from evalbus.store.postgres import database

if TYPE_CHECKING:
    from evalbus.store.postgres.database import Connection

log = get_logger(__name__)

# Polled, because a connection that waits in pg_advisory_lock holds a snapshot that dead-locks with CONCURRENTLY.
LOCK = 7_301_245_001
LOCK_SECONDS = 120.0

VERSION = re.compile(r"^(\d+)_\w+\.sql$")
UP = re.compile(r"-- migrate:up\n(.*?)(?:-- migrate:down|\Z)", re.DOTALL)


def known() -> dict[str, str]:
    """Version → SQL, in order."""
    folder = files("evalbus_schemas").joinpath("migrations")
    found: dict[str, str] = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if match := VERSION.match(file.name):
            sections = UP.search(file.read_text("utf-8"))
            assert sections, f"{file.name} has no migrate:up section"
            found[match[1]] = sections[1]
    return found


async def pending_versions(opened: database.Database) -> list[str]:
    """What `migrate` would apply."""
    async with opened.connection() as connection:
        return await _pending(connection)


async def _pending(connection: "Connection | asyncpg.Connection[asyncpg.Record]") -> list[str]:
    if await connection.fetchval("SELECT to_regclass('schema_migrations')") is None:
        return list(known())
    rows = await connection.fetch("SELECT version FROM schema_migrations")
    applied = {row["version"] for row in rows}
    return [version for version in known() if version not in applied]


async def migrate(database_url: str) -> list[str]:
    """Apply what is pending and prepare this month's partitions; the versions applied.

    Any number of processes may do so at once. Raises Unavailable or WrongSettings.
    """
    connection = await database.connect(database_url)
    try:
        async with database.explained():
            await _lock(connection)
            try:
                return await _apply(connection)
            finally:
                await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)
    finally:
        await connection.close(timeout=database.CONNECT_SECONDS)


async def _lock(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    end = asyncio.get_running_loop().time() + LOCK_SECONDS
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        if asyncio.get_running_loop().time() > end:
            raise Unavailable("another process has been migrating the database for too long")
        await asyncio.sleep(0.05)


async def _apply(connection: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (version varchar(128) PRIMARY KEY)"
    )
    todo = await _pending(connection)
    for version in todo:
        async with connection.transaction():
            await connection.execute(known()[version])
            await connection.execute("INSERT INTO schema_migrations VALUES ($1)", version)
        log.info("database.migrated", version=version)
    await connection.execute(
        "SELECT evalbus_ensure_partition(date_trunc('month', now())::date),"
        " evalbus_ensure_partition((date_trunc('month', now()) + interval '1 month')::date)"
    )
    return todo
