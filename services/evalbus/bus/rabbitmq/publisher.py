"""Confirmed publishing that outlives channels, connections and a broker that is full."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aio_pika.abc import AbstractChannel
from aiormq.abc import AbstractChannel as RawChannel
from aiormq.exceptions import (
    ChannelAccessRefused,
    ChannelNotFoundEntity,
    DeliveryError,
    PublishError,
)

from evalbus.bus.backoff import Backoff
from evalbus.bus.base import Outgoing
from evalbus.bus.rabbitmq.link import CONNECTION_ERRORS, Link, cancellations, in_words
from evalbus.bus.rabbitmq.wire import properties_of
from evalbus.bus.topology import DEAD, QUEUES, RETURN, TIERS
from evalbus.errors import OverLimit, Unavailable, Unroutable

ATTEMPT_SECONDS_MAX = 15.0
BODY_BYTES_MAX = 16 * 1024 * 1024
"""Of more RabbitMQ 4 closes the channel, for everybody on it."""

_ROUTES = frozenset(
    {(queue.exchange.name, queue.key) for queue in QUEUES}
    | {(exchange, queue.name) for queue in QUEUES for exchange in (RETURN.name, DEAD.name)}
    | {(tier.name, queue.name) for queue in QUEUES for tier in TIERS}
)
"""Where a queue stands ready as long as the topology does."""


@dataclass(frozen=True, kw_only=True)
class _Failure:
    """Why a message was not confirmed; it may be delivered all the same."""

    why: str
    is_unroutable: bool = False


class Publisher:
    """Holds one channel of its connection, and replaces it when it is lost.

    Nothing is consumed on that connection: a broker short of memory stops reading from whoever publishes,
    and would not see acknowledgements either.
    """

    def __init__(
        self,
        link: Link,
        *,
        restore: Callable[[], Awaitable[None]],
        seconds_max: float,
    ) -> None:
        self._link = link
        self._restore = restore
        self._restored = 0
        self._restoring = asyncio.Lock()
        self._seconds_max = seconds_max
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()
        self._under_way: dict[str, asyncio.Future[None]] = {}

    async def publish(self, *outgoing: Outgoing) -> None:
        """Return when all are confirmed; when some are not, the others may be all the same."""
        if len(outgoing) == 1:
            return await self._publish_alone(outgoing[0])
        ends = await asyncio.gather(*map(self._publish_alone, outgoing), return_exceptions=True)
        for error in ends:
            if error is not None:
                raise error
        return None

    async def _publish_alone(self, outgoing: Outgoing) -> None:
        """One after the other under one id: the broker returns a message by its id only.

        Of two that are under way together the wrong one could be taken for confirmed.
        """
        key = outgoing.message.id
        while (other := self._under_way.get(key)) is not None:
            await asyncio.wait([other])
        done = self._under_way[key] = asyncio.get_running_loop().create_future()
        try:
            await self._publish_until_confirmed(outgoing)
        finally:
            del self._under_way[key]
            done.set_result(None)

    async def _publish_until_confirmed(self, outgoing: Outgoing) -> None:
        """Again and again, under the same id, until the broker has said yes or no or the time is over."""
        size = len(outgoing.message.body)
        if size > BODY_BYTES_MAX:
            raise OverLimit(f"a message of {size} bytes; the limit is {BODY_BYTES_MAX}")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._seconds_max
        backoff = Backoff(first_seconds=0.1, most_seconds=5.0)
        must_restore = False
        while True:
            failure = await self._attempt(outgoing, deadline, must_restore=must_restore)
            if failure is None:
                return
            if failure.is_unroutable:
                # Where the topology has a queue, somebody deleted it, and once it can be put back.
                if must_restore or (outgoing.exchange, outgoing.key) not in _ROUTES:
                    raise Unroutable(
                        f"nobody receives {outgoing.exchange!r} with key {outgoing.key!r}:"
                        f" {failure.why}"
                    )
                must_restore = True
            wait = backoff.next_seconds()
            if loop.time() + wait >= deadline:
                raise Unavailable(
                    f"RabbitMQ at {self._link.place} confirmed nothing"
                    f" within {self._seconds_max:g} s: {failure.why}"
                )
            await asyncio.sleep(wait)

    async def _attempt(
        self, outgoing: Outgoing, deadline: float, *, must_restore: bool
    ) -> _Failure | None:
        """Publish once; None when it was confirmed."""
        loop = asyncio.get_running_loop()
        before = cancellations()
        try:
            async with asyncio.timeout_at(min(deadline, loop.time() + ATTEMPT_SECONDS_MAX)):
                if must_restore:
                    await self._restore_once()
                await self._publish_once(outgoing)
        except PublishError:
            return _Failure(why="no queue takes it", is_unroutable=True)
        except (ChannelNotFoundEntity, ChannelAccessRefused) as error:
            why = in_words(error)
            # The channel is closed for everybody on it, and only one of them is to blame.
            is_ours = f"exchange '{outgoing.exchange or 'amq.default'}'" in why
            return _Failure(why=why, is_unroutable=is_ours)
        except DeliveryError:
            return _Failure(why="the broker refuses it; a queue may be full")
        except asyncio.CancelledError:
            if cancellations() > before:
                raise
            return _Failure(why="the connection was lost")
        except (*CONNECTION_ERRORS, Unavailable) as error:
            return _Failure(why=self._link.detail or in_words(error))
        return None

    async def _publish_once(self, outgoing: Outgoing) -> None:
        channel = await self._open_channel()
        await channel.basic_publish(
            outgoing.message.body,
            exchange=outgoing.exchange,
            routing_key=outgoing.key,
            properties=properties_of(outgoing.message),
            mandatory=outgoing.is_mandatory,
        )

    async def _open_channel(self) -> RawChannel:
        if self._channel is None or self._channel.is_closed or not self._link.is_up:
            async with self._opening:
                connection = await self._link.connection()
                if self._channel is None or self._channel.is_closed:
                    channel = connection.channel(publisher_confirms=True, on_return_raises=True)
                    await channel.initialize()
                    self._channel = channel
        return await self._channel.get_underlay_channel()

    async def _restore_once(self) -> None:
        """Declare again what somebody deleted; one does it for all who wait for it."""
        seen = self._restored
        async with self._restoring:
            if self._restored == seen:
                await self._restore()
                self._restored += 1
