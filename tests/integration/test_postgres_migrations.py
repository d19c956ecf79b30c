"""Any number of processes bring an empty database to the schema of this version, once."""

import asyncio
from collections.abc import AsyncGenerator
from importlib.resources import files
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from evalbus.store.postgres import migrate, open_database, pending_versions
from evalbus.store.postgres.migrations import known
from tests.servers.versions import on_each_postgres

pytestmark = on_each_postgres

OURS = """
    SELECT array_agg(name ORDER BY name)
    FROM (
        SELECT oid::regclass::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL
        SELECT oid::regproc::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    ) AS things
    WHERE name NOT LIKE 'schema_migrations%'
"""


@pytest.fixture
async def empty_url(database_url: str) -> AsyncGenerator[str]:
    """A database beside the test's own, without a table in it."""
    name = f"empty_{uuid4().hex}"
    beside = await asyncpg.connect(database_url)
    await beside.execute(f'CREATE DATABASE "{name}"')
    yield database_url.replace(urlsplit(database_url).path, f"/{name}")
    await beside.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await beside.close()


def versions() -> list[str]:
    folder = files("evalbus_schemas").joinpath("migrations")
    return sorted(file.name.split("_")[0] for file in folder.iterdir() if file.name[0].isdigit())


async def test_many_at_once_apply_every_version_once(empty_url: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_url) for _ in range(5)))

    assert sorted(applied) == [[], [], [], [], versions()]


async def test_what_is_pending_is_known_before_and_after(empty_url: str) -> None:
    async with open_database(empty_url) as database:
        before = await pending_versions(database)
        await migrate(empty_url)
        after = await pending_versions(database)

    assert (before, after) == (versions(), [])


async def test_a_migrated_database_is_left_as_it_is(empty_url: str) -> None:
    await migrate(empty_url)

    assert await migrate(empty_url) == []


async def test_a_job_with_an_escaped_nul_in_its_benchmark_does_not_stop_a_migration(
    empty_url: str,
) -> None:
    connection = await asyncpg.connect(empty_url)
    before = [version for version in known() if version < "0003"]
    for version in before:
        await connection.execute(known()[version])
    await connection.execute(
        r"""
        INSERT INTO job (
            job_id, workspace, name, benchmark, month, spec, limits, labels, idempotency_key, content_hash, status
        )
        VALUES (
            gen_random_uuid(), 'default', 'old', 'old', '2026-01-01',
            '{"models": [{"name": "a\u0000"}, {"name": "b\\u0000"}]}', '{}', '{}', 'key', '', 'completed'
        )
        """
    )
    await connection.execute("CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY)")
    await connection.executemany(
        "INSERT INTO schema_migrations VALUES ($1)", [(version,) for version in before]
    )

    await migrate(empty_url)

    assert await connection.fetchval("SELECT count(*) FROM job_model") == 2
    await connection.close()


async def test_the_way_down_leaves_nothing_behind(empty_url: str) -> None:
    await migrate(empty_url)
    folder = files("evalbus_schemas").joinpath("migrations")
    connection = await asyncpg.connect(empty_url)
    migrated = await connection.fetchval(OURS)

    for file in sorted(folder.iterdir(), key=lambda file: file.name, reverse=True):
        if file.name.endswith(".sql"):
            await connection.execute(file.read_text("utf-8").split("-- migrate:down")[1])

    left = await connection.fetchval(OURS)
    await connection.close()
    assert migrated
    assert left is None
