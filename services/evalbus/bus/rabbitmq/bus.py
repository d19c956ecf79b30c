"""The bus over RabbitMQ: one connection to publish and ask on, another to consume on."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from aio_pika.abc import AbstractConnection

from evalbus.bus.base import BusHealth, DataLost, Handler, Message, Outgoing
from evalbus.bus.policy import RetryPolicy
from evalbus.bus.rabbitmq.declare import QueueState, Topology, look_at_queues
from evalbus.bus.rabbitmq.link import CONNECTION_ERRORS, HEARTBEAT_SECONDS, Link, in_words
from evalbus.bus.rabbitmq.listening import Listener
from evalbus.bus.rabbitmq.publisher import Publisher
from evalbus.bus.rabbitmq.questions import Questions
from evalbus.bus.rabbitmq.subscription import RabbitMQSubscription
from evalbus.bus.settling import Settler
from evalbus.bus.topology import Queue
from evalbus.errors import Unavailable


class RabbitMQBus:
    """Holds the two connections and what lives on them."""

    def __init__(
        self,
        url: str,
        *,
        name: str = "evalbus",
        policy: RetryPolicy | None = None,
        data_lost: DataLost | None = None,
        message_bytes_max: int = 8 * 1024 * 1024,
        connect_seconds: float = 60.0,
        publish_seconds_max: float = 60.0,
        heartbeat_seconds: int = HEARTBEAT_SECONDS,
    ) -> None:
        """`name` is how the connections are called in RabbitMQ's own list.

        `data_lost` is for processes that reach the database: they, and only they, look whether the broker still
        has what it had.
        """
        self._policy = policy or RetryPolicy()
        self._message_bytes_max = message_bytes_max
        self._connect_seconds = connect_seconds
        self._topology = Topology(data_lost=data_lost)
        self._publishing, self._consuming = (
            Link(
                url,
                name=f"{name} {duty}",
                prepare=self._prepare,
                heartbeat_seconds=heartbeat_seconds,
            )
            for duty in ("publishing", "consuming")
        )
        self._publisher = Publisher(
            self._publishing,
            restore=self._restore,
            seconds_max=publish_seconds_max,
        )
        self._questions = Questions(self._publishing)
        self._subscriptions: set[RabbitMQSubscription] = set()

    async def __aenter__(self) -> Self:
        deadline = asyncio.get_running_loop().time() + self._connect_seconds
        try:
            await self._publishing.open(deadline=deadline)
            await self._consuming.open(deadline=deadline)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def publish(self, *outgoing: Outgoing) -> None:
        await self._publisher.publish(*outgoing)

    @asynccontextmanager
    async def subscribe(
        self, queue: Queue, handler: Handler, *, prefetch: int
    ) -> AsyncGenerator[RabbitMQSubscription, None]:
        subscription = RabbitMQSubscription(
            queue=queue,
            link=self._consuming,
            settler=Settler(
                queue=queue, handler=handler, policy=self._policy, publish=self.publish
            ),
            restore=self._restore,
            prefetch=prefetch,
            message_bytes_max=self._message_bytes_max,
        )
        self._subscriptions.add(subscription)
        subscription.open()
        try:
            yield subscription
        finally:
            await subscription.drain(0.0)
            self._subscriptions.discard(subscription)

    async def ask(self, request: Outgoing, *, timeout_seconds: float) -> Message:
        return await self._questions.ask(request, timeout_seconds=timeout_seconds)

    @asynccontextmanager
    async def listen(self, pattern: str) -> AsyncGenerator[AsyncIterator[Message], None]:
        listener = Listener(self._consuming, pattern)
        try:
            await listener.open()
            yield listener
        finally:
            await listener.close()

    async def queues(self) -> tuple[QueueState, ...]:
        """Raises Unavailable."""
        try:
            return await look_at_queues(await self._publishing.connection())
        except CONNECTION_ERRORS as error:
            raise Unavailable(f"the queues could not be looked at: {in_words(error)}") from None

    @property
    def server_version(self) -> str:
        """What the broker calls itself, for a person; empty while it is away."""
        return self._publishing.server_version

    @property
    def health(self) -> BusHealth:
        links = (self._publishing, self._consuming)
        return BusHealth(
            is_connected=all(link.is_up for link in links),
            idle_subscriptions=tuple(
                sorted(each.queue.name for each in self._subscriptions if not each.is_consuming)
            ),
            detail="; ".join(link.detail for link in links if link.detail),
        )

    async def _prepare(self, connection: AbstractConnection) -> None:
        await self._topology.stand(connection)

    async def _restore(self) -> None:
        await self._topology.stand(await self._publishing.connection())

    async def _close(self) -> None:
        await self._questions.close()
        await asyncio.gather(self._publishing.close(), self._consuming.close())
