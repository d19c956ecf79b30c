"""A metric behind an endpoint: what is posted, what is made of the answer, and how it fails."""

import json
import math
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalbus.errors import Invalid, NotAllowed
from evalbus.metrics import Batch, LiveMetric, build_metric
from evalbus.metrics.json_path import JsonPath
from evalbus.models import CallFailed
from evalbus.templates import RowsFailed
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.asking import HttpReach, http_with
from tests.metric_asking import failure, question, reply, scored, scored_once
from tests.scoring import a_plugin
from tests.servers.openai_endpoint import (
    Act,
    OpenAIEndpoint,
    betrays,
    breaks_off,
    drops,
    fails,
    hangs,
    html,
    redirects,
    returns,
    throttles,
    unpacks_to,
)

CANARY = "sk-canary/7f3a+0"
ITEM: JsonObject = {"question": "2 + 2?", "answer": 4, "tags": ["a", "b"]}
SAMPLE: JsonObject = {"output_text": "four"}


@pytest.fixture
def endpoint() -> Iterator[OpenAIEndpoint]:
    with OpenAIEndpoint() as started:
        yield started


@pytest.fixture
async def reach() -> AsyncGenerator[HttpReach]:
    async with http_with(CANARY) as http:
        yield HttpReach(http)


def a_score(name: str = "quality", path: str = "$.score", **more: Any) -> dict[str, Any]:
    return {"name": name, "parser": {"json_path": path}, **more}


def a_remote(**changes: Any) -> LiveMetric:
    parameters: dict[str, Any] = {
        "url": "https://scores.example/evaluate",
        "body": {"answer": "{{ sample.output_text }}"},
        "scores": [a_score()],
    }
    metric = build_metric(a_plugin("remote", **parameters | changes), RowLimits())
    assert isinstance(metric, LiveMetric)
    return metric


def said(response: JsonObject, **score: Any) -> tuple[float, str]:
    """The value of one score in an answer, and why there is none."""
    row = scored(a_remote(scores=[a_score(**score)]), ITEM, answer={"response": response})
    return row.values[0], row.code


def test_every_text_of_the_body_is_a_template_and_a_lone_one_keeps_its_type() -> None:
    # given
    body = {
        "mode": "strict",
        "limit": 3,
        "item": "{{ item }}",
        "pair": ["{{ item.answer }}", "is {{ sample.output_text }}"],
        "a b": {"c.d": "{{ item.tags }}", "none": None, "deep": [[{"x": "{{ item.tags[1] }}"}]]},
    }

    # when
    asked = question(a_remote(body=body), ITEM, SAMPLE)

    # then
    assert asked == {
        "mode": "strict",
        "limit": 3,
        "item": ITEM,
        "pair": [4, "is four"],
        "a b": {"c.d": ["a", "b"], "none": None, "deep": [[{"x": "b"}]]},
    }


def test_its_templates_are_known_by_where_they_stand_in_the_body() -> None:
    metric = a_remote(body={"a": {"b": "{{ item.x }}"}, "a.b": "{{ item.y }}", "c": ["z"], "d": 1})

    assert {place: template.text for place, template in metric.templates().items()} == {
        "body.a.b": "{{ item.x }}",
        "body['a.b']": "{{ item.y }}",
        "body.c.0": "z",
    }


def test_null_is_sent_as_null() -> None:
    assert question(a_remote(), {}, {"output_text": None}) == {"answer": None}


def test_rows_that_cannot_be_asked_about_are_named_so_that_the_others_can() -> None:
    # given
    metric = a_remote(body={"x": "{{ item.x }}"})

    # when
    with pytest.raises(RowsFailed) as raised:
        metric.questions(Batch([{"x": 1}, {}, {"x": 3}], [{}] * 3))

    # then
    assert {row: error.code for row, error in raised.value.errors.items()} == {1: "missing_field"}


@pytest.mark.parametrize("text", ["{{ '\\ud800' }}", "x{{ item.half }}"])
def test_a_text_that_cannot_be_sent_fails_its_row_alone(text: str) -> None:
    # given
    metric = a_remote(body={"x": text})

    # when
    with pytest.raises(RowsFailed) as raised:
        metric.questions(Batch([{"half": "\ud800"}], [{}]))

    # then
    assert {row: error.code for row, error in raised.value.errors.items()} == {0: "unsendable"}


