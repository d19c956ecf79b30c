"""Live models for tests: built as a benchmark would, asked once, over HTTP or over a queue that only seems to be there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from evalbus.models import Call, CallFailed, LiveModel, Reply, build_model
from evalbus.models.base import HttpAnswer, QueueAnswer, Reach
from evalbus.outside.http import Http
from evalbus.outside.secrets import Secrets
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.scoring import a_plugin


def a_live_model(type: str, **parameters: Any) -> LiveModel:
    model = build_model(a_plugin(type, name="live", **parameters), RowLimits())
    assert isinstance(model, LiveModel)
    return model


def a_call(**changes: Any) -> Call:
    call: dict[str, Any] = {
        "id": "call-1",
        "job": "capitals-1",
        "row": 4,
        "timeout_seconds": 20.0,
        "expires_seconds": 60.0,
    }
    return Call(**call | changes)


async def asked_once(model: LiveModel, reach: Reach, item: JsonObject, **call: Any) -> Reply:
    """What the model answers for one item."""
    (request,) = model.requests([item])
    # As it is on its way from where it was rendered.
    return await model.ask(orjson.loads(orjson.dumps(request)), a_call(**call), reach)


async def failed_once(model: LiveModel, reach: Reach, item: JsonObject, **call: Any) -> CallFailed:
    """Why the model did not answer for one item."""
    with pytest.raises(CallFailed) as raised:
        await asked_once(model, reach, item, **call)
    return raised.value


def http_with(secret: str | None = None, **changes: Any) -> Http:
    """Real HTTP, to this machine as well, with the secret API_KEY."""
    environment = {} if secret is None else {"EVALBUS_SECRET_API_KEY": secret}
    options: dict[str, Any] = {"answer_bytes_max": 1_000_000, "allow_private": True}
    return Http(Secrets(folder=Path("/nonexistent"), environment=environment), **options | changes)


@dataclass
class HttpReach:
    """The outside world without a broker."""

    http: Http

    async def post(
        self, url: str, body: JsonObject, *, secret: str | None, timeout_seconds: float
    ) -> HttpAnswer:
        return await self.http.post(url, body, secret=secret, timeout_seconds=timeout_seconds)

    async def ask_queue(self, queue: str, body: JsonObject, **_: Any) -> QueueAnswer:
        raise AssertionError(f"nobody asked for queue {queue!r}")


@dataclass(frozen=True, kw_only=True)
class QueueRequest:
    """What would have been sent to a queue."""

    queue: str
    body: JsonObject
    type: str
    message_id: str
    headers: dict[str, str]
    traceparent: str | None
    expires_seconds: float
    timeout_seconds: float


@dataclass
class QueueReach:
    """A broker whose queues answer by a function, with a body or with CallFailed."""

    answer: Callable[[QueueRequest], bytes | CallFailed]
    asked: list[QueueRequest] = field(default_factory=list[QueueRequest])

    async def post(self, url: str, body: JsonObject, **_: Any) -> HttpAnswer:
        raise AssertionError(f"nobody asked for {url}")

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
        request = QueueRequest(
            queue=queue,
            body=body,
            type=type,
            message_id=message_id,
            headers=headers,
            traceparent=traceparent,
            expires_seconds=expires_seconds,
            timeout_seconds=timeout_seconds,
        )
        self.asked.append(request)
        answer = self.answer(request)
        if isinstance(answer, CallFailed):
            raise answer
        return QueueAnswer(body=answer, headers={})
