"""Messages that were set aside, for whoever wants to know why."""

from collections.abc import AsyncIterator

from evalbus.client.calls import Calls
from evalbus.client.pages import entries, pages
from evalbus.client.parameters import parameters
from evalbus_schemas.queries import (
    DeadLetter,
    DeadLetterNamed,
    DeadLetterPage,
    DeadLetterShown,
    ListDeadLetters,
)


class DeadLetters:
    """`client.dlq`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def list(
        self, *, queue: str | None = None, limit: int | None = None
    ) -> AsyncIterator[DeadLetter]:
        """Newest first, of one queue or of all."""

        async def ask(after: str | None, count: int) -> DeadLetterPage:
            wanted: dict[str, object] = {"queue": queue, "after": after, "limit": count}
            return await self._calls.call(
                "dlq.list", parameters(ListDeadLetters, wanted), DeadLetterPage
            )

        found = pages(
            ask, count=lambda p: len(p.dead_letters), cursor=lambda p: p.next, limit=limit
        )
        async for each in entries(found, lambda page: page.dead_letters):
            yield each

    async def show(self, id: int) -> DeadLetterShown:
        """One of them with its body; raises NotFound."""
        named = parameters(DeadLetterNamed, {"id": id})
        return await self._calls.call("dlq.show", named, DeadLetterShown)