async def test_a_row_is_posted_and_scored_by_the_answer(
    endpoint: OpenAIEndpoint, reach: HttpReach
) -> None:
    # given
    endpoint.behaviour = lambda _: returns({"result": {"score": 0.75}, "passed": True})
    metric = a_remote(
        url=f"{endpoint.url}/evaluate",
        api_key_secret="API_KEY",
        scores=[a_score("quality", "$.result.score"), a_score("passed", "$['passed']")],
    )

    # when
    answer = await reply(metric, reach, ITEM, SAMPLE)
    row = scored(metric, ITEM, SAMPLE, answer=answer.sample)

    # then
    assert row.values == [0.75, 1.0]
    assert [score.name for score in metric.scores] == ["quality", "passed"]
    (asked,) = endpoint.asked
    assert (asked.path, asked.body) == ("/v1/evaluate", {"answer": "four"})
    assert asked.headers["authorization"] == f"Bearer {CANARY}"
    assert answer.log.pop("seconds") != 0
    assert answer.log == {
        "url": f"{endpoint.url}/evaluate",
        "body": {"answer": "four"},
        "status": 200,
        "response": '{"result": {"score": 0.75}, "passed": true}',
    }


async def test_an_evaluator_of_nemo_agent_toolkit_is_a_body_and_a_path(
    endpoint: OpenAIEndpoint, reach: HttpReach
) -> None:
    # given
    endpoint.behaviour = lambda _: returns({"success": True, "result": {"score": 0.5}})
    metric = a_remote(
        url=endpoint.url,
        body={"evaluator_name": "accuracy", "item": "{{ item }}"},
        scores=[a_score("accuracy", "$.result.score", minimum=0, maximum=1)],
    )

    # when
    row = await scored_once(metric, reach, ITEM, SAMPLE)

    # then
    assert row.values == [0.5]
    assert endpoint.asked[0].body == {"evaluator_name": "accuracy", "item": ITEM}


@pytest.mark.parametrize(
    ("found", "value"),
    [(0, 0.0), (-3, -3.0), (0.25, 0.25), (True, 1.0), (False, 0.0), (1e308, 1e308)],
)
def test_numbers_count_as_they_are_and_true_and_false_as_one_and_zero(
    found: Any, value: float
) -> None:
    assert said({"score": found}) == (value, "")


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ({}, "no_value"),
        ({"score": None}, "no_value"),
        ({"SCORE": 1}, "no_value"),
        ({"score": "0.5"}, "unparsable"),
        ({"score": "high"}, "unparsable"),
        ({"score": [1]}, "unparsable"),
        ({"score": {"value": 1}}, "unparsable"),
        ({"score": "\ud800" * 1000}, "unparsable"),
        ({"score": "NaN"}, "non_finite"),
        ({"score": " nan "}, "non_finite"),
        ({"score": "-Infinity"}, "non_finite"),
        ({"score": math.nan}, "non_finite"),
        ({"score": math.inf}, "non_finite"),
        ({"score": 10**400}, "non_finite"),
    ],
)
def test_what_is_no_number_is_no_score_and_says_why(response: Any, reason: str) -> None:
    value, code = said(response)

    assert math.isnan(value)
    assert code == reason


@pytest.mark.parametrize(
    ("found", "reason"),
    [(0, ""), (1, ""), (-0.001, "out_of_range"), (1.001, "out_of_range"), (7, "out_of_range")],
)
def test_a_value_outside_of_its_range_is_no_score(found: float, reason: str) -> None:
    value, code = said({"score": found}, minimum=0, maximum=1)

    assert (code, math.isnan(value)) == (reason, reason != "")


def test_a_row_says_everything_that_it_lacks_and_keeps_what_it_has() -> None:
    # given
    metric = a_remote(
        scores=[a_score("a", "$.a"), a_score("b", "$.b"), a_score("c", "$.c", maximum=1)]
    )

    # when
    row = scored(metric, ITEM, answer={"response": {"b": 2, "c": 3}})

    # then
    assert [str(value) for value in row.values] == ["nan", "2.0", "nan"]
    assert row.code == "no_value"
    assert row.message == "a: the answer has no value at $.a; c: 3 is more than 1"


