"""A model behind a queue: its contract, word by word."""

import json
from typing import Any

import pytest

from evalbus.errors import Invalid
from evalbus.models import CallFailed
from tests.asking import QueueReach, a_live_model, asked_once, failed_once


def answering(answer: object) -> QueueReach:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return QueueReach(lambda _: body)


def failing(**error: Any) -> QueueReach:
    return answering({"error": {"code": "busy", "message": "come back later"} | error})


MODEL: dict[str, Any] = {"queue": "models.house", "prompt": "{{ item.q }}"}


async def test_a_request_is_what_the_contract_says() -> None:
    # given
    reach = answering({"output_text": "Ada"})
    model = a_live_model("amqp", **MODEL, model="small-1", inference={"temperature": 0, "x": [1]})

    # when
    await asked_once(
        model,
        reach,
        {"q": "Who?"},
        id="stable-1",
        job="capitals-7",
        row=12,
        timeout_seconds=3.0,
        expires_seconds=45.0,
        traceparent="00-a-b-01",
    )

    # then
    (asked,) = reach.asked
    assert (asked.queue, asked.type) == ("models.house", "evalbus.model.request.v1")
    assert asked.body == {
        "version": 1,
        "model": "small-1",
        "prompt": "Who?",
        "inference": {"temperature": 0, "x": [1]},
    }
    assert asked.headers == {"evalbus-job": "capitals-7", "evalbus-row": "12"}
    assert (asked.message_id, asked.traceparent) == ("stable-1", "00-a-b-01")
    assert (asked.timeout_seconds, asked.expires_seconds) == (3.0, 45.0)


async def test_a_conversation_is_sent_as_messages() -> None:
    # given
    reach = answering({"output_text": "Ada"})
    model = a_live_model("amqp", **MODEL, system_prompt="Be brief.")

    # when
    await asked_once(model, reach, {"q": "Who?"})

    # then
    assert reach.asked[0].body == {
        "version": 1,
        "model": "models.house",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Who?"},
        ],
        "inference": {},
    }


async def test_the_sample_is_the_text_and_all_that_came_with_it() -> None:
    # given
    answer = {
        "output_text": "Ada",
        "usage": {"input_tokens": 7, "output_tokens": 3},
        "confidence": 0.5,
    }

    # when
    reply = await asked_once(a_live_model("amqp", **MODEL), answering(answer), {"q": "Who?"})

    # then
    assert reply.sample == {"output_text": "Ada", "response": answer}
    assert (reply.input_tokens, reply.output_tokens) == (7, 3)
    assert {**reply.log, "seconds": 0} == {
        "queue": "models.house",
        "body": {"version": 1, "model": "models.house", "prompt": "Who?", "inference": {}},
        "response": json.dumps(answer),
        "seconds": 0,
    }


async def test_tokens_need_not_be_told() -> None:
    reply = await asked_once(
        a_live_model("amqp", **MODEL), answering({"output_text": ""}), {"q": "Who?"}
    )

    assert (reply.input_tokens, reply.output_tokens) == (None, None)


@pytest.mark.parametrize(
    ("error", "is_retryable", "pause"),
    [
        ({"retryable": True, "retry_after_s": 2}, True, 2.0),
        ({"retryable": True, "retry_after_s": 0.5}, True, 0.5),
        ({"retryable": True, "retry_after_s": 1e9}, True, 1500.0),
        ({"retryable": True, "retry_after_s": -1}, True, None),
        ({"retryable": True, "retry_after_s": None}, True, None),
        ({"retryable": True}, True, None),
        ({"retryable": False}, False, None),
        ({}, False, None),
    ],
)
async def test_an_error_says_whether_and_when_asking_again_may_help(
    error: dict[str, Any], is_retryable: bool, pause: float | None
) -> None:
    # when
    failed = await failed_once(a_live_model("amqp", **MODEL), failing(**error), {"q": "Who?"})

    # then
    assert (failed.code, failed.is_retryable, failed.is_outage) == ("busy", is_retryable, False)
    assert failed.retry_after_seconds == pause
    assert failed.message == "queue models.house answered with an error: come back later"
    assert failed.log["error"] == failed.message


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"\xff\xfe",
        b'{"output_text": NaN}',
        [],
        {},
        {"output_text": None},
        {"output_text": 4},
        {"output_text": ["yes"]},
        {"error": "busy"},
        {"error": None},
        {"error": {}},
        {"error": {"code": 7, "message": "no"}},
        {"error": {"code": "two words\n", "message": "no"}},
        {"error": {"code": "busy", "message": "no", "retryable": "yes"}},
        {"error": {"code": "busy", "message": "no", "retry_after_s": "2"}},
    ],
)
async def test_garbage_is_a_failure_that_may_be_better_next_time(answer: object) -> None:
    # when
    failed = await failed_once(a_live_model("amqp", **MODEL), answering(answer), {"q": "Who?"})

    # then
    assert (failed.code, failed.is_retryable, failed.is_outage) == ("garbage", True, False)
    assert "models.house" in failed.message


async def test_a_queue_that_nobody_serves_leaves_a_request_log() -> None:
    # given
    reach = QueueReach(
        lambda _: CallFailed("no_queue", "there is none", is_retryable=True, is_outage=True)
    )

    # when
    failed = await failed_once(a_live_model("amqp", **MODEL), reach, {"q": "Who?"})

    # then
    assert (failed.code, failed.is_outage) == ("no_queue", True)
    assert failed.log.keys() == {"queue", "body", "error", "seconds"}


@pytest.mark.parametrize(
    "queue",
    [
        "evalbus.work.live",
        "evalbus.",
        "amq.gen-1",
        "amq.rabbitmq.reply-to.x",
        "",
        "a\nb",
        "a" * 256,
        "ä" * 128,
    ],
)
def test_queues_of_the_system_and_names_that_are_none_are_refused(queue: str) -> None:
    with pytest.raises(Invalid, match="model 'live': queue"):
        a_live_model("amqp", queue=queue, prompt="a")


def test_it_is_told_apart_by_all_that_its_answers_depend_on() -> None:
    # given
    changes: list[dict[str, Any]] = [
        {},
        {"queue": "other"},
        {"model": "m"},
        {"inference": {"x": 1}},
    ]

    # when
    identities = {
        json.dumps(a_live_model("amqp", **MODEL | change).identity()) for change in changes
    }

    # then
    assert len(identities) == len(changes)


def test_it_is_reached_at_its_queue_and_has_no_address_to_refuse() -> None:
    model = a_live_model("amqp", **MODEL, inference={"temperature": 0})

    model.check(allow_private=False)

    assert model.endpoint == "amqp:models.house"
    assert model.cache == "on"
