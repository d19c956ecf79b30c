"""An object of a bucket as something to write to: a part is on its way while the next one fills."""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from evalbus.errors import EvalbusError
from evalbus.logs import get_logger
from evalbus.producer.buckets.base import PART_BYTES, BucketAway, Parts

log = get_logger(__name__)

ANSWER_SECONDS = 300.0
"""For a request, with all that its library does to repeat it."""
CLEANING_SECONDS = 10.0

T = TypeVar("T")


class BucketObject:
    """There once it is committed, and not before; left without that, nothing of it is. It holds two parts at most.

    Its methods raise BucketAway, BucketRefused or Refused; what is wrong with one part may be said with the next.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._filling = bytearray()
        self._sending: asyncio.Future[None] | None = None
        self._is_whole = False
        self.upload: str | None = None
        """What the bucket calls the parts that it has, if they stay there until somebody has them removed."""

    async def __aenter__(self) -> Self:
        return self

    async def write(self, chunk: bytes) -> None:
        self._filling += chunk
        while len(self._filling) > PART_BYTES:
            part = bytes(memoryview(self._filling)[:PART_BYTES])
            del self._filling[:PART_BYTES]
            await self._send(part)

    async def arrived(self) -> None:
        """Return when the bucket has every part so far: nothing but the last is left to send."""
        if self._sending is not None:
            await _in_time(self._sending)

    async def commit(self) -> None:
        await self.arrived()
        await self._answer(self._parts.finish(bytes(self._filling)))
        self._is_whole = True

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_whole:
            return
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        try:
            async with asyncio.timeout(CLEANING_SECONDS):
                await self._answer(self._parts.abandon())
        except (EvalbusError, TimeoutError) as failure:
            # Whoever begins anew tries again, where the parts have a name.
            log.warning("bucket.parts_left", error=str(failure))

    async def remove(self, upload: str) -> None:
        """The parts of somebody who began the same object and did not end it."""
        await self._answer(self._parts.remove(upload))

    async def _send(self, part: bytes) -> None:
        if self._sending is None:
            self.upload = await self._answer(self._parts.begin())
        await self.arrived()
        self._sending = self._ask(self._parts.add(part))

    async def _answer(self, request: Coroutine[Any, Any, T]) -> T:
        return await _in_time(self._ask(request))

    def _ask(self, request: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
        """In the loop of the library, whose connections belong to it."""
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(request, self._parts.loop))


async def _in_time(answer: asyncio.Future[T]) -> T:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await answer
    except TimeoutError:
        raise BucketAway("there was no answer in time") from None