@pytest.mark.parametrize(
    ("act", "code", "is_retryable", "is_outage"),
    [
        (fails(500), "http_500", True, True),
        (fails(503), "http_503", True, True),
        (throttles("2"), "http_429", True, False),
        (fails(400), "http_400", False, False),
        (fails(404), "http_404", False, False),
        (html(), "garbage", True, False),
        (Act(body=b""), "garbage", True, False),
        (Act(body=b"\xff\xfe"), "garbage", True, False),
        (Act(body=b'{"score": NaN}'), "garbage", True, False),
        (Act(body=b'{"score": 1e400}'), "garbage", True, False),
        (Act(body=b'{"score": "\\ud800"}'), "garbage", True, False),
        (Act(body=b'{"score":' + b"[" * 500 + b"]" * 500 + b"}"), "garbage", True, False),
        (returns([0.5]), "garbage", True, False),
        (returns(0.5), "garbage", True, False),
        (drops(), "unreachable", True, True),
        (breaks_off(), "broken_off", True, True),
        (redirects("http://127.0.0.1/"), "redirected", False, False),
    ],
)
async def test_an_answer_that_is_none_says_whether_asking_again_may_help(
    endpoint: OpenAIEndpoint,
    reach: HttpReach,
    act: Act,
    code: str,
    is_retryable: bool,
    is_outage: bool,
) -> None:
    # given
    endpoint.behaviour = lambda _: act

    # when
    failed = await failure(a_remote(url=endpoint.url), reach, ITEM)

    # then
    assert (failed.code, failed.is_retryable, failed.is_outage) == (code, is_retryable, is_outage)
    assert failed.log["error"] == failed.message
    assert failed.log["body"] == {"answer": ""}


async def test_a_hundred_megabytes_are_not_read_to_their_end(
    endpoint: OpenAIEndpoint, reach: HttpReach
) -> None:
    # given
    bomb = unpacks_to(100_000_000)
    endpoint.behaviour = lambda _: bomb

    # when
    failed = await failure(a_remote(url=endpoint.url), reach, ITEM)

    # then
    assert (failed.code, failed.is_retryable) == ("answer_too_large", False)


async def test_a_service_that_never_answers_is_given_up(
    endpoint: OpenAIEndpoint, reach: HttpReach
) -> None:
    # given
    endpoint.behaviour = lambda _: hangs()

    # when
    with pytest.raises(CallFailed, match="did not answer within") as raised:
        await reply(a_remote(url=endpoint.url), reach, ITEM, timeout_seconds=0.1)

    # then
    assert (raised.value.code, raised.value.is_outage) == ("timeout", True)


async def test_a_secret_is_neither_in_the_log_nor_in_the_reason(
    endpoint: OpenAIEndpoint, reach: HttpReach
) -> None:
    # given
    endpoint.behaviour = betrays
    metric = a_remote(url=endpoint.url, api_key_secret="API_KEY")

    # when
    failed = await failure(metric, reach, ITEM)

    # then
    assert endpoint.asked[0].headers["authorization"] == f"Bearer {CANARY}"
    assert CANARY not in json.dumps(failed.log) + failed.message
    assert "[API_KEY]" in failed.message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.a", 1.0),
        ("a", 1.0),
        ("b.c", 2.0),
        ("$.b.c", 2.0),
        ("$['b']['c']", 2.0),
        ('$["b"].c', 2.0),
        ("$.list[0]", 3.0),
        ("$.list[-1].d", 4.0),
        ("$['f 1']", 5.0),
        ("$.f-1", 6.0),
        ("$.größe", 7.0),
        ('$["it\'s"]', 8.0),
        ("$['']", 9.0),
        ("$.list[7]", None),
        ("$.list[-3]", None),
        ("$.list.a", None),
        ("$.b[0]", None),
        ("$.a.b", None),
        ("$['0']", None),
    ],
)
def test_a_path_leads_to_one_value_or_to_none(path: str, value: float | None) -> None:
    # given
    answer: JsonObject = {
        "a": 1,
        "b": {"c": 2},
        "list": [3, {"d": 4}],
        "f 1": 5,
        "f-1": 6,
        "größe": 7,
        "it's": 8,
        "": 9,
    }

    # when
    found, code = said(answer, path=path)

    # then
    assert (None if math.isnan(found) else found) == value
    assert code == ("no_value" if value is None else "")


