"""Answers on their way to be kept, while the chunks that they belong to are still at work."""

import asyncio
from collections import deque
from typing import Self

from evalbus.bus import codec
from evalbus.bus.base import Bus, Outgoing
from evalbus.bus.topology import ANSWERS_QUEUE
from evalbus.errors import EvalbusError
from evalbus.evaluator.advance import SOURCE
from evalbus.logs import get_logger
from evalbus_schemas import cloudevents
from evalbus_schemas.chunks import Answer, AnswersGiven

log = get_logger(__name__)

ENVELOPE_BYTES = 1024
BATCH_BYTES = 1024 * 1024
"""A message that has reached this takes no further answer."""
WAITING_BYTES_MAX = 64 * 1024 * 1024
"""With more that the bus has not taken yet, new answers are not kept."""
CLOSE_SECONDS = 5.0


class AnswerJournal:
    """Publishes one message at a time; whatever is noted meanwhile goes with the next.

    What cannot be published is lost and logged: it costs another call if its evaluator dies, and never a row.
    """

    def __init__(self, bus: Bus, *, message_bytes_max: int) -> None:
        self._bus = bus
        self._message_bytes_max = message_bytes_max
        self._waiting: deque[tuple[Answer, int]] = deque()
        self._waiting_bytes = 0
        self._noted = asyncio.Event()
        self._is_closing = False
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._writing = asyncio.create_task(self._write(), name="answer journal")
        return self

    async def __aexit__(self, *exception: object) -> None:
        """What was noted is published, if the bus takes it soon."""
        assert self._writing is not None, "what is left was entered"
        self._is_closing = True
        self._noted.set()
        _, late = await asyncio.wait([self._writing], timeout=CLOSE_SECONDS)
        if late:
            self._writing.cancel()
            await asyncio.wait(late)
            log.warning("answers.lost", answers=len(self._waiting), error="the evaluator has ended")

    def note(self, answer: Answer) -> None:
        size = len(answer.model_dump_json().encode())
        if size + ENVELOPE_BYTES > self._message_bytes_max:
            log.warning(
                "answers.lost", answers=1, error=f"{size} bytes are too large for a message"
            )
        elif self._waiting_bytes + size > WAITING_BYTES_MAX:
            log.warning("answers.lost", answers=1, error="the bus does not take them fast enough")
        else:
            self._waiting.append((answer, size))
            self._waiting_bytes += size
            self._noted.set()

    async def _write(self) -> None:
        while not self._is_closing or self._waiting:
            await self._noted.wait()
            self._noted.clear()
            while self._waiting:
                await self._publish(self._batch())

    def _batch(self) -> list[Answer]:
        """The oldest that go into one message; at least one."""
        batch: list[Answer] = []
        room = min(BATCH_BYTES, self._message_bytes_max - ENVELOPE_BYTES)
        while self._waiting:
            size = self._waiting[0][1] + 1
            if batch and size > room:
                break
            room -= size
            self._waiting_bytes -= size - 1
            batch.append(self._waiting.popleft()[0])
        return batch

    async def _publish(self, answers: list[Answer]) -> None:
        message = codec.encode(
            AnswersGiven(answers=tuple(answers)), cloudevents.ANSWERS_GIVEN, source=SOURCE
        )
        outgoing = Outgoing(
            message=message, exchange=ANSWERS_QUEUE.exchange.name, key=ANSWERS_QUEUE.key
        )
        try:
            await self._bus.publish(outgoing)
        except EvalbusError as error:
            log.warning("answers.lost", answers=len(answers), error=str(error))
