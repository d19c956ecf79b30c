"""The evaluator as a whole: chunks in, scores out, and a sign of life while a chunk takes its time."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from evalbus.bus import codec
from evalbus.bus.base import Bus, Message, Outgoing
from evalbus.bus.draining import drain_all
from evalbus.bus.topology import PROGRESS_QUEUE, SCORED_QUEUE, WORK_LIVE, WORK_RECORDED
from evalbus.errors import EvalbusError
from evalbus.logs import get_logger
from evalbus.settings import Settings
from evalbus_schemas import cloudevents
from evalbus_schemas.chunks import ChunkProgress, ChunkRequested

log = get_logger(__name__)

SOURCE = "/evalbus/evaluator"


class Scorer(Protocol):
    """Whoever turns the body of ChunkRequested into that of ChunkScored."""

    @property
    def workers(self) -> int: ...

    @property
    def evaluator(self) -> str: ...

    async def score(
        self,
        request: ChunkRequested,
        body: bytes,
        *,
        note_rows: Callable[[int], None] | None = None,
    ) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class ScoreChunk:
    """The handler of both work queues; safe to repeat, because the answer has the same id each time."""

    scorer: Scorer
    bus: Bus
    heartbeat_seconds: float

    async def __call__(self, message: Message) -> Sequence[Outgoing]:
        request, _ = codec.parse_lines(message, ChunkRequested, type=cloudevents.CHUNK_REQUESTED)
        rows_done = _RowsDone()
        async with self._signs_of_life(request, rows_done):
            body = await self.scorer.score(request, message.body, note_rows=rows_done.note)
        scored = Message(
            body=body,
            id=codec.stable_id("scored", request.job_id, request.chunk),
            type=cloudevents.CHUNK_SCORED,
            content_type=cloudevents.NDJSON,
            source=SOURCE,
            subject=message.subject,
            time=datetime.now(UTC),
            correlation_id=message.correlation_id,
            traceparent=message.traceparent,
        )
        return [Outgoing(message=scored, exchange=SCORED_QUEUE.exchange.name, key=SCORED_QUEUE.key)]

    @asynccontextmanager
    async def _signs_of_life(
        self, request: ChunkRequested, rows_done: "_RowsDone"
    ) -> AsyncGenerator[None]:
        signs = asyncio.create_task(self._give_signs(request, rows_done))
        try:
            yield
        finally:
            signs.cancel()
            # Not awaited itself: its cancellation would hide the caller's own.
            await asyncio.wait([signs])

    async def _give_signs(self, request: ChunkRequested, rows_done: "_RowsDone") -> None:
        while True:
            await asyncio.sleep(self.heartbeat_seconds)
            progress = ChunkProgress(
                job_id=request.job_id,
                chunk=request.chunk,
                rows_done=rows_done.count,
                evaluator=self.scorer.evaluator,
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


class _RowsDone:
    """The one thing that scoring and signs of life share."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, count: int) -> None:
        self.count = max(self.count, count)


@asynccontextmanager
async def serve(bus: Bus, settings: Settings, children: Scorer) -> AsyncGenerator[None]:
    """Take chunks as long as this is open; leaving it waits for those in hand, up to the drain time."""
    handler = ScoreChunk(scorer=children, bus=bus, heartbeat_seconds=settings.heartbeat_seconds)
    # One more than can be scored: the next chunk is at hand when a child is free.
    prefetch = children.workers + 1
    async with AsyncExitStack() as doors:
        subscriptions = [
            await doors.enter_async_context(bus.subscribe(queue, handler, prefetch=prefetch))
            for queue in (WORK_RECORDED, WORK_LIVE)
        ]
        log.info("evaluator.opened", evaluator=children.evaluator, workers=children.workers)
        try:
            yield
        finally:
            await drain_all(subscriptions, settings.drain_seconds)