@pytest.mark.parametrize(
    "path",
    [
        "$",
        "",
        "$[0]",
        "$.",
        "$..a",
        "$.*",
        "$.a[*]",
        "$.a[?@.b]",
        "$.a[0:2]",
        "$.a[01]",
        "$.a[-0]",
        "$.a[9999999999]",
        "$.a b",
        "$.a['b",
        "$['a\\u0041']",
        "$.1a",
        "$a",
        "a" * 1025,
    ],
)
def test_what_is_no_path_to_one_value_is_refused(path: str) -> None:
    with pytest.raises(Invalid, match=r"metric 'remote': scores\.0\.parser\.json_path: "):
        a_remote(scores=[a_score(path=path)])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_characters="'\\", exclude_categories=["Cs"]), max_size=9)
        | st.integers(0, 3),
        min_size=1,
        max_size=6,
    )
)
def test_a_path_finds_what_was_put_there(steps: list[str | int]) -> None:
    # given
    text = "$" + "".join(f"[{step}]" if isinstance(step, int) else f"['{step}']" for step in steps)
    answer: Any = 0.5
    for step in reversed(steps):
        answer = {step: answer} if isinstance(step, str) else [None] * step + [answer]

    # then
    assert JsonPath.parse(text).find(answer) == 0.5


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"url": "ftp://scores.example"}, "url: not a URL"),
        ({"url": "https://user:key@scores.example/"}, "url: .* has credentials in it"),
        ({"url": "https://scores.example/?key=1"}, "url: wanted a URL without"),
        ({"body": []}, "body: "),
        ({"body": {"a": "{{ item."}}, "not a template"),
        ({"body": {"a": ["x"] * 257}}, "body: 257 texts, where 256 may be"),
        ({"scores": []}, "scores: "),
        ({"scores": [a_score(), a_score()]}, "scores: score 'quality' is declared twice"),
        ({"scores": [a_score(name="two words")]}, r"scores\.0\.name: "),
        ({"scores": [a_score(minimum=1, maximum=1)]}, "minimum 1 is not less than maximum 1"),
        ({"scores": [{"name": "a"}]}, r"scores\.0\.parser: "),
        ({"api_key_secret": "EVALBUS_DATABASE_URL"}, "api_key_secret: "),
        ({"timeout_seconds": 3}, "unknown parameter 'timeout_seconds'"),
    ],
)
def test_a_metric_that_cannot_be_is_refused_before_anything_runs(
    changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Invalid, match=f"metric 'remote': .*{reason}"):
        a_remote(**changes)


def test_a_body_has_so_many_levels_and_no_more() -> None:
    # given
    def nested(levels: int) -> dict[str, Any]:
        return {"a": nested(levels - 1)} if levels else {}

    # then
    a_remote(body=nested(31))
    with pytest.raises(Invalid, match="body: more than 32 levels"):
        a_remote(body=nested(32))


def test_private_addresses_are_refused_beforehand() -> None:
    (respondent,) = a_remote(url="http://127.0.0.1:9000/evaluate").respondents

    respondent.check(allow_private=True)
    with pytest.raises(NotAllowed):
        respondent.check(allow_private=False)


def test_answers_are_not_shared_unless_it_is_said_and_depend_on_the_address_alone() -> None:
    # given
    (respondent,) = a_remote().respondents
    (same,) = a_remote(scores=[a_score("other", "$.other")], cache="on").respondents
    (other,) = a_remote(url="https://scores.example/other").respondents

    # then
    assert (respondent.cache, same.cache) == ("off", "on")
    assert respondent.identity() == same.identity() != other.identity()
    assert respondent.endpoint == other.endpoint == "https://scores.example:443"
    assert not respondent.needs_broker


def test_rows_score_alone_as_in_company() -> None:
    # given
    metric = a_remote()
    answers: list[list[JsonObject | None]] = [
        [{"response": {"score": 1}}],
        [{"response": {}}],
        [{"response": {"score": 0.5}}],
    ]

    # when
    columns = metric.score(Batch([{}] * 3, [{}] * 3, answers))

    # then
    assert [str(value) for value in columns.values[0]] == ["1.0", "nan", "0.5"]
    assert set(columns.notes) == {1}
    assert [list(column) for column in metric.score(Batch([], [])).values] == [[]]
