"""A bus that is opened at the first question and closed by whoever comes last, from whatever task."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from evalbus.bus.base import Bus
from evalbus.errors import PermanentError

BusOpener = Callable[[], AbstractAsyncContextManager[Bus]]


class Session:
    """Holds the bus open between `bus()` and `close()`; closing is safe twice and before the first use."""

    def __init__(self, opener: BusOpener) -> None:
        self._opener = opener
        self._keeper: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[Bus] | None = None
        self._closing = asyncio.Event()
        self._is_closed = False

    async def bus(self) -> Bus:
        """The open bus; raises what opening it raised, and tries again at the next call."""
        if self._is_closed:
            raise PermanentError("this client is closed")
        if self._opened is None:
            self._opened = asyncio.get_running_loop().create_future()
            # A task of its own and not the caller's TaskGroup: the bus outlives the call that opened it, and what
            # a task enters only that task may leave.
            self._keeper = asyncio.create_task(self._keep(self._opened), name="evalbus client")
        return await asyncio.shield(self._opened)

    async def close(self) -> None:
        self._is_closed = True
        self._closing.set()
        if self._keeper is None:
            return
        if self._opened is not None and not self._opened.done():
            self._keeper.cancel()
        # Not awaited itself: its cancellation would hide the caller's own.
        await asyncio.wait([self._keeper])
        if not self._keeper.cancelled():
            self._keeper.result()

    async def _keep(self, opened: "asyncio.Future[Bus]") -> None:
        try:
            async with self._opener() as bus:
                opened.set_result(bus)
                await self._closing.wait()
        except BaseException as error:
            if opened.done():
                raise
            if isinstance(error, asyncio.CancelledError):
                opened.cancel()
                raise
            self._opened = None
            opened.set_exception(error)
