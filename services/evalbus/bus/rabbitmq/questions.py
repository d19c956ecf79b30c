"""Asking over the bus: requests that carry an address, and the answers that come to it."""

import asyncio
from dataclasses import replace
from uuid import uuid4

from aio_pika.abc import AbstractChannel
from aiormq.abc import AbstractChannel as RawChannel
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import DeliveryError, PublishError

from evalbus.bus.base import Message, Outgoing
from evalbus.bus.rabbitmq.link import (
    CONNECTION_ERRORS,
    Link,
    cancellations,
    close_quietly,
    in_words,
)
from evalbus.bus.rabbitmq.wire import properties_of, read
from evalbus.errors import Unavailable, Unroutable

DIRECT_REPLY_TO = "amq.rabbitmq.reply-to"
"""The broker's own address for answers: no queue is made for it, and it ends with the channel."""


class Questions:
    """Holds the channel that answers come on, and the questions that have none yet."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()
        self._open: dict[str, asyncio.Future[Message]] = {}

    async def ask(self, request: Outgoing, *, timeout_seconds: float) -> Message:
        before = cancellations()
        try:
            deadline = asyncio.get_running_loop().time() + timeout_seconds
            async with asyncio.timeout_at(deadline):
                return await self._ask(request, deadline)
        except PublishError:
            raise Unroutable(
                f"nobody receives {request.exchange!r} with key {request.key!r}"
            ) from None
        except TimeoutError:
            where = f" ({self._link.detail})" if self._link.detail else ""
            raise Unavailable(f"no answer within {timeout_seconds:g} s{where}") from None
        except asyncio.CancelledError:
            if cancellations() > before:
                raise
            raise Unavailable("the connection was lost before the answer came") from None
        except DeliveryError:
            raise Unavailable("RabbitMQ refuses the request; its queue may be full") from None
        except CONNECTION_ERRORS as error:
            raise Unavailable(f"the request could not be sent: {in_words(error)}") from None

    async def close(self) -> None:
        self._fail_all()
        if self._channel is not None:
            await close_quietly(self._channel)

    async def _ask(self, request: Outgoing, deadline: float) -> Message:
        loop = asyncio.get_running_loop()
        wanted = request.message.correlation_id
        number = wanted if wanted and wanted not in self._open else str(uuid4())
        answer: asyncio.Future[Message] = loop.create_future()
        self._open[number] = answer
        try:
            channel = await self._open_channel()
            # The broker begins to count when the question arrives, which may be late.
            left = max(0.0, deadline - loop.time())
            message = replace(
                request.message,
                correlation_id=number,
                reply_to=DIRECT_REPLY_TO,
                expires_seconds=request.message.expires_seconds or left,
            )
            await channel.basic_publish(
                message.body,
                exchange=request.exchange,
                routing_key=request.key,
                properties=properties_of(message, sender=self._link.user),
                mandatory=request.is_mandatory,
            )
            return await answer
        finally:
            del self._open[number]
            if answer.done() and not answer.cancelled():
                answer.exception()  # looked at, also when the question itself could not be sent

    async def _open_channel(self) -> RawChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                connection = await self._link.connection()
                channel = connection.channel(publisher_confirms=True, on_return_raises=True)
                await channel.initialize()
                channel.close_callbacks.add(self._on_closed)
                raw = await channel.get_underlay_channel()
                await raw.basic_consume(DIRECT_REPLY_TO, self._on_answer, no_ack=True)
                self._channel = channel
            return await self._channel.get_underlay_channel()

    async def _on_answer(self, delivered: DeliveredMessage) -> None:
        answer = read(delivered)
        question = self._open.get(answer.correlation_id or "")
        if question is not None and not question.done():
            question.set_result(answer)

    def _on_closed(self, _: AbstractChannel | None, __: BaseException | None) -> None:
        self._fail_all()

    def _fail_all(self) -> None:
        for question in self._open.values():
            if not question.done():
                question.set_exception(
                    Unavailable("the connection was lost before the answer came")
                )
