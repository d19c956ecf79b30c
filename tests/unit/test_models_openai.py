"""A model behind an OpenAI-compatible endpoint: what is sent, what is made of the answer, and how it fails."""

import json
import logging
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from evalbus.errors import Invalid, NotAllowed
from evalbus.models import CallFailed, LiveModel
from evalbus.models.base import Price
from tests.asking import HttpReach, a_live_model, asked_once, failed_once, http_with
from tests.servers.openai_endpoint import (
    Act,
    OpenAIEndpoint,
    betrays,
    drops,
    fails,
    hangs,
    html,
    redirects,
    returns,
    says,
    throttles,
    unpacks_to,
)

CANARY = "sk-canary/7f3a+0"


@pytest.fixture
def endpoint() -> Iterator[OpenAIEndpoint]:
    with OpenAIEndpoint() as started:
        yield started


@pytest.fixture
async def reach() -> AsyncGenerator[HttpReach]:
    async with http_with(CANARY) as http:
        yield HttpReach(http)


def a_model(endpoint: OpenAIEndpoint, **changes: Any) -> LiveModel:
    parameters: dict[str, Any] = {
        "url": endpoint.url,
        "model": "small-1",
        "prompt": "{{ item.q }}",
        "api_key_secret": "API_KEY",
    }
    return a_live_model("openai", **parameters | changes)


def test_what_it_is_reached_at_is_the_same_for_all_models_of_a_host() -> None:
    urls = ["https://API.example/v1", "https://api.example:443/other/", "https://api.example"]

    endpoints = {a_live_model("openai", url=url, model="m", prompt="a").endpoint for url in urls}

    assert endpoints == {"https://api.example:443"}


def test_it_is_told_apart_by_all_that_its_answers_depend_on() -> None:
    # given
    base: dict[str, Any] = {"url": "https://api.example/v1", "model": "m", "prompt": "a"}
    same: list[dict[str, Any]] = [
        {},
        {"prompt": "b"},
        {"display_name": "M"},
        {"url": "https://api.example/v1/"},
    ]
    others: list[dict[str, Any]] = [
        {"url": "https://api.example/v2"},
        {"url": "http://api.example/v1"},
        {"model": "n"},
        {"inference": {"temperature": 0}},
        {"inference": {"seed": 1}},
        {"api": "completions"},
    ]

    # when
    identities = {json.dumps(a_live_model("openai", **base | change).identity()) for change in same}
    other_identities = {
        json.dumps(a_live_model("openai", **base | change).identity()) for change in others
    }

    # then
    assert len(identities) == 1
    assert len(other_identities) == len(others)
    assert not identities & other_identities


@pytest.mark.parametrize(
    ("parameters", "mode"),
    [
        ({}, "off"),
        ({"inference": {"temperature": 0}}, "on"),
        ({"inference": {"temperature": 0.0}}, "on"),
        ({"inference": {"temperature": 0.1}}, "off"),
        ({"inference": {"temperature": None}}, "off"),
        ({"inference": {"temperature": 0}, "cache": "off"}, "off"),
        ({"cache": "read"}, "read"),
        ({"cache": "write"}, "write"),
        ({"cache": "on"}, "on"),
    ],
)
def test_answers_are_shared_at_temperature_zero_or_where_it_is_said(
    parameters: dict[str, Any], mode: str
) -> None:
    model = a_live_model("openai", url="https://api.example", model="m", prompt="a", **parameters)

    assert model.cache == mode


def test_a_price_is_known_with_the_model() -> None:
    # when
    price = {"input_per_million": 1, "output_per_million": 0.5}
    model = a_live_model("openai", url="https://api.example", model="m", prompt="a", price=price)

    # then
    assert model.price == Price(input_per_million=1.0, output_per_million=0.5)
    assert model.price.of(1_000_000, 2_000_000) == 2.0


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"url": "https://me:canary@api.example"}, "url: .*credentials"),
        ({"url": "https://api.example/v1?key=canary"}, "url: .*without"),
        ({"url": "https://api.example/v1#canary"}, "url: .*without"),
        ({"url": "file:///etc/passwd"}, "url: not a URL of http or https"),
        ({"api_key_secret": "PGPASSWORD"}, "api_key_secret"),
        ({"api_key_secret": "EVALBUS_DATABASE_URL"}, "api_key_secret"),
        ({"api_key_secret": "sk-canary"}, "api_key_secret"),
        ({"api_key": "sk-canary"}, "api_key"),
        ({"model": ""}, "model"),
    ],
)
def test_what_would_keep_a_secret_in_the_benchmark_is_refused_unrepeated(
    parameters: dict[str, Any], said: str
) -> None:
    # given
    base = {"url": "https://api.example", "model": "m", "prompt": "a"}

    # when
    with pytest.raises(Invalid, match=said) as raised:
        a_live_model("openai", **base | parameters)

    # then
    assert "canary" not in f"{raised.value} {raised.value.data}"


