"""The messages of one queue that are in hand: each settled in a task of its own, then acknowledged."""

import asyncio
from collections.abc import Awaitable, Callable

from aiormq.abc import AbstractChannel as RawChannel
from aiormq.abc import DeliveredMessage

from evalbus.bus.rabbitmq.consumer import Consumer
from evalbus.bus.rabbitmq.link import CONNECTION_ERRORS, Link, in_words
from evalbus.bus.rabbitmq.wire import fault_of, from_queue
from evalbus.bus.settling import Settler
from evalbus.bus.tasks import Tasks
from evalbus.bus.topology import Queue
from evalbus.logs import get_logger

log = get_logger(__name__)

ANSWER_SECONDS_MAX = 10.0


class RabbitMQSubscription:
    """Holds the tasks of the messages in hand.

    They are tasks of our own: the library ends its own ones when a channel closes, and to cut off a handler in
    the middle of a commit helps nobody; its message comes again anyway.
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
        self._settler = settler
        self._message_bytes_max = message_bytes_max
        self._hands = asyncio.Semaphore(prefetch)
        self._in_hand = Tasks()
        self._is_draining = False
        self._consumer = Consumer(
            queue=queue,
            link=link,
            restore=restore,
            prefetch=prefetch,
            on_message=self._on_message,
        )

    @property
    def is_consuming(self) -> bool:
        return self._consumer.is_consuming and not self._is_draining

    def open(self) -> None:
        self._consumer.open()

    async def drain(self, timeout_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        self._is_draining = True
        await self._consumer.stop()
        if (seconds := deadline - loop.time()) > 0:
            await self._in_hand.wait(seconds)
        await self._in_hand.cancel()
        await self._consumer.close()

    def _on_message(self, delivered: DeliveredMessage, raw: RawChannel) -> None:
        # What comes while draining is left alone; it goes back when the channel closes.
        if not self._is_draining:
            self._in_hand.start(self._handle(delivered, raw), name=f"handle {self.queue.name}")

    async def _handle(self, delivered: DeliveredMessage, raw: RawChannel) -> None:
        # More may come than hands are free: after a reconnect, messages still in hand are sent anew.
        async with self._hands:
            if self._is_draining or raw.is_closed:
                return
            message = from_queue(delivered, self.queue, body_bytes_max=self._message_bytes_max)
            try:
                pause = await self._settler.settle(
                    message, fault=fault_of(delivered), comes_anyway=lambda: raw.is_closed
                )
            except Exception as error:
                # Neither handled nor set aside: the topology is broken, and the broker keeps it meanwhile.
                log.error("message.returned", queue=self.queue.name, exc_info=error)
                self._consumer.rest()
                await self._answer(raw, delivered, is_done=False)
                return
            if pause is None:
                self._consumer.rested()
            else:
                self._consumer.rest()
            await self._answer(raw, delivered, is_done=True)

    async def _answer(self, raw: RawChannel, delivered: DeliveredMessage, *, is_done: bool) -> None:
        """Acknowledge or give back; on a closed channel neither is needed, for the message comes again."""
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
