"""The same work is done once at a time, however many ask for it."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Holds what is being done, by its name."""

    def __init__(self) -> None:
        self._in_flight: dict[Hashable, asyncio.Future[T]] = {}

    async def do(self, name: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """The outcome of `work`, or of whoever began the same before and is still at it.

        Where that one fails or is cut off, the next one does the work itself: its reasons may be its own.
        """
        while (first := self._in_flight.get(name)) is not None:
            await asyncio.wait([first])
            if not first.cancelled():
                return first.result()
        flight = self._in_flight[name] = asyncio.get_running_loop().create_future()
        try:
            outcome = await work()
            flight.set_result(outcome)
        finally:
            del self._in_flight[name]
            flight.cancel()
        return outcome
