"""Keeps one queue consumed: through lost connections, deleted queues, and rests while a server is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aio_pika.abc import AbstractChannel
from aiormq.abc import AbstractChannel as RawChannel
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import AMQPError
from pamqp.commands import Basic

from evalbus.bus.backoff import Backoff
from evalbus.bus.rabbitmq.link import (
    CONNECTION_ERRORS,
    Link,
    cancellations,
    close_quietly,
    in_words,
)
from evalbus.bus.tasks import Tasks
from evalbus.bus.topology import Queue
from evalbus.errors import EvalbusError
from evalbus.logs import get_logger

log = get_logger(__name__)

LOOK_SECONDS = 10.0
"""How often the broker is asked whether it still knows this consumer; nobody is told of every way to lose one."""
ANSWER_SECONDS_MAX = 10.0
STOP_SECONDS_MAX = 2.0
REST_SECONDS_MAX = 5.0

T = TypeVar("T")
OnMessage = Callable[[DeliveredMessage, RawChannel], None]
"""Gets a message and the channel that its acknowledgement must go out on."""


class ConsumerGone(AMQPError):
    """The broker no longer sends the messages of the queue."""


class Consumer:
    """Holds the channel of one queue's consumer, and replaces it when the messages stop coming.

    It is stopped by being asked, not by cancelling: a call to the broker that is cut off in the middle leaves
    a channel behind that is neither open nor closed, and the messages on it are nobody's.
    """

    def __init__(
        self,
        *,
        queue: Queue,
        link: Link,
        restore: Callable[[], Awaitable[None]],
        prefetch: int,
        on_message: OnMessage,
    ) -> None:
        self._queue = queue
        self._link = link
        self._restore = restore
        self._prefetch = prefetch
        self._on_message = on_message
        self._runner = Tasks()
        self._may_be_cut = False
        self._is_stopping = False
        self._is_gone = False
        self._news = asyncio.Event()
        """Set when one of the two has become true, or a rest has begun."""
        self._is_silent = asyncio.Event()
        """Set while the broker sends nothing."""
        self._is_silent.set()
        self._is_closing = asyncio.Event()
        self._rest = Backoff(first_seconds=1.0, most_seconds=REST_SECONDS_MAX)
        self._rest_until = 0.0
        self.is_consuming = False

    def open(self) -> None:
        self._runner.start(self._run(), name=f"consume {self._queue.name}")

    def rest(self) -> None:
        """Take nothing for a while, longer each time until `rested`; a rest that has begun is one rest."""
        if not self._rest_seconds():
            seconds = self._rest.next_seconds()
            self._rest_until = asyncio.get_running_loop().time() + seconds
            self._news.set()
            log.warning("subscription.paused", queue=self._queue.name, seconds=round(seconds, 1))

    def rested(self) -> None:
        """It goes well again: the next rest is a short one."""
        self._rest.reset()

    async def stop(self) -> None:
        """Return when no more messages come. The channel stays, for those in hand are acknowledged on it."""
        self._is_stopping = True
        self._news.set()
        if self._may_be_cut:
            await self._runner.cancel()
        try:
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await self._is_silent.wait()
        except TimeoutError:
            log.warning("subscription.not_stopped", queue=self._queue.name)

    async def close(self) -> None:
        """What was not acknowledged returns to the queue."""
        self._is_closing.set()
        await self._runner.wait(STOP_SECONDS_MAX)
        await self._runner.cancel(timeout_seconds=STOP_SECONDS_MAX)

    async def _run(self) -> None:
        backoff = Backoff(first_seconds=0.2, most_seconds=5.0)
        while not self._is_stopping:
            connection = await self._cut(self._link.connection())
            channel = connection.channel(publisher_confirms=False)
            lost = await self._lost(self._consume(channel, backoff))
            self.is_consuming = False
            self._is_silent.set()
            await close_quietly(channel)
            if lost is not None and not self._is_stopping:
                log.warning("subscription.lost", queue=self._queue.name, error=lost)
                await self._restore_quietly()
                await self._cut(asyncio.sleep(backoff.next_seconds()))

    async def _cut(self, wait: Awaitable[T]) -> T:
        """Wait where being cancelled does no harm."""
        self._may_be_cut = True
        try:
            return await wait
        finally:
            self._may_be_cut = False

    async def _lost(self, consuming: Awaitable[None]) -> str | None:
        """Why consuming ended; None when it was to end."""
        before = cancellations()
        try:
            await consuming
        except asyncio.CancelledError:
            if cancellations() > before:
                raise
            return "the connection was lost"
        except CONNECTION_ERRORS as error:
            return in_words(error)
        return None

    async def _consume(self, channel: AbstractChannel, backoff: Backoff) -> None:
        await channel.initialize(timeout=ANSWER_SECONDS_MAX)
        raw = await channel.get_underlay_channel()
        await raw.basic_qos(prefetch_count=self._prefetch, timeout=ANSWER_SECONDS_MAX)
        self._is_gone = False
        channel.close_callbacks.add(self._on_closed)
        raw.on_consumer_cancel_callbacks.add(self._on_cancelled)
        while await self._is_time_to_consume():
            tag = await self._start(raw)
            backoff.reset()
            await self._until_news(raw)
            self.is_consuming = False
            await raw.basic_cancel(tag, timeout=STOP_SECONDS_MAX)
            self._is_silent.set()
        await self._is_closing.wait()

    async def _start(self, raw: RawChannel) -> str:
        async def on_message(delivered: DeliveredMessage) -> None:
            self._on_message(delivered, raw)

        # Before the call: the first message may be here before its answer.
        self._is_silent.clear()
        started = await raw.basic_consume(self._queue.name, on_message, timeout=ANSWER_SECONDS_MAX)
        self.is_consuming = True
        log.info("subscription.started", queue=self._queue.name, prefetch=self._prefetch)
        assert started.consumer_tag is not None, "a consumer has a tag"
        return started.consumer_tag

    async def _until_news(self, raw: RawChannel) -> None:
        """Return when it is time to rest or to stop; raises ConsumerGone."""
        while not self._is_stopping and not self._rest_seconds():
            self._raise_if_gone()
            self._news.clear()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                await self._look(raw)

    async def _is_time_to_consume(self) -> bool:
        """Once the rest is over; False when it is time to stop."""
        while not self._is_stopping and (seconds := self._rest_seconds()):
            self._raise_if_gone()
            self._news.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                continue
        return not self._is_stopping

    async def _look(self, raw: RawChannel) -> None:
        found = await raw.queue_declare(self._queue.name, passive=True, timeout=ANSWER_SECONDS_MAX)
        if not found.consumer_count:
            raise ConsumerGone("the broker knows no consumer")

    async def _restore_quietly(self) -> None:
        """Put back a queue that somebody deleted; what stands in the way shows at the next try."""
        if not self._link.is_up:
            return
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                await self._restore()
        except (*CONNECTION_ERRORS, EvalbusError) as error:
            log.warning("topology.not_restored", error=in_words(error))

    def _rest_seconds(self) -> float:
        return max(0.0, self._rest_until - asyncio.get_running_loop().time())

    def _raise_if_gone(self) -> None:
        if self._is_gone:
            raise ConsumerGone("the consumer was cancelled or its channel closed")

    def _on_cancelled(self, _: Basic.Cancel) -> None:
        self._is_gone = True
        self._news.set()

    def _on_closed(self, _: AbstractChannel | None, __: BaseException | None) -> None:
        self._is_gone = True
        self._news.set()
