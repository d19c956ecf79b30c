"""Whoever scores chunks for the handlers, and the message that their scores go out in."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from evalbus.bus import codec
from evalbus.bus.base import Message, Outgoing
from evalbus.bus.topology import SCORED_QUEUE
from evalbus.evaluator.advance import SOURCE
from evalbus_schemas import cloudevents
from evalbus_schemas.chunks import ChunkRequested


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


def scored_message(body: bytes, request: ChunkRequested, message: Message) -> Outgoing:
    """ChunkScored in answer to the message that asked for it; it has the same id each time."""
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
    return Outgoing(message=scored, exchange=SCORED_QUEUE.exchange.name, key=SCORED_QUEUE.key)
