"""A live model for tests: what it is asked is the item's question, what it answers is up to the endpoint."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from evalbus.models import Call, CallFailed, LiveModel, Price, Reach, Reply
from evalbus.models.base import CacheMode, HttpAnswer, QueueAnswer
from evalbus.templates import RowsFailed, Template, TemplateError
from evalbus_schemas.base import Closed, JsonObject
from evalbus_schemas.benchmark import MetricPlugin
from evalbus_schemas.chunks import RowLimits

if TYPE_CHECKING:
    # Scoring children import this as well, and have no use for it.
    import pytest

ENDPOINT = "http://parrot.example/v1"


class Parrot(LiveModel):
    """Kills its process over the question `crash`, and has nothing to ask without a question."""

    class Parameters(Closed):
        endpoint: str = ENDPOINT
        cache: CacheMode = "off"
        is_priced: bool = False
        temperature: float = 0.0

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        self.endpoint = parameters.endpoint
        self.cache = parameters.cache
        self.price = (
            Price(input_per_million=1.0, output_per_million=2.0) if parameters.is_priced else None
        )
        self._temperature = parameters.temperature

    def templates(self) -> Mapping[str, Template]:
        return {}

    def requests(
        self, items: Sequence[JsonObject], samples: Sequence[JsonObject] | None = None
    ) -> list[JsonObject]:
        if any(item.get("question") == "crash" for item in items):
            os._exit(3)
        missing: dict[int, TemplateError] = {
            place: TemplateError("missing_field", "the item has no question")
            for place, item in enumerate(items)
            if "question" not in item
        }
        if missing:
            raise RowsFailed(missing)
        return [{"prompt": item["question"]} for item in items]

    def identity(self) -> JsonObject:
        return {"endpoint": self.endpoint, "temperature": self._temperature}

    async def ask(self, request: JsonObject, call: Call, reach: Reach) -> Reply:
        assert isinstance(reach, Endpoint), "it sees the whole call, of which a Reach knows a part"
        answer = await reach.answer(request, call)
        sample: JsonObject = {"output_text": answer}
        return Reply(sample=sample, input_tokens=10, output_tokens=5, log={"said": answer})


def a_parrot(
    *,
    name: str = "parrot",
    endpoint: str = ENDPOINT,
    cache: CacheMode = "off",
    is_priced: bool = False,
) -> MetricPlugin:
    parameters = {"endpoint": endpoint, "cache": cache, "is_priced": is_priced}
    return MetricPlugin.model_validate({"name": name, "type": "parrot", **parameters})


def install_parrot(folder: Path, monkeypatch: "pytest.MonkeyPatch") -> None:
    """As somebody else's package would be, for this process and for children that it starts."""
    record = folder / "parrot-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: parrot\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[evalbus.models]\nparrot = tests.parrot:Parrot\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{Path(__file__).parents[1]}")


Behaviour = Callable[[JsonObject, Call], Awaitable[str]]


def outage(message: str = "connection refused") -> CallFailed:
    return CallFailed("unreachable", message, is_retryable=True, is_outage=True)


def throttled(*, retry_after_seconds: float | None = None) -> CallFailed:
    return CallFailed(
        "http_429", "too many", is_retryable=True, retry_after_seconds=retry_after_seconds
    )


def refused() -> CallFailed:
    return CallFailed("http_400", "no such model", is_retryable=False)


@dataclass
class Endpoint:
    """Answers every prompt with itself, once what it was told to do first is done; keeps what it was asked.

    As a Reach it reaches nothing else.
    """

    first: list[CallFailed | Behaviour] = field(default_factory=list[CallFailed | Behaviour])
    down: CallFailed | None = None
    """As long as it is set, this is all there is."""
    seconds: float = 0.0
    calls: list[Call] = field(default_factory=list[Call])
    called_at: list[float] = field(default_factory=list[float])
    prompts: list[object] = field(default_factory=list[object])
    at_work: int = 0
    at_work_max: int = 0

    async def answer(self, request: JsonObject, call: Call) -> str:
        self.calls.append(call)
        self.called_at.append(asyncio.get_running_loop().time())
        self.prompts.append(request["prompt"])
        self.at_work += 1
        self.at_work_max = max(self.at_work_max, self.at_work)
        try:
            if self.seconds:
                await asyncio.sleep(self.seconds)
            if self.down is not None:
                raise self.down
            behaviour = self.first.pop(0) if self.first else None
            if isinstance(behaviour, CallFailed):
                raise behaviour
            if behaviour is not None:
                return await behaviour(request, call)
            return str(request["prompt"])
        finally:
            self.at_work -= 1

    async def post(
        self, url: str, body: JsonObject, *, secret: str | None, timeout_seconds: float
    ) -> HttpAnswer:
        raise AssertionError(f"nobody is to post to {url}")

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
        raise AssertionError(f"nobody is to ask {queue}")


def never() -> Behaviour:
    """A call that is never answered."""

    async def hang(_: JsonObject, __: Call) -> str:
        await asyncio.Event().wait()
        raise AssertionError("an event that nobody sets was set")

    return hang


def a_row(question: str, *, reference: str | None = None) -> bytes:
    return orjson.dumps({"question": question, "reference": reference or question})
