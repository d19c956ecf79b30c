"""How far a chunk is, and what holds it up: told to whoever keeps an eye on it."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

from evalbus.bus import codec
from evalbus.bus.base import Bus, Outgoing
from evalbus.bus.topology import PROGRESS_QUEUE
from evalbus.errors import EvalbusError
from evalbus.logs import get_logger
from evalbus_schemas import cloudevents
from evalbus_schemas.chunks import ChunkProgress, ChunkRequested, WaitsFor

log = get_logger(__name__)

SOURCE = "/evalbus/evaluator"

NEWS_SECONDS = 1.0
"""What changes is told at once, but not more often than this."""


class Advance:
    """The one thing that the work on a chunk and its signs of life share."""

    def __init__(self) -> None:
        self.rows_done = 0
        self.changed = asyncio.Event()
        """Set when `waits_for` has changed; whoever has told it clears it."""
        self._barred = 0
        self._pausing = 0
        self._calling = 0

    @property
    def waits_for(self) -> WaitsFor | None:
        """A row that pauses holds up nothing while others are being answered."""
        if self._barred:
            return "circuit_open"
        if self._pausing and not self._calling:
            return "retry_delay"
        return None

    def note_rows(self, count: int) -> None:
        self.rows_done = max(self.rows_done, count)

    def note_row(self) -> None:
        self.rows_done += 1

    @contextmanager
    def barred(self) -> Generator[None]:
        """A row waits for its endpoint to come back."""
        with self._noticed():
            self._barred += 1
        try:
            yield
        finally:
            with self._noticed():
                self._barred -= 1

    @contextmanager
    def pausing(self) -> Generator[None]:
        """A row waits before it asks again."""
        with self._noticed():
            self._pausing += 1
        try:
            yield
        finally:
            with self._noticed():
                self._pausing -= 1

    @contextmanager
    def calling(self) -> Generator[None]:
        """A row waits for its answer."""
        with self._noticed():
            self._calling += 1
        try:
            yield
        finally:
            with self._noticed():
                self._calling -= 1

    @contextmanager
    def _noticed(self) -> Generator[None]:
        before = self.waits_for
        yield
        if self.waits_for != before:
            self.changed.set()


@dataclass(frozen=True, kw_only=True)
class SignsOfLife:
    """Gives them for as long as a chunk takes."""

    bus: Bus
    evaluator: str
    heartbeat_seconds: float

    @asynccontextmanager
    async def given(self, request: ChunkRequested) -> AsyncGenerator[Advance]:
        advance = Advance()
        signs = asyncio.create_task(self._give(request, advance))
        try:
            yield advance
        finally:
            signs.cancel()
            # Not awaited itself: its cancellation would hide the caller's own.
            await asyncio.wait([signs])

    async def _give(self, request: ChunkRequested, advance: Advance) -> None:
        loop = asyncio.get_running_loop()
        told: WaitsFor | None = None
        told_at, news_at = loop.time(), loop.time()
        while True:
            heartbeat = asyncio.timeout_at(told_at + self.heartbeat_seconds)
            with suppress(TimeoutError):
                async with heartbeat:
                    await advance.changed.wait()
                    await asyncio.sleep(news_at - loop.time())
            advance.changed.clear()
            if heartbeat.expired() or advance.waits_for != told:
                told, told_at = advance.waits_for, loop.time()
                news_at = told_at + NEWS_SECONDS
                await self._tell(request, advance)

    async def _tell(self, request: ChunkRequested, advance: Advance) -> None:
        progress = ChunkProgress(
            job_id=request.job_id,
            chunk=request.chunk,
            rows_done=advance.rows_done,
            waits_for=advance.waits_for,
            evaluator=self.evaluator,
        )
        message = codec.encode(
            progress,
            cloudevents.CHUNK_PROGRESS,
            source=SOURCE,
            expires_seconds=self.heartbeat_seconds,
            is_persistent=False,
        )
        try:
            await self.bus.publish(
                Outgoing(
                    message=message,
                    exchange=PROGRESS_QUEUE.exchange.name,
                    key=PROGRESS_QUEUE.key,
                    is_mandatory=False,
                )
            )
        except EvalbusError as error:
            # Lost without harm: the rows are what matters, and they go on.
            log.warning("progress.lost", chunk=request.chunk, error=str(error))
