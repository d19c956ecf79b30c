"""The evaluator with real scoring children, and its way to models behind the queues of a real broker."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from evalbus.bus import codec
from evalbus.bus.base import Message
from evalbus.bus.memory import MemoryBus
from evalbus.bus.rabbitmq import RabbitMQBus
from evalbus.bus.rpc import RpcHandler
from evalbus.bus.topology import (
    ANSWERS_ASKED,
    ANSWERS_QUEUE,
    SCORED_QUEUE,
    WORK_LIVE,
    WORK_RECORDED,
)
from evalbus.evaluator.children import ScoringChildren
from evalbus.evaluator.reach import OutsideReach, open_reach
from evalbus.evaluator.service import serve
from evalbus.models import CallFailed
from evalbus.settings import Settings
from evalbus_schemas import cloudevents
from evalbus_schemas.chunks import Asking, ChunkRequested, Plan
from evalbus_schemas.queries import ANSWERS_FIND, AnswersFound, FindAnswers
from tests.buses import Inbox, to
from tests.parrot import Behaviour, Endpoint, a_parrot, a_row, install_parrot, never
from tests.scoring import JOB_ID, a_request, exact_match, parsed
from tests.servers.queue_model import QueueModel

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def _nothing_known(_: FindAnswers, __: Message) -> AnswersFound:
    return AnswersFound(answers=())


NOTHING_KNOWN = RpcHandler(
    methods={ANSWERS_FIND.name: _nothing_known},
    contracts={ANSWERS_FIND.name: ANSWERS_FIND},
    source="/tests",
)


@asynccontextmanager
async def running(
    endpoint: Endpoint, scored: Inbox, *, workers: int = 1
) -> AsyncGenerator[MemoryBus]:
    async with (
        MemoryBus(capacity=1000) as bus,
        bus.subscribe(SCORED_QUEUE, scored, prefetch=100),
        bus.subscribe(ANSWERS_QUEUE, Inbox(), prefetch=10),
        bus.subscribe(ANSWERS_ASKED, NOTHING_KNOWN, prefetch=10),
        ScoringChildren(workers, evaluator="here") as children,
        serve(bus, Settings(drain_seconds=0.1), children, endpoint),
    ):
        yield bus


def a_live_chunk(questions: Sequence[str], *, chunk: int = 0, concurrency: int = 16) -> Message:
    request = ChunkRequested(
        job_id=JOB_ID,
        job="capitals-1",
        workspace="default",
        chunk=chunk,
        dataset="capitals",
        first_row=chunk * 16,
        n_rows=len(questions),
        asking=Asking(concurrency=concurrency, max_retries=0, request_timeout=30, row_timeout=60),
        plan=Plan(model=a_parrot(), metrics=(exact_match(),)),
    )
    lines = b"\n".join(a_row(question) for question in questions)
    return codec.encode(request, cloudevents.CHUNK_REQUESTED, source="/tests", lines=lines)


def a_recorded_chunk(chunk: int) -> Message:
    lines = b"\n".join([b'{"output":"a","reference":"a"}'] * 500)
    return codec.encode(
        a_request(500, chunk=chunk), cloudevents.CHUNK_REQUESTED, source="/tests", lines=lines
    )


async def test_rows_are_rendered_asked_for_and_scored_and_one_that_kills_its_child_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    install_parrot(tmp_path, monkeypatch)
    endpoint, scored = Endpoint(), Inbox()

    # when
    async with running(endpoint, scored) as bus:
        await bus.publish(to(WORK_LIVE, a_live_chunk(["Paris", "crash", "Rome"])))
        (message,) = await scored.holds(1, seconds=60)

    # then
    result = parsed(message.body)
    assert result.columns == ((1.0, None, 1.0),)
    assert result.failed[1].code == "crashed"
    assert sorted(map(str, endpoint.prompts)) == ["Paris", "Rome"]
    assert [asked.calls for asked in result.header.asked] == [1, 0, 1]


async def test_models_that_are_slow_hold_up_neither_one_another_nor_recorded_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    install_parrot(tmp_path, monkeypatch)
    waiting: list[CallFailed | Behaviour] = [never() for _ in range(16 * 20)]
    endpoint, scored = Endpoint(first=waiting), Inbox()

    # when
    async with running(endpoint, scored) as bus:
        live = [a_live_chunk([f"{n}-{i}" for i in range(16)], chunk=n) for n in range(20)]
        await bus.publish(*(to(WORK_LIVE, chunk) for chunk in live))
        async with asyncio.timeout(30):
            while endpoint.at_work < 16 * 20:  # noqa: ASYNC110  # the endpoint tells nobody
                await asyncio.sleep(0.01)
        await bus.publish(*(to(WORK_RECORDED, a_recorded_chunk(n)) for n in range(10)))
        messages = await scored.holds(10, seconds=30)

    # then
    assert {parsed(message.body).header.n_rows for message in messages} == {500}


async def test_hundreds_of_slow_answers_take_no_longer_than_their_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    install_parrot(tmp_path, monkeypatch)
    endpoint, scored = Endpoint(seconds=0.2), Inbox()
    chunks = [
        a_live_chunk([f"{n}-{i}" for i in range(16)], chunk=n, concurrency=1) for n in range(50)
    ]

    # when
    async with running(endpoint, scored) as bus:
        started = time.monotonic()
        await bus.publish(*(to(WORK_LIVE, chunk) for chunk in chunks))
        messages = await scored.holds(len(chunks), seconds=60)
        seconds = time.monotonic() - started

    # then
    assert endpoint.at_work_max <= 50
    assert sum(parsed(message.body).columns[0].count(1.0) for message in messages) == 800
    assert seconds < 2 * 16 * 0.2


@asynccontextmanager
async def reaching(amqp_url: str, *, answer_bytes_max: int = 1000) -> AsyncGenerator[OutsideReach]:
    async with (
        RabbitMQBus(amqp_url) as bus,
        open_reach(bus, Settings(answer_bytes_max=answer_bytes_max)) as reach,
    ):
        yield reach


async def ask(
    reach: OutsideReach, queue: str, *, prompt: str = "Paris?", timeout_seconds: float = 20.0
) -> bytes:
    answer = await reach.ask_queue(
        queue,
        {"version": 1, "prompt": prompt},
        type=cloudevents.MODEL_REQUEST,
        message_id="call-17",
        headers={"evalbus-job": "capitals-1", "evalbus-row": "17"},
        traceparent=TRACEPARENT,
        expires_seconds=90.0,
        timeout_seconds=timeout_seconds,
    )
    return answer.body


async def test_a_model_behind_a_queue_is_asked_with_all_that_it_may_want_to_know(
    amqp_url: str, tmp_path: Path
) -> None:
    # given
    with QueueModel(amqp_url, "models.house", tmp_path) as model:
        # when
        async with reaching(amqp_url) as reach:
            body = await ask(reach, "models.house")

        # then
        (asked,) = model.asked
    assert orjson.loads(body)["output_text"] == "Paris?"
    assert asked.body == {"version": 1, "prompt": "Paris?"}
    assert asked.message_id == "call-17"
    assert asked.expiration_seconds == pytest.approx(90.0)
    assert (asked.headers["evalbus-job"], asked.row) == ("capitals-1", "17")
    assert asked.headers["traceparent"] == TRACEPARENT


async def test_a_queue_that_is_not_there_is_an_outage_that_names_it(amqp_url: str) -> None:
    # when
    async with reaching(amqp_url) as reach:
        with pytest.raises(CallFailed, match=r"models\.gone") as failed:
            await ask(reach, "models.gone")

    # then
    assert (failed.value.code, failed.value.is_retryable) == ("no_queue", True)
    assert failed.value.is_outage


async def test_a_model_that_does_not_reply_in_time_is_an_outage(
    amqp_url: str, tmp_path: Path
) -> None:
    # given
    with QueueModel(amqp_url, "models.house", tmp_path, manner="silent"):
        # when
        async with reaching(amqp_url) as reach:
            with pytest.raises(CallFailed) as failed:
                await ask(reach, "models.house", timeout_seconds=0.5)

    # then
    assert (failed.value.code, failed.value.is_retryable) == ("timeout", True)
    assert failed.value.is_outage


async def test_a_reply_over_the_limit_is_refused(amqp_url: str, tmp_path: Path) -> None:
    # given
    with QueueModel(amqp_url, "models.house", tmp_path):
        # when
        async with reaching(amqp_url) as reach:
            with pytest.raises(CallFailed, match="1000") as failed:
                await ask(reach, "models.house", prompt="x" * 2000)

    # then
    assert (failed.value.code, failed.value.is_retryable) == ("answer_too_large", False)


@pytest.mark.parametrize("queue", ["evalbus.work.live", "amq.rabbitmq.reply-to.x"])
async def test_a_model_cannot_write_into_the_queues_of_the_system(queue: str) -> None:
    # given
    written = Inbox()
    async with (
        MemoryBus() as bus,
        bus.subscribe(WORK_LIVE, written, prefetch=1),
        open_reach(bus, Settings()) as reach,
    ):
        # when
        with pytest.raises(CallFailed) as failed:
            await ask(reach, queue)

    # then
    assert (failed.value.code, failed.value.is_retryable) == ("no_queue", False)
    assert not written.messages
