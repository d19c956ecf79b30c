"""Waking up on NOTIFY: one listening connection for a whole process."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import get_args

import asyncpg

from evalbus.errors import Unavailable, WrongSettings
from evalbus.logs import get_logger
from evalbus.store.ports import Topic, Watcher
from evalbus.store.postgres import database

log = get_logger(__name__)

RECONNECT_SECONDS = 1.0


class EventWatcher:
    """Remembers that something happened until somebody has waited for it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake(self) -> None:
        self._event.set()

    async def wait(self, timeout_seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._event.wait()
        self._event.clear()


class PostgresChanges:
    """Watchers by topic; a lost connection wakes them all, because notifications may have been lost with it."""

    def __init__(self) -> None:
        self._watchers: dict[str, list[EventWatcher]] = {topic: [] for topic in get_args(Topic)}

    def watch(self, topic: Topic) -> Watcher:
        watcher = EventWatcher()
        self._watchers[topic].append(watcher)
        return watcher

    @contextmanager
    def watching(self, topic: Topic) -> Generator[Watcher]:
        watcher = EventWatcher()
        self._watchers[topic].append(watcher)
        try:
            yield watcher
        finally:
            self._watchers[topic].remove(watcher)

    def heard(self, _connection: object, _pid: int, channel: str, _payload: object) -> None:
        for watcher in self._watchers[channel.removeprefix("evalbus_")]:
            watcher.wake()

    def wake_all(self) -> None:
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.wake()

    async def listen(self, url: str) -> None:
        """For ever; whoever watches polls as well, so an outage only makes waking slower."""
        while True:
            try:
                connection = await database.connect(url)
            except (Unavailable, WrongSettings) as error:
                log.warning("changes.deaf", error=str(error))
            else:
                try:
                    await self._listen(connection)
                except (Unavailable, asyncpg.PostgresError) as error:
                    log.warning("changes.deaf", error=str(error))
                finally:
                    connection.terminate()
            self.wake_all()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        closed = asyncio.Event()
        connection.add_termination_listener(lambda _: closed.set())
        async with database.explained():
            for topic in self._watchers:
                await connection.add_listener(f"evalbus_{topic}", self.heard)
        self.wake_all()
        await closed.wait()


@asynccontextmanager
async def open_changes(url: str) -> AsyncGenerator[PostgresChanges]:
    changes = PostgresChanges()
    task = asyncio.create_task(changes.listen(url), name="changes")
    try:
        yield changes
    finally:
        task.cancel()
        # Not awaited itself: its cancellation would hide the caller's own.
        await asyncio.wait([task])