def test_a_private_address_is_refused_without_a_network() -> None:
    # given
    private = a_live_model("openai", url="http://192.168.7.7/v1", model="m", prompt="a")
    public = a_live_model("openai", url="https://api.example/v1", model="m", prompt="a")

    # when, then
    public.check(allow_private=False)
    private.check(allow_private=True)
    with pytest.raises(NotAllowed):
        private.check(allow_private=False)


async def test_the_request_holds_model_messages_and_inference(
    endpoint: OpenAIEndpoint, reach: HttpReach
) -> None:
    # given
    inference = {"temperature": 0, "max_tokens": 64, "seed": 7, "stop": ["."], "top_p": None}
    model = a_model(endpoint, inference=inference, system_prompt="Be brief.")

    # when
    await asked_once(model, reach, {"q": "Who?"})

    # then
    (asked,) = endpoint.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {CANARY}"
    assert asked.body == {
        "model": "small-1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Who?"},
        ],
        "temperature": 0,
        "max_tokens": 64,
        "seed": 7,
        "stop": ["."],
    }


async def test_plain_completions_have_a_path_and_a_prompt_of_their_own(
    endpoint: OpenAIEndpoint, reach: HttpReach
) -> None:
    # when
    reply = await asked_once(a_model(endpoint, api="completions"), reach, {"q": "Who?"})

    # then
    (asked,) = endpoint.asked
    assert asked.path == "/v1/completions"
    assert asked.body == {"model": "small-1", "prompt": "Who?"}
    assert reply.sample["output_text"] == "Who?"


async def test_the_sample_is_the_text_and_all_that_came_with_it(
    endpoint: OpenAIEndpoint, reach: HttpReach
) -> None:
    # given
    act = says("Ada Lovelace")
    endpoint.behaviour = lambda _: act

    # when
    reply = await asked_once(a_model(endpoint), reach, {"q": "Who?"})

    # then
    assert reply.sample == {"output_text": "Ada Lovelace", "response": json.loads(act.body)}
    assert (reply.input_tokens, reply.output_tokens) == (7, 3)


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (says(""), ""),
        (says(None, tool_calls=[{"id": "1"}]), ""),
        (says(None, refusal="I would rather not."), ""),
        (returns({"choices": [{"message": {"role": "assistant", "tool_calls": []}}]}), ""),
        (
            returns(
                {
                    "choices": [
                        {
                            "message": {
                                "content": [
                                    {"type": "text", "text": "Ada "},
                                    {"type": "image_url", "image_url": {}},
                                    {"type": "text", "text": "Lovelace"},
                                ]
                            }
                        }
                    ]
                }
            ),
            "Ada Lovelace",
        ),
    ],
)
async def test_an_answer_without_plain_text_is_still_an_answer(
    endpoint: OpenAIEndpoint, reach: HttpReach, act: Act, text: str
) -> None:
    # given
    endpoint.behaviour = lambda _: act

    # when
    reply = await asked_once(a_model(endpoint), reach, {"q": "Who?"})

    # then
    assert reply.sample == {"output_text": text, "response": json.loads(act.body)}


@pytest.mark.parametrize(
    "usage",
    [
        [],
        "many",
        {"prompt_tokens": -1, "completion_tokens": 1.5},
        {"prompt_tokens": True, "completion_tokens": "3"},
        {"prompt_tokens": 2**40, "completion_tokens": None},
    ],
)
async def test_tokens_that_cannot_be_are_not_counted(
    endpoint: OpenAIEndpoint, reach: HttpReach, usage: object
) -> None:
    # given
    endpoint.behaviour = lambda _: says("yes", usage=usage)

    # when
    reply = await asked_once(a_model(endpoint), reach, {"q": "Who?"})

    # then
    assert (reply.input_tokens, reply.output_tokens) == (None, None)


def nested(*, levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels - 1):
        value = [value]
    return value


async def test_an_answer_may_have_as_many_levels_as_its_readers_bear(
    endpoint: OpenAIEndpoint, reach: HttpReach
) -> None:
    # Response, choices, choice and message are four of the hundred.
    endpoint.behaviour = lambda _: says("yes", notes=nested(levels=96))

    reply = await asked_once(a_model(endpoint), reach, {"q": "Who?"})

    assert reply.sample["output_text"] == "yes"


