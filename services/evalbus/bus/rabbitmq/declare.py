"""Makes the topology stand on a broker, and tells whether the broker has lost what it held."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import (
    ChannelAccessRefused,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
)
from pamqp.common import FieldTable

from evalbus.bus.base import DataLost
from evalbus.bus.rabbitmq.link import close_quietly
from evalbus.bus.topology import (
    DEAD,
    DEAD_QUEUE,
    DELIVERY_LIMIT,
    EXCHANGES,
    MARKER,
    QUEUES,
    RETURN,
    TIERS,
    DelayTier,
    Queue,
)
from evalbus.errors import Unavailable, WrongSettings
from evalbus.logs import get_logger

log = get_logger(__name__)

DECLARE_SECONDS_MAX = 30.0
QUEUE_BYTES_MAX = 2 * 1024**3
"""A queue that holds more refuses what is published; the publisher waits and tries again."""
NO_DELIVERY_LIMIT = 1_000_000_000
"""What lies among the dead letters must not be dropped, and RabbitMQ 4 has a limit of 20 where none is set."""


class Topology:
    """Holds nothing of the broker: each call looks at it anew."""

    def __init__(self, *, data_lost: DataLost | None) -> None:
        self._data_lost = data_lost
        self._one_at_a_time = asyncio.Lock()

    async def stand(self, connection: AbstractConnection) -> None:
        """Return when every exchange and queue is there.

        Declares them, or only looks for them where this user may not declare. Where the marker queue is
        missing, `data_lost` is called before it is declared again.
        """
        async with self._one_at_a_time, asyncio.timeout(DECLARE_SECONDS_MAX):
            has_lost = self._data_lost is not None and not await _is_there(connection, MARKER)
            try:
                async with _channel(connection) as channel:
                    await _declare_all(channel)
            except ChannelAccessRefused:
                await self._look(connection)
            except ChannelPreconditionFailed as error:
                raise WrongSettings(
                    f"a queue or exchange stands with other arguments than ours: {error.args[0]}"
                ) from None
            if has_lost:
                await self._mourn(connection)

    async def _look(self, connection: AbstractConnection) -> None:
        try:
            async with _channel(connection) as channel:
                await _look_at_all(channel)
        except ChannelNotFoundEntity as error:
            raise Unavailable(
                "the topology is not there and this user may not declare it"
                f" (evalbus migrate does): {error.args[0]}"
            ) from None

    async def _mourn(self, connection: AbstractConnection) -> None:
        assert self._data_lost is not None, "looked for only by those who can be told"
        log.warning("bus.data_lost", marker=MARKER)
        await self._data_lost()
        async with _channel(connection) as channel:
            await channel.declare_queue(MARKER, durable=True, arguments={"x-queue-type": "quorum"})


@dataclass(frozen=True, kw_only=True)
class QueueState:
    """What the broker says of a queue at this moment."""

    name: str
    messages: int
    """Those that nobody has taken yet."""
    consumers: int


async def look_at_queues(connection: AbstractConnection) -> tuple[QueueState, ...]:
    """Each queue that services consume. Raises what aio-pika does."""
    async with asyncio.timeout(DECLARE_SECONDS_MAX), _channel(connection) as channel:
        found = [await channel.declare_queue(queue.name, passive=True) for queue in QUEUES]
    results = [queue.declaration_result for queue in found]
    return tuple(
        QueueState(
            name=queue.name, messages=state.message_count or 0, consumers=state.consumer_count or 0
        )
        for queue, state in zip(QUEUES, results, strict=True)
    )


@asynccontextmanager
async def _channel(connection: AbstractConnection) -> AsyncGenerator[AbstractChannel, None]:
    """One of its own, because the broker closes the channel that asks for what it does not get."""
    channel = connection.channel(publisher_confirms=False)
    await channel.initialize()
    try:
        yield channel
    finally:
        await close_quietly(channel)


async def _is_there(connection: AbstractConnection, queue: str) -> bool:
    try:
        async with _channel(connection) as channel:
            await channel.declare_queue(queue, passive=True)
    except ChannelNotFoundEntity:
        return False
    return True


async def _declare_all(channel: AbstractChannel) -> None:
    for exchange in EXCHANGES:
        await channel.declare_exchange(exchange.name, exchange.type, durable=True)
    for tier in TIERS:
        await channel.declare_exchange(tier.name, "fanout", durable=True)
        delay = await channel.declare_queue(tier.name, durable=True, arguments=tier_arguments(tier))
        await delay.bind(tier.name, "")
    for each in QUEUES:
        queue = await channel.declare_queue(
            each.name, durable=True, arguments=queue_arguments(each)
        )
        await queue.bind(each.exchange.name, each.key)
        await queue.bind(RETURN.name, each.name)


async def _look_at_all(channel: AbstractChannel) -> None:
    for name in [exchange.name for exchange in EXCHANGES] + [tier.name for tier in TIERS]:
        await channel.declare_exchange(name, passive=True)
    for name in [queue.name for queue in QUEUES] + [tier.name for tier in TIERS]:
        await channel.declare_queue(name, passive=True)


def queue_arguments(queue: Queue) -> FieldTable:
    """Only what RabbitMQ 3.10 and 4 both carry out; 3.10 takes any argument and ignores those it does not know."""
    if not queue.is_quorum:
        return {"x-queue-type": "classic", **_BOUNDED}
    if queue == DEAD_QUEUE:
        return {"x-queue-type": "quorum", "x-delivery-limit": NO_DELIVERY_LIMIT, **_BOUNDED}
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD.name,
        "x-dead-letter-strategy": "at-least-once",
        **_BOUNDED,
    }


def tier_arguments(tier: DelayTier) -> FieldTable:
    """No dead-letter key: the message keeps the one it came with, which names the queue to return to."""
    return {
        "x-queue-type": "quorum",
        "x-message-ttl": tier.seconds * 1000,
        "x-dead-letter-exchange": RETURN.name,
        "x-dead-letter-strategy": "at-least-once",
        **_BOUNDED,
    }


_BOUNDED: FieldTable = {"x-overflow": "reject-publish", "x-max-length-bytes": QUEUE_BYTES_MAX}
