"""What every live model promises, asked over what it is really reached by; a new one adds its row to CASES."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from evalbus.bus.rabbitmq import RabbitMQBus
from evalbus.evaluator.reach import OutsideReach
from evalbus.models import MODELS, OUTPUT_TEXT, LiveModel
from evalbus_schemas.base import JsonObject
from tests.asking import a_live_model, asked_once, failed_once, http_with
from tests.buses import eventually
from tests.servers.openai_endpoint import Act, OpenAIEndpoint, fails, hangs, html, throttles
from tests.servers.queue_model import Manner, QueueModel

QUEUE = "models.house"
ITEM: JsonObject = {"q": "Who was Ada Lovelace? «é»"}


class Served(Protocol):
    """A model that somebody serves."""

    parameters: dict[str, Any]
    """Where to reach it, for a benchmark file."""

    @property
    def prompts(self) -> list[str]:
        """What it has been asked, in order."""
        ...

    def go_away(self) -> None:
        """As in a crash."""
        ...

    def come_back(self) -> None: ...


class ServedOverHttp:
    ACTS: dict[Manner, Act] = {
        "throttled": throttles("2"),
        "refuses": fails(400, "this is too long"),
        "garbage": html(),
        "silent": hangs(),
    }

    def __init__(self, endpoint: OpenAIEndpoint, manner: Manner) -> None:
        self._endpoint = endpoint
        if manner != "echo":
            endpoint.behaviour = lambda _: self.ACTS[manner]
        self.parameters = {"url": endpoint.url, "model": "small-1"}
        self.go_away = endpoint.stop
        self.come_back = endpoint.start

    @property
    def prompts(self) -> list[str]:
        return [asked.prompt for asked in self._endpoint.asked]


class ServedOnAQueue:
    def __init__(self, model: QueueModel) -> None:
        self._model = model
        self.parameters = {"queue": model.queue}
        self.go_away = model.kill
        self.come_back = model.start

    @property
    def prompts(self) -> list[str]:
        return [asked.prompt for asked in self._model.asked]


@asynccontextmanager
async def over_http(_url: str, _folder: Path, manner: Manner) -> AsyncGenerator[Served]:
    with OpenAIEndpoint() as endpoint:
        yield ServedOverHttp(endpoint, manner)


@asynccontextmanager
async def on_a_queue(url: str, folder: Path, manner: Manner) -> AsyncGenerator[Served]:
    model = QueueModel(url, QUEUE, folder, manner=manner, retry_after_s=2.0)
    try:
        await asyncio.to_thread(model.start)
        yield ServedOnAQueue(model)
    finally:
        await asyncio.to_thread(model.stop)


Serving = AbstractAsyncContextManager[Served]

CASES: dict[str, Callable[[str, Path, Manner], Serving]] = {"openai": over_http, "amqp": on_a_queue}


@dataclass(frozen=True, kw_only=True)
class Place:
    """Starts models of one kind, and reaches them."""

    type: str
    serving: Callable[[Manner], Serving]
    reach: OutsideReach

    def model(self, served: Served) -> LiveModel:
        return a_live_model(self.type, prompt="{{ item.q }}", **served.parameters)


@pytest.fixture(params=sorted(CASES))
async def place(
    request: pytest.FixtureRequest, amqp_url: str, tmp_path: Path
) -> AsyncGenerator[Place]:
    kind: str = request.param
    async with RabbitMQBus(amqp_url) as bus, http_with() as http:
        yield Place(
            type=kind,
            serving=lambda manner: CASES[kind](amqp_url, tmp_path, manner),
            reach=OutsideReach(outside=http, bus=bus, answer_bytes_max=1_000_000),
        )


def test_every_live_model_there_is_has_a_case() -> None:
    live = {name for name, model in MODELS.builtin.items() if issubclass(model, LiveModel)}
    assert set(CASES) == live


async def test_a_request_gets_a_sample_with_text_tokens_and_a_log(place: Place) -> None:
    async with place.serving("echo") as served:
        reply = await asked_once(place.model(served), place.reach, ITEM)

    assert reply.sample[OUTPUT_TEXT] == ITEM["q"]
    assert reply.sample.keys() == {OUTPUT_TEXT, "response"}
    assert (reply.input_tokens, reply.output_tokens) == (7, 3)
    assert {"body", "response", "seconds"} <= reply.log.keys()


async def test_many_requests_at_once_get_each_its_own_answer(place: Place) -> None:
    # given
    items: list[JsonObject] = [{"q": f"question {number}"} for number in range(50)]

    # when
    async with place.serving("echo") as served:
        model = place.model(served)
        replies = await asyncio.gather(
            *(asked_once(model, place.reach, item, id=str(item["q"])) for item in items)
        )

        # then
        assert [reply.sample[OUTPUT_TEXT] for reply in replies] == [item["q"] for item in items]
        assert sorted(served.prompts) == sorted(str(item["q"]) for item in items)


async def test_a_throttled_request_may_be_repeated_after_the_pause_that_was_asked_for(
    place: Place,
) -> None:
    async with place.serving("throttled") as served:
        failed = await failed_once(place.model(served), place.reach, ITEM)

    assert (failed.is_retryable, failed.is_outage, failed.retry_after_seconds) == (True, False, 2)


async def test_a_request_that_was_refused_is_not_repeated(place: Place) -> None:
    async with place.serving("refuses") as served:
        failed = await failed_once(place.model(served), place.reach, ITEM)

    assert (failed.is_retryable, failed.is_outage) == (False, False)
    assert "this is too long" in failed.message


async def test_garbage_may_be_better_next_time(place: Place) -> None:
    async with place.serving("garbage") as served:
        failed = await failed_once(place.model(served), place.reach, ITEM)

    assert (failed.code, failed.is_retryable, failed.is_outage) == ("garbage", True, False)


async def test_no_answer_within_the_time_is_an_outage(place: Place) -> None:
    async with place.serving("silent") as served:
        failed = await failed_once(place.model(served), place.reach, ITEM, timeout_seconds=0.5)

        # The request arrived; only nothing came back.
        await eventually(lambda: served.prompts == [ITEM["q"]])

    assert (failed.code, failed.is_retryable, failed.is_outage) == ("timeout", True, True)
    assert failed.log["error"] == failed.message


async def test_a_model_that_went_away_is_an_outage_until_it_is_back(place: Place) -> None:
    async with place.serving("echo") as served:
        # given
        model = place.model(served)
        await asked_once(model, place.reach, ITEM)
        await asyncio.to_thread(served.go_away)

        # when
        failed = await failed_once(
            model, place.reach, ITEM, timeout_seconds=0.5, expires_seconds=0.5
        )
        await asyncio.to_thread(served.come_back)
        reply = await asked_once(model, place.reach, ITEM)

    # then
    assert (failed.is_retryable, failed.is_outage) == (True, True)
    assert reply.sample[OUTPUT_TEXT] == ITEM["q"]


async def test_a_call_that_is_cancelled_leaves_the_next_one_alone(place: Place) -> None:
    async with place.serving("echo") as served:
        # given
        model = place.model(served)
        calls = [asyncio.create_task(asked_once(model, place.reach, ITEM)) for _ in range(5)]
        await eventually(lambda: len(served.prompts) > 0)

        # when
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

        # then
        reply = await asked_once(model, place.reach, {"q": "and now?"})
        assert reply.sample[OUTPUT_TEXT] == "and now?"


async def test_a_request_that_a_killed_consumer_had_in_hand_is_answered_by_another(
    amqp_url: str, tmp_path: Path
) -> None:
    # given
    slow = QueueModel(amqp_url, QUEUE, tmp_path, seconds=600.0)
    quick = QueueModel(amqp_url, QUEUE, tmp_path)
    model = a_live_model("amqp", queue=QUEUE, prompt="{{ item.q }}")
    try:
        await asyncio.to_thread(slow.start)
        async with RabbitMQBus(amqp_url) as bus, http_with() as http:
            reach = OutsideReach(outside=http, bus=bus, answer_bytes_max=1_000_000)
            call = asyncio.create_task(asked_once(model, reach, ITEM, id="stable-1"))
            await eventually(lambda: len(slow.asked) == 1)

            # when
            await asyncio.to_thread(quick.start)
            await asyncio.to_thread(slow.kill)
            reply = await call

            # then
            assert reply.sample[OUTPUT_TEXT] == ITEM["q"]
            (first,), (second,) = slow.asked, quick.asked
            assert (first.message_id, second.message_id) == ("stable-1", "stable-1")
            assert second.is_redelivered
            assert (second.headers["evalbus-job"], second.row) == ("capitals-1", "4")
    finally:
        await asyncio.to_thread(slow.kill)
        await asyncio.to_thread(quick.stop)


async def test_a_queue_that_nobody_made_is_an_outage(amqp_url: str) -> None:
    model = a_live_model("amqp", queue="models.nowhere", prompt="{{ item.q }}")

    async with RabbitMQBus(amqp_url) as bus, http_with() as http:
        reach = OutsideReach(outside=http, bus=bus, answer_bytes_max=1_000_000)
        failed = await failed_once(model, reach, ITEM)

    assert (failed.code, failed.is_retryable, failed.is_outage) == ("no_queue", True, True)
