"""Lifecycle events for whoever is there to hear them: a queue that lives as long as its listener's connection."""

import asyncio
from typing import Self
from uuid import uuid4

from aio_pika.abc import AbstractChannel
from aiormq.abc import AbstractChannel as RawChannel
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from evalbus.bus.backoff import Backoff
from evalbus.bus.base import Message
from evalbus.bus.rabbitmq.link import (
    CONNECTION_ERRORS,
    Link,
    cancellations,
    close_quietly,
    in_words,
)
from evalbus.bus.rabbitmq.wire import read
from evalbus.bus.tasks import Tasks
from evalbus.bus.topology import EVENTS
from evalbus.errors import Unavailable
from evalbus.logs import get_logger

log = get_logger(__name__)

PREFETCH = 100
MESSAGES_MAX = 10_000
"""What the broker keeps for a listener that is slow; of more it drops the oldest."""
OPEN_SECONDS_MAX = 60.0
ANSWER_SECONDS_MAX = 10.0
CLOSE_SECONDS_MAX = 2.0


class Listener:
    """Holds the events that arrived and were not read yet, and makes its queue anew after a lost connection."""

    def __init__(self, link: Link, pattern: str) -> None:
        self._link = link
        self._pattern = pattern
        self._tasks = Tasks()
        self._events: asyncio.Queue[tuple[DeliveredMessage, RawChannel]] = asyncio.Queue()
        self._is_listening = asyncio.Event()
        self._is_gone = asyncio.Event()
        self._is_closing = False
        self._may_be_cut = False

    async def open(self) -> None:
        """Return when every event from now on will be heard; raises Unavailable when that takes too long."""
        self._tasks.start(self._run(), name=f"listen to {self._pattern}")
        try:
            async with asyncio.timeout(OPEN_SECONDS_MAX):
                await self._is_listening.wait()
        except TimeoutError:
            where = f" ({self._link.detail})" if self._link.detail else ""
            raise Unavailable(
                f"RabbitMQ at {self._link.place} let nobody listen"
                f" within {OPEN_SECONDS_MAX:g} s{where}"
            ) from None

    async def close(self) -> None:
        """Asked first, and only then cancelled: a call that is cut off leaves its channel half open."""
        self._is_closing = True
        self._is_gone.set()
        if not self._may_be_cut:
            await self._tasks.wait(CLOSE_SECONDS_MAX)
        await self._tasks.cancel(timeout_seconds=CLOSE_SECONDS_MAX)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        delivered, raw = await self._events.get()
        tag = delivered.delivery_tag
        assert tag is not None, "a delivery has a tag"
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                await raw.basic_ack(tag, wait=False)
        except CONNECTION_ERRORS:
            log.debug("acknowledgement.lost", queue=EVENTS.name)
        return read(delivered)

    async def _run(self) -> None:
        backoff = Backoff(first_seconds=0.2, most_seconds=5.0)
        before = cancellations()
        while not self._is_closing:
            try:
                self._may_be_cut = True
                connection = await self._link.connection()
                self._may_be_cut = False
                channel = connection.channel(publisher_confirms=False)
                try:
                    await self._listen(channel, backoff)
                finally:
                    await close_quietly(channel)
            except asyncio.CancelledError:
                if cancellations() > before:
                    raise
                log.warning("listener.lost", pattern=self._pattern)
            except CONNECTION_ERRORS as error:
                log.warning("listener.lost", pattern=self._pattern, error=in_words(error))
            if not self._is_closing:
                self._may_be_cut = True
                await asyncio.sleep(backoff.next_seconds())

    async def _listen(self, channel: AbstractChannel, backoff: Backoff) -> None:
        await channel.initialize(timeout=ANSWER_SECONDS_MAX)
        raw = await channel.get_underlay_channel()
        self._is_gone.clear()
        channel.close_callbacks.add(self._on_closed)
        raw.on_consumer_cancel_callbacks.add(self._on_cancelled)
        await raw.basic_qos(prefetch_count=PREFETCH, timeout=ANSWER_SECONDS_MAX)
        name = f"amq_{uuid4().hex}"
        await raw.queue_declare(
            name,
            exclusive=True,
            auto_delete=True,
            arguments={"x-max-length": MESSAGES_MAX},
            timeout=ANSWER_SECONDS_MAX,
        )
        await raw.queue_bind(name, EVENTS.name, self._pattern, timeout=ANSWER_SECONDS_MAX)

        async def on_message(delivered: DeliveredMessage) -> None:
            self._events.put_nowait((delivered, raw))

        await raw.basic_consume(name, on_message, timeout=ANSWER_SECONDS_MAX)
        backoff.reset()
        self._is_listening.set()
        if not self._is_closing:
            await self._is_gone.wait()

    def _on_cancelled(self, _: Basic.Cancel) -> None:
        self._is_gone.set()

    def _on_closed(self, _: AbstractChannel | None, __: BaseException | None) -> None:
        self._is_gone.set()
