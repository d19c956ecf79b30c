"""How those who are asked are reached from an evaluator: HTTP by whoever guards it, queues by the bus that the chunks came on."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from evalbus.bus.base import Bus, Message, Outgoing
from evalbus.errors import Unavailable, Unroutable
from evalbus.evaluator.advance import SOURCE
from evalbus.models import CallFailed
from evalbus.models.base import HttpAnswer, QueueAnswer
from evalbus.models.queue_service import RESERVED_PREFIXES
from evalbus.outside.http import Http
from evalbus.settings import Settings
from evalbus_schemas import cloudevents
from evalbus_schemas.base import JsonObject


@dataclass(frozen=True, kw_only=True)
class OutsideReach:
    """The `Reach` of production."""

    outside: Http
    bus: Bus
    answer_bytes_max: int

    async def post(
        self, url: str, body: JsonObject, *, secret: str | None, timeout_seconds: float
    ) -> HttpAnswer:
        return await self.outside.post(url, body, secret=secret, timeout_seconds=timeout_seconds)

    async def ask_queue(
        self,
        queue: str,
        body: JsonObject,
        *,
        type: str,
        message_id: str,
        headers: dict[str, str],
        traceparent: str | None,
        expires_seconds: float,
        timeout_seconds: float,
    ) -> QueueAnswer:
        # Whatever kind of model asks: the system's own queues are nobody's.
        if queue.startswith(RESERVED_PREFIXES):
            raise CallFailed(
                "no_queue",
                f"{queue!r} is no queue of a service's: its name is reserved",
                is_retryable=False,
            )
        message = Message(
            body=orjson.dumps(body),
            id=message_id,
            type=type,
            content_type=cloudevents.JSON,
            source=SOURCE,
            time=datetime.now(UTC),
            traceparent=traceparent,
            expires_seconds=expires_seconds,
            is_persistent=False,
            headers=headers,
        )
        try:
            answer = await self.bus.ask(
                Outgoing(message=message, exchange="", key=queue), timeout_seconds=timeout_seconds
            )
        except Unroutable:
            raise CallFailed(
                "no_queue", f"there is no queue {queue!r}", is_retryable=True, is_outage=True
            ) from None
        except Unavailable as error:
            raise CallFailed(
                "timeout", f"queue {queue!r}: {error}", is_retryable=True, is_outage=True
            ) from None
        if len(answer.body) > self.answer_bytes_max:
            raise CallFailed(
                "answer_too_large",
                f"the answer has {len(answer.body)} bytes, the limit is {self.answer_bytes_max}",
                is_retryable=False,
            )
        return QueueAnswer(body=answer.body, headers=answer.headers)


@asynccontextmanager
async def open_reach(bus: Bus, settings: Settings) -> AsyncGenerator[OutsideReach]:
    """Raises WrongSettings when it cannot be told where secrets may be sent."""
    async with Http.of(settings) as outside:
        yield OutsideReach(outside=outside, bus=bus, answer_bytes_max=settings.answer_bytes_max)
