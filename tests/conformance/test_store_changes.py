"""Whoever waits is woken when there is something to do, and soon again after the connection was lost."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from uuid import uuid4

import pytest

from evalbus.store.ports import Changes, Topic, Watcher
from evalbus.store.postgres import open_changes
from tests.builders import a_new_job, an_event
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres

LONG = 20.0
SHORT = 0.3

LISTENERS = """
    SELECT count(pg_terminate_backend(pid))
    FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'LISTEN %'
"""


@pytest.fixture
async def changes(stores: Stores, database_url: str) -> AsyncGenerator[Changes]:
    async with open_changes(database_url) as opened:
        # It wakes everybody once, when it has begun to listen.
        assert await woken(opened.watch("work"))
        yield opened


async def woken(watcher: Watcher, within_seconds: float = LONG) -> bool:
    """Woken by something, not by the end of the wait."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within_seconds
    await watcher.wait(within_seconds)
    return loop.time() < end


async def created(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="first"))


async def read(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=3)


async def scored(stores: Stores) -> None:
    await read(stores)
    (sent,) = await stores.take()
    await stores.keep(sent)


async def cancelled(stores: Stores) -> None:
    await created(stores)
    await stores.jobs.cancel("default", "first")


async def rejected(stores: Stores) -> None:
    await stores.events.add("rejected", an_event(), id=str(uuid4()))


async def whole_without_rows(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=0)


Deed = Callable[[Stores], Awaitable[None]]


@pytest.mark.parametrize(
    ("topic", "deed"),
    [
        ("work", created),
        ("work", read),
        ("final", scored),
        ("final", whole_without_rows),
        ("events", rejected),
        ("events", cancelled),
        ("jobs", cancelled),
    ],
)
async def test_whoever_watches_is_woken(
    stores: Stores, changes: Changes, topic: Topic, deed: Deed
) -> None:
    watcher = changes.watch(topic)
    waiting = asyncio.create_task(woken(watcher))

    await deed(stores)

    assert await waiting


async def test_keeping_a_chunk_tells_that_there_is_a_place_in_the_window(
    stores: Stores, changes: Changes
) -> None:
    await stores.a_job_read(a_new_job(), rows=6)
    taken = await stores.take()
    watcher = changes.watch("work")
    while await woken(watcher, SHORT):
        pass

    await stores.keep(taken[0])

    assert await woken(watcher)


async def test_what_happened_before_the_wait_is_not_missed(
    stores: Stores, changes: Changes
) -> None:
    watcher, other = changes.watch("work"), changes.watch("work")
    await created(stores)
    assert await woken(other)

    assert await woken(watcher)


async def test_a_wait_ends_without_anything_having_happened(changes: Changes) -> None:
    watcher = changes.watch("final")

    assert not await woken(watcher, 0.05)


async def test_watching_ends_with_its_context(stores: Stores, changes: Changes) -> None:
    with changes.watching("work") as watcher:
        await created(stores)
        assert await woken(watcher)

    assert not await woken(watcher, SHORT)


async def test_a_killed_listening_connection_comes_back_and_wakes_everybody(
    stores: Stores, changes: Changes
) -> None:
    watcher = changes.watch("final")

    assert await stores.value(LISTENERS) == 1

    assert await woken(watcher)
    # It listens again as soon as it answers with more than the waking of the loss itself.
    async with asyncio.timeout(LONG):
        while not await stores.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'"
        ):
            await watcher.wait(0.05)
    while await woken(watcher, SHORT):
        pass
    await scored(stores)
    assert await woken(watcher)