@pytest.mark.parametrize(
    "act",
    [
        html(),
        Act(body=b""),
        Act(body=b"\xff\xfe"),
        Act(body=b'{"choices": [{"message": {"content": NaN}}]}'),
        Act(body=b"[" * 100_000),
        returns([]),
        returns("yes"),
        returns(None),
        returns({}),
        returns({"choices": []}),
        returns({"choices": {}}),
        returns({"choices": ["yes"]}),
        returns({"choices": [{"message": "yes"}]}),
        returns({"choices": [{"message": {"role": "assistant"}}]}),
        returns({"choices": [{"message": {"content": 4}}]}),
        returns({"choices": [{"message": {"content": ["yes"]}}]}),
        returns({"choices": [{"text": "yes"}]}),
        returns({"error": {"message": "overloaded"}}),
        says("yes", notes=nested(levels=97)),
        says("yes", notes=nested(levels=300)),
    ],
)
async def test_garbage_is_a_failure_that_may_be_better_next_time(
    endpoint: OpenAIEndpoint, reach: HttpReach, act: Act
) -> None:
    # given
    endpoint.behaviour = lambda _: act

    # when
    failed = await failed_once(a_model(endpoint), reach, {"q": "Who?"})

    # then
    assert (failed.code, failed.is_retryable, failed.is_outage) == ("garbage", True, False)
    assert f"127.0.0.1:{endpoint.port}" in failed.message
    assert len(failed.message) < 600


@pytest.mark.parametrize(
    ("act", "code", "is_retryable"),
    [
        (fails(400, "context too long"), "http_400", False),
        (fails(401, "who are you"), "http_401", False),
        (fails(404, "no such model"), "http_404", False),
        (fails(500, "oh"), "http_500", True),
        (throttles("2"), "http_429", True),
        (hangs(), "timeout", True),
        (drops(), "unreachable", True),
        (unpacks_to(4_000_000), "answer_too_large", False),
        (redirects("http://elsewhere.example/"), "redirected", False),
    ],
)
async def test_a_failure_says_whether_asking_again_may_help(
    endpoint: OpenAIEndpoint, reach: HttpReach, act: Act, code: str, is_retryable: bool
) -> None:
    # given
    endpoint.behaviour = lambda _: act

    # when
    failed = await failed_once(a_model(endpoint), reach, {"q": "Who?"}, timeout_seconds=0.5)

    # then
    assert (failed.code, failed.is_retryable) == (code, is_retryable)
    assert failed.retry_after_seconds == (2.0 if code == "http_429" else None)


async def test_the_request_log_holds_what_was_sent_and_what_came_back(
    endpoint: OpenAIEndpoint, reach: HttpReach
) -> None:
    # given
    act = says("Ada", seconds=0.05)
    endpoint.behaviour = lambda _: act

    # when
    reply = await asked_once(a_model(endpoint), reach, {"q": "Who?"})

    # then
    seconds = reply.log["seconds"]
    assert isinstance(seconds, float)
    assert 0.05 <= seconds < 20
    assert {**reply.log, "seconds": None} == {
        "url": f"{endpoint.url}/chat/completions",
        "body": {"model": "small-1", "messages": [{"role": "user", "content": "Who?"}]},
        "status": 200,
        "response": act.body.decode(),
        "seconds": None,
    }


async def test_the_request_log_of_a_failure_says_why(
    endpoint: OpenAIEndpoint, reach: HttpReach
) -> None:
    # given
    endpoint.behaviour = lambda _: throttles("2")
    model = a_model(endpoint)

    # when
    throttled = await failed_once(model, reach, {"q": "Who?"})
    endpoint.stop()
    unreachable = await failed_once(model, reach, {"q": "Who?"})

    # then
    assert throttled.log["status"] == 429
    assert throttled.log["error"] == throttled.message
    assert "too many requests" in str(throttled.log["response"])
    assert unreachable.log.keys() == {"url", "body", "error", "seconds"}


async def test_the_request_log_of_a_long_conversation_is_cut(
    endpoint: OpenAIEndpoint, reach: HttpReach
) -> None:
    # when
    reply = await asked_once(a_model(endpoint), reach, {"q": "a" * 400_000})

    # then
    assert reply.sample["output_text"] == "a" * 400_000
    assert len(json.dumps(reply.log)) < 40_000


@pytest.mark.parametrize("act", [betrays, html(), drops(), fails(500), says("yes")])
async def test_the_canary_is_in_no_sample_no_failure_and_no_log(
    endpoint: OpenAIEndpoint, reach: HttpReach, act: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # given
    endpoint.behaviour = act if callable(act) else lambda _: act
    caplog.set_level(logging.DEBUG)

    # when
    said = ""
    try:
        said = repr(await asked_once(a_model(endpoint), reach, {"q": "Who?"}))
    except CallFailed as failed:
        said = repr((failed, vars(failed)))

    # then
    assert endpoint.asked[0].headers["authorization"] == f"Bearer {CANARY}"
    assert "canary" not in said
    assert "canary" not in caplog.text


async def test_a_model_that_repeats_the_key_in_its_answer_is_not_quoted(
    endpoint: OpenAIEndpoint, reach: HttpReach
) -> None:
    # given
    endpoint.behaviour = lambda asked: says(f"your header is {asked.headers['authorization']}")

    # when
    reply = await asked_once(a_model(endpoint), reach, {"q": "Who?"})

    # then
    assert reply.sample["output_text"] == "your header is Bearer [API_KEY]"
    assert "canary" not in repr(reply)
