"""Metrics that are services: what one says over HTTP, and one behind a queue, that score as a test wants them to."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from tests.servers.openai_endpoint import Act, returns

T = TypeVar("T")

STEP_SECONDS_MAX = 30.0
TYPE_HEADER = "cloudEvents:type"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request off the queue."""

    message_id: str
    type: str
    headers: Mapping[str, Any]
    body: Mapping[str, Any]
    number: int
    """1 for the first with this message id, 2 for its repeat."""


Behaviour = Callable[[Asked], bytes | None]
"""The body of the reply; None for none at all."""


def embeds(*vectors: object, tokens: int = 7) -> Act:
    """Embeddings as OpenAI-compatible endpoints give them."""
    data = [
        {"object": "embedding", "index": place, "embedding": vector}
        for place, vector in enumerate(vectors)
    ]
    return returns({"object": "list", "data": data, "usage": {"prompt_tokens": tokens}})


def gives(*scores: Mapping[str, object]) -> bytes:
    """A reply with scores, each `{name, value, label?, rationale?}`."""
    return json.dumps({"scores": scores}).encode()


def refuses(code: str, *, is_retryable: bool, **more: object) -> bytes:
    """A reply with an error."""
    error = {"code": code, "message": f"{code} it is", "retryable": is_retryable, **more}
    return json.dumps({"error": error}).encode()


class QueueMetric:
    """A consumer of a queue that replies by `behaviour`, which may be set to another one at any time; a context manager.

    It runs on a thread of its own. The queue stays when it is gone.
    """

    def __init__(self, amqp_url: str, queue: str, behaviour: Behaviour) -> None:
        self.queue = queue
        self.behaviour = behaviour
        self.asked: list[Asked] = []
        self._amqp_url = amqp_url
        self._seen: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="queue-metric", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self._connection = self._run(self._consume())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._connection.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _consume(self) -> aio_pika.abc.AbstractConnection:
        connection = await aio_pika.connect(self._amqp_url)
        channel = await connection.channel()
        queue = await channel.declare_queue(self.queue, durable=True)

        async def handle(message: AbstractIncomingMessage) -> None:
            await self._handle(message, channel)

        await queue.consume(handle)
        return connection

    async def _handle(self, message: AbstractIncomingMessage, channel: AbstractChannel) -> None:
        message_id = message.message_id or ""
        self._seen[message_id] += 1
        asked = Asked(
            message_id=message_id,
            type=str(message.headers.get(TYPE_HEADER, "")),
            headers=dict(message.headers),
            body=json.loads(message.body),
            number=self._seen[message_id],
        )
        self.asked.append(asked)
        body = self.behaviour(asked)
        if body is not None and message.reply_to:
            await channel.default_exchange.publish(
                aio_pika.Message(body, correlation_id=message.correlation_id),
                routing_key=message.reply_to,
            )
        await message.ack()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(STEP_SECONDS_MAX)
