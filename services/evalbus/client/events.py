"""Lifecycle events: those that were kept, and those that come."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from evalbus.bus.base import Message
from evalbus.bus.codec import parse_json
from evalbus.client.calls import Calls
from evalbus.client.pages import PAGE_SIZE
from evalbus.client.parameters import parameters
from evalbus.client.session import Session
from evalbus.errors import Malformed
from evalbus_schemas.events import BenchmarkEvent
from evalbus_schemas.queries import EventPage, ListEvents, StoredEvent


class Events:
    """`client.events`."""

    def __init__(self, calls: Calls, workspace: str, session: Session) -> None:
        self._calls = calls
        self._workspace = workspace
        self._session = session

    async def list(self, *, after: int = 0, limit: int | None = None) -> AsyncIterator[StoredEvent]:
        """What was kept after that sequence number, oldest first."""
        left = limit
        while left is None or left > 0:
            count = PAGE_SIZE if left is None else min(left, PAGE_SIZE)
            wanted: dict[str, object] = {
                "workspace": self._workspace,
                "after": after,
                "limit": count,
            }
            page = await self._calls.call("events.list", parameters(ListEvents, wanted), EventPage)
            for each in page.events:
                yield each
            if not page.events:
                return
            after = page.events[-1].event.sequence
            left = None if left is None else left - len(page.events)

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator[AsyncIterator[BenchmarkEvent], None]:
        """Events of the workspace from now on; `list` knows what was missed meanwhile."""
        bus = await self._session.bus()
        async with bus.listen(f"benchmark.*.{self._workspace}") as messages:
            yield _parsed(messages)


async def _parsed(messages: AsyncIterator[Message]) -> AsyncIterator[BenchmarkEvent]:
    async for message in messages:
        try:
            yield parse_json(message.body, BenchmarkEvent)
        except Malformed:
            # An exchange is open to others; what is no event of ours is none of this listener's business.
            continue
