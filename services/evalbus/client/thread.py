"""The event loop's thread, seen from code without an event loop."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import ParamSpec, TypeVar

from anyio.from_thread import BlockingPortal

from evalbus.errors import PermanentError

P = ParamSpec("P")
T = TypeVar("T")


class Thread:
    """Runs on the portal's loop, and waits here for what comes of it."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal
        self._is_closed = False

    def close(self) -> None:
        """From now on every call is refused: the loop is about to end."""
        self._is_closed = True

    def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._is_closed:
            raise PermanentError("this client is closed")

        async def run() -> T:
            return await function(*args, **kwargs)

        return self._portal.call(run)

    def iterate(
        self, function: Callable[P, AsyncIterator[T]], *args: P.args, **kwargs: P.kwargs
    ) -> Iterator[T]:
        """Entry by entry; leaving the loop early asks for no further page."""

        async def begin() -> AsyncIterator[T]:
            return function(*args, **kwargs)

        return self.entries(self.call(begin))

    def entries(self, source: AsyncIterator[T]) -> Iterator[T]:
        async def following() -> tuple[T] | None:
            try:
                return (await anext(source),)
            except StopAsyncIteration:
                return None

        while (entry := self.call(following)) is not None:
            yield entry[0]

    def manage(self, manager: AbstractAsyncContextManager[T]) -> AbstractContextManager[T]:
        return self._portal.wrap_async_context_manager(manager)
