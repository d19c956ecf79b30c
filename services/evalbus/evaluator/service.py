"""The evaluator as a whole: chunks in, scores out, and a sign of life while a chunk takes its time."""

import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from evalbus.bus import codec
from evalbus.bus.base import Bus, Message, Outgoing
from evalbus.bus.draining import drain_all
from evalbus.bus.topology import WORK_LIVE, WORK_RECORDED
from evalbus.evaluator.advance import SignsOfLife
from evalbus.evaluator.circuit import Circuits
from evalbus.evaluator.journal import AnswerJournal
from evalbus.evaluator.live import AskAndScoreChunk
from evalbus.evaluator.scorer import Scorer, scored_message
from evalbus.logs import get_logger
from evalbus.models import Reach
from evalbus.settings import Settings
from evalbus_schemas import cloudevents
from evalbus_schemas.chunks import ChunkRequested

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ScoreChunk:
    """The handler of chunks that need nobody else; safe to repeat, because the answer has the same id each time."""

    scorer: Scorer
    bus: Bus
    heartbeat_seconds: float

    async def __call__(self, message: Message) -> Sequence[Outgoing]:
        request, _ = codec.parse_lines(message, ChunkRequested, type=cloudevents.CHUNK_REQUESTED)
        signs = SignsOfLife(
            bus=self.bus,
            evaluator=self.scorer.evaluator,
            heartbeat_seconds=self.heartbeat_seconds,
        )
        async with signs.given(request) as advance:
            body = await self.scorer.score(request, message.body, note_rows=advance.note_rows)
        return [scored_message(body, request, message)]


@asynccontextmanager
async def serve(
    bus: Bus, settings: Settings, children: Scorer, reach: Reach
) -> AsyncGenerator[None]:
    """Take chunks as long as this is open; leaving it waits for those in hand, up to the drain time."""
    async with AsyncExitStack() as doors:
        journal = AnswerJournal(bus, message_bytes_max=settings.message_bytes_max)
        await doors.enter_async_context(journal)
        recorded = ScoreChunk(
            scorer=children, bus=bus, heartbeat_seconds=settings.heartbeat_seconds
        )
        live = AskAndScoreChunk(
            scorer=children,
            bus=bus,
            reach=reach,
            circuits=Circuits(patience_seconds=settings.circuit_seconds),
            journal=journal,
            random=random.random,
            heartbeat_seconds=settings.heartbeat_seconds,
            rpc_seconds=settings.rpc_seconds,
            message_bytes_max=settings.message_bytes_max,
        )
        subscriptions = [
            # One more than can be scored: the next chunk is at hand when a child is free.
            await doors.enter_async_context(
                bus.subscribe(WORK_RECORDED, recorded, prefetch=children.workers + 1)
            ),
            # These mostly wait for somebody else.
            await doors.enter_async_context(
                bus.subscribe(WORK_LIVE, live, prefetch=settings.live_chunks)
            ),
        ]
        log.info("evaluator.opened", evaluator=children.evaluator, workers=children.workers)
        try:
            yield
        finally:
            await drain_all(subscriptions, settings.drain_seconds)
