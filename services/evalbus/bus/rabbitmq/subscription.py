"""Consuming a queue for as long as it takes: through lost connections, deleted queues, and servers that are away."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
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
from evalbus.bus.rabbitmq.wire import fault_of, from_queue
from evalbus.bus.settling import Settler
from evalbus.bus.tasks import Tasks
from evalbus.bus.topology import Queue
from evalbus.errors import EvalbusError

log = structlog.get_logger(__name__)

LOOK_SECONDS = 10.0
"""How often the broker is asked whether it still knows this consumer; nobody is told of every way to lose one."""
ANSWER_SECONDS_MAX = 10.0
CANCEL_SECONDS_MAX = 2.0
REST_SECONDS_MAX = 15.0


class ConsumerGone(AMQPError):
    """The broker no longer sends the messages of the queue."""


class RabbitMQSubscription:
    """Holds the consumer of one queue and the messages in hand.

    Messages are handled in tasks of their own. The library ends its own tasks when a channel closes, and to cut
    off a handler in the middle of a commit helps nobody: its message comes again anyway.
    """

    def __init__(
        self,
        *,
        queue: Queue,
        link: Link,
        settler: Settler,
        restore: Callable[[], Awaitable[None]],
        prefetch: int,
        message_bytes_max: int,
    ) -> None:
        self.queue = queue
        self._link = link
        self._settler = settler
        self._restore = restore
        self._prefetch = prefetch
        self._message_bytes_max = message_bytes_max
        self._hands = asyncio.Semaphore(prefetch)
        self._in_hand = Tasks()
        self._runner = Tasks()
        self._is_draining = False
        self._is_gone = False
        self._news = asyncio.Event()
        """Set when one of the two has become true, or a rest has begun."""
        self._is_silent = asyncio.Event()
        self._is_silent.set()
        self._rest = Backoff(first_seconds=1.0, most_seconds=REST_SECONDS_MAX)
        self._rest_until = 0.0

    @property
    def is_consuming(self) -> bool:
        return not self._is_silent.is_set()

    def open(self) -> None:
        self._runner.start(self._run(), name=f"consume {self.queue.name}")

    async def drain(self, timeout_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        self._is_draining = True
        self._news.set()
        # First the broker stops sending: what came later would be neither handled nor waited for.
        try:
            async with asyncio.timeout(CANCEL_SECONDS_MAX):
                await self._is_silent.wait()
        except TimeoutError:
            log.warning("subscription.not_cancelled", queue=self.queue.name)
        if (seconds := deadline - loop.time()) > 0:
            await self._in_hand.wait(seconds)
        await self._in_hand.cancel()
        # The channel goes last: acknowledgements travel on it, and what has none returns to the queue.
        await self._runner.cancel()

    async def _run(self) -> None:
        backoff = Backoff(first_seconds=0.2, most_seconds=5.0)
        before = cancellations()
        while not self._is_draining:
            try:
                connection = await self._link.connection()
                channel = connection.channel(publisher_confirms=False)
                try:
                    await self._consume(channel, backoff)
                finally:
                    self._is_silent.set()
                    await close_quietly(channel)
            except asyncio.CancelledError:
                if cancellations() > before:
                    raise
                log.warning("subscription.lost", queue=self.queue.name)
            except CONNECTION_ERRORS as error:
                log.warning("subscription.lost", queue=self.queue.name, error=in_words(error))
                await self._restore_quietly()
            if not self._is_draining:
                await asyncio.sleep(backoff.next_seconds())

    async def _consume(self, channel: AbstractChannel, backoff: Backoff) -> None:
        """Until the messages stop coming (raises) or the subscription is cancelled."""
        await channel.initialize(timeout=ANSWER_SECONDS_MAX)
        raw = await channel.get_underlay_channel()
        await raw.basic_qos(prefetch_count=self._prefetch, timeout=ANSWER_SECONDS_MAX)
        self._is_gone = False
        channel.close_callbacks.add(self._on_closed)
        raw.on_consumer_cancel_callbacks.add(self._on_cancelled)
        while not self._is_draining:
            await self._rest_first()
            tag = await self._start(raw)
            backoff.reset()
            await self._until_news(raw)
            await raw.basic_cancel(tag, timeout=ANSWER_SECONDS_MAX)
            self._is_silent.set()
        # The messages in hand are acknowledged on this channel; drain ends this wait.
        await asyncio.Event().wait()

    async def _start(self, raw: RawChannel) -> str:
        async def on_message(delivered: DeliveredMessage) -> None:
            self._in_hand.start(self._handle(delivered, raw), name=f"handle {self.queue.name}")

        started = await raw.basic_consume(self.queue.name, on_message, timeout=ANSWER_SECONDS_MAX)
        self._is_silent.clear()
        log.info("subscription.started", queue=self.queue.name, prefetch=self._prefetch)
        assert started.consumer_tag is not None, "a consumer has a tag"
        return started.consumer_tag

    async def _until_news(self, raw: RawChannel) -> None:
        """Return when it is time to rest or to drain; raises ConsumerGone."""
        while not self._is_draining and not self._rest_seconds():
            if self._is_gone:
                raise ConsumerGone("the consumer was cancelled or its channel closed")
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                await self._look(raw)
            self._news.clear()

    async def _look(self, raw: RawChannel) -> None:
        found = await raw.queue_declare(self.queue.name, passive=True, timeout=ANSWER_SECONDS_MAX)
        if not found.consumer_count:
            raise ConsumerGone("the broker knows no consumer")

    async def _restore_quietly(self) -> None:
        """Put back a queue that somebody deleted; what stands in the way shows at the next try."""
        if not self._link.is_up:
            return
        try:
            await self._restore()
        except (*CONNECTION_ERRORS, EvalbusError) as error:
            log.warning("topology.not_restored", error=in_words(error))

    async def _handle(self, delivered: DeliveredMessage, raw: RawChannel) -> None:
        # More may come than hands are free: after a reconnect, messages still in hand are sent anew.
        async with self._hands:
            if self._is_draining or raw.is_closed:
                return
            message = from_queue(delivered, self.queue, body_bytes_max=self._message_bytes_max)
            try:
                pause = await self._settler.settle(message, fault=fault_of(delivered))
            except Exception as error:
                # Neither handled nor set aside: the topology is broken, and the broker keeps it meanwhile.
                log.error("message.returned", queue=self.queue.name, exc_info=error)
                self._begin_rest()
                await self._answer(raw, delivered, is_done=False)
                return
            if pause is None:
                self._rest.reset()
            else:
                self._begin_rest()
            await self._answer(raw, delivered, is_done=True)

    async def _answer(self, raw: RawChannel, delivered: DeliveredMessage, *, is_done: bool) -> None:
        """Acknowledge or give back; on a channel that is closed neither is needed, for the message comes again."""
        tag = delivered.delivery_tag
        assert tag is not None, "a delivery has a tag"
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                if is_done:
                    await raw.basic_ack(tag, wait=False)
                else:
                    await raw.basic_nack(tag, requeue=True, wait=False)
        except CONNECTION_ERRORS as error:
            log.info("acknowledgement.lost", queue=self.queue.name, error=in_words(error))

    def _begin_rest(self) -> None:
        """All that are in hand fail together when a server is away; that makes one rest, not one for each."""
        if self._rest_seconds():
            return
        seconds = self._rest.next_seconds()
        self._rest_until = asyncio.get_running_loop().time() + seconds
        self._news.set()
        log.warning("subscription.paused", queue=self.queue.name, seconds=round(seconds, 1))

    def _rest_seconds(self) -> float:
        return max(0.0, self._rest_until - asyncio.get_running_loop().time())

    async def _rest_first(self) -> None:
        while not self._is_draining and not self._is_gone and (seconds := self._rest_seconds()):
            self._news.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                continue

    def _on_cancelled(self, _: Basic.Cancel) -> None:
        self._is_gone = True
        self._news.set()

    def _on_closed(self, _: AbstractChannel | None, __: BaseException | None) -> None:
        self._is_gone = True
        self._news.set()
