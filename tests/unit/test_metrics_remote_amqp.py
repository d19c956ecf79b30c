"""A metric behind a queue: its contract, word by word."""

import json
import math
from typing import Any

import pytest

from evalbus.errors import Invalid
from evalbus.metrics import Batch, LiveMetric, Remark, build_metric
from evalbus.models import CallFailed
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.asking import QueueReach
from tests.metric_asking import ScoredRow, failure, reply, scored, scored_once
from tests.scoring import a_plugin

ITEM: JsonObject = {"question": "2 + 2?", "answer": 4, "deep": {"tags": ["a", None, 1.5]}}
SAMPLE: JsonObject = {"output_text": "four", "response": {"choices": []}}


def a_metric(**changes: Any) -> LiveMetric:
    parameters: dict[str, Any] = {"queue": "metrics.house", "scores": [{"name": "correct"}]}
    metric = build_metric(a_plugin("amqp", **parameters | changes), RowLimits())
    assert isinstance(metric, LiveMetric)
    return metric


def answering(answer: object) -> QueueReach:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return QueueReach(lambda _: body)


def said(*scores: Any, **declared: Any) -> ScoredRow:
    """The one declared score out of what a reply says."""
    metric = a_metric(scores=[{"name": "correct", **declared}])
    return scored(metric, ITEM, SAMPLE, answer={"scores": list(scores)})


async def test_a_request_is_what_the_contract_says() -> None:
    # given
    reach = answering({"scores": []})
    metric = a_metric(params={"strict": False, "levels": [1, 2]})

    # when
    await reply(
        metric,
        reach,
        ITEM,
        SAMPLE,
        id="stable-1",
        job="capitals-7",
        row=12,
        timeout_seconds=3.0,
        expires_seconds=45.0,
        traceparent="00-a-b-01",
    )

    # then
    (asked,) = reach.asked
    assert (asked.queue, asked.type) == ("metrics.house", "evalbus.metric.request.v1")
    assert asked.body == {
        "version": 1,
        "item": ITEM,
        "sample": SAMPLE,
        "params": {"strict": False, "levels": [1, 2]},
    }
    assert asked.headers == {"evalbus-job": "capitals-7", "evalbus-row": "12"}
    assert (asked.message_id, asked.traceparent) == ("stable-1", "00-a-b-01")
    assert (asked.timeout_seconds, asked.expires_seconds) == (3.0, 45.0)


async def test_declared_scores_are_taken_with_their_words_and_others_ignored() -> None:
    # given
    metric = a_metric(
        scores=[
            {"name": "polite", "minimum": 0, "maximum": 1, "direction": "lower"},
            {"name": "correct"},
            {"name": "brief"},
        ]
    )
    scores = [
        {"name": "correct", "value": 0.75, "label": "mostly", "rationale": "A word, no digit."},
        {"name": "surprise", "value": 7, "rationale": "nobody asked"},
        {"name": "polite", "value": True},
        {"name": "brief", "value": 2, "label": 3, "rationale": ["no text"]},
    ]

    # when
    row = await scored_once(metric, answering({"scores": scores, "more": 1}), ITEM, SAMPLE)

    # then
    assert [score.name for score in metric.scores] == ["polite", "correct", "brief"]
    assert metric.scores[0].direction == "lower"
    assert row.values == [1.0, 0.75, 2.0]
    assert row.code == ""
    assert row.remarks == {1: Remark(label="mostly", rationale="A word, no digit.")}


async def test_the_request_log_has_both_sides() -> None:
    # given
    answer = {"scores": [{"name": "correct", "value": 1}], "usage": "none"}

    # when
    found = await reply(a_metric(), answering(answer), {"a": 1}, {"output_text": "x"})

    # then
    assert found.sample == {"scores": answer["scores"]}
    assert {**found.log, "seconds": 0} == {
        "queue": "metrics.house",
        "body": {"version": 1, "item": {"a": 1}, "sample": {"output_text": "x"}, "params": {}},
        "response": json.dumps(answer),
        "seconds": 0,
    }


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ([], "no_value"),
        ([{"name": "Correct", "value": 1}], "no_value"),
        ([{"name": "correct"}], "no_value"),
        ([{"name": "correct", "value": None}], "no_value"),
        (["correct", 1, None, [], {"value": 1}, {"name": 7, "value": 1}], "no_value"),
        ([{"name": "correct", "value": "NaN"}], "non_finite"),
        ([{"name": "correct", "value": "Infinity"}], "non_finite"),
        ([{"name": "correct", "value": math.inf}], "non_finite"),
        ([{"name": "correct", "value": "1"}], "unparsable"),
        ([{"name": "correct", "value": {}}], "unparsable"),
        ([{"name": "correct", "value": 1}] * 2, "unparsable"),
        ([{"name": "correct", "value": 1.5}], "out_of_range"),
        ([{"name": "correct", "value": -1}], "out_of_range"),
    ],
)
def test_what_is_no_value_is_no_score_and_says_why(scores: list[Any], reason: str) -> None:
    row = said(*scores, minimum=0, maximum=1)

    assert math.isnan(row.values[0])
    assert row.code == reason
    assert row.message.startswith("correct: ")


def test_a_service_may_say_why_it_gives_no_value() -> None:
    row = said({"name": "correct", "value": None, "rationale": "The question has no answer."})

    assert row.code == "no_value"
    assert row.remarks == {0: Remark(rationale="The question has no answer.")}


def test_the_words_of_a_score_that_is_given_twice_are_nobodys() -> None:
    row = said(
        {"name": "correct", "value": 1, "label": "yes"},
        {"name": "correct", "value": 0, "label": "no"},
    )

    assert (row.code, row.message) == ("unparsable", "correct: the answer has it 2 times")
    assert row.remarks == {}


@pytest.mark.parametrize(
    ("error", "is_retryable", "pause"),
    [
        ({"retryable": True, "retry_after_s": 2}, True, 2.0),
        ({"retryable": True, "retry_after_s": 1e9}, True, 1500.0),
        ({"retryable": True}, True, None),
        ({"retryable": False}, False, None),
        ({}, False, None),
    ],
)
async def test_an_error_says_whether_and_when_asking_again_may_help(
    error: dict[str, Any], is_retryable: bool, pause: float | None
) -> None:
    # given
    reach = answering({"error": {"code": "busy", "message": "come back later"} | error})

    # when
    failed = await failure(a_metric(), reach, ITEM)

    # then
    assert (failed.code, failed.is_retryable, failed.is_outage) == ("busy", is_retryable, False)
    assert failed.retry_after_seconds == pause
    assert failed.message == "queue metrics.house answered with an error: come back later"
    assert failed.log["error"] == failed.message


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"\xff\xfe",
        b'{"scores": [{"name": "correct", "value": NaN}]}',
        b'{"scores": ' + b"[" * 200 + b"]" * 200 + b"}",
        [],
        {},
        {"scores": None},
        {"scores": {"correct": 1}},
        {"scores": "1"},
        {"error": "busy"},
        {"error": {}},
        {"error": {"code": "two words\n"}},
    ],
)
async def test_garbage_is_a_failure_that_may_be_better_next_time(answer: object) -> None:
    # when
    failed = await failure(a_metric(), answering(answer), ITEM)

    # then
    assert (failed.code, failed.is_retryable, failed.is_outage) == ("garbage", True, False)
    assert "metrics.house" in failed.message


@pytest.mark.parametrize(
    "failed",
    [
        CallFailed("no_queue", "there is none", is_retryable=True, is_outage=True),
        CallFailed("answer_too_large", "the answer has 100000000 bytes", is_retryable=False),
    ],
)
async def test_a_call_without_an_answer_leaves_a_request_log(failed: CallFailed) -> None:
    # when
    found = await failure(a_metric(), QueueReach(lambda _: failed), ITEM)

    # then
    assert found is failed
    assert found.log.keys() == {"queue", "body", "error", "seconds"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"queue": "evalbus.work.live"}, "queue: "),
        ({"queue": "amq.gen-1"}, "queue: "),
        ({"queue": ""}, "queue: "),
        ({"scores": []}, "scores: "),
        ({"scores": [{"name": "a"}, {"name": "a"}]}, "scores: score 'a' is declared twice"),
        ({"scores": [{"name": "a", "minimum": 2, "maximum": 1}]}, "not less than maximum"),
        ({"scores": [{"name": "a", "parser": {}}]}, "scores.0.parser: "),
        ({"params": []}, "params: "),
        ({"prompt": "a"}, "unknown parameter 'prompt'"),
    ],
)
def test_a_metric_that_cannot_be_is_refused_before_anything_runs(
    changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Invalid, match=f"metric 'amqp': .*{reason}"):
        a_metric(**changes)


def test_it_needs_a_broker_and_has_no_address_to_refuse() -> None:
    (respondent,) = a_metric().respondents

    respondent.check(allow_private=False)

    assert respondent.needs_broker
    assert respondent.endpoint == "amqp:metrics.house"


def test_replies_are_not_shared_unless_it_is_said_and_depend_on_queue_and_params() -> None:
    # given
    changes: list[dict[str, Any]] = [
        {},
        {"queue": "metrics.other"},
        {"params": {"strict": True}},
        {"scores": [{"name": "other"}], "cache": "on"},
    ]

    # when
    respondents = [a_metric(**change).respondents[0] for change in changes]

    # then
    assert [respondent.cache for respondent in respondents] == ["off", "off", "off", "on"]
    identities = [json.dumps(respondent.identity()) for respondent in respondents]
    assert len(set(identities)) == 3
    assert identities[0] == identities[3]


def test_rows_score_alone_as_in_company() -> None:
    # given
    metric = a_metric()
    answers: list[list[JsonObject | None]] = [
        [{"scores": [{"name": "correct", "value": 1, "label": "yes"}]}],
        [{"scores": []}],
        [{"scores": [{"name": "correct", "value": 0.5, "label": "so so"}]}],
    ]

    # when
    columns = metric.score(Batch([{}] * 3, [{}] * 3, answers))

    # then
    assert [str(value) for value in columns.values[0]] == ["1.0", "nan", "0.5"]
    assert set(columns.notes) == {1}
    assert columns.remarks == {(0, 0): Remark(label="yes"), (2, 0): Remark(label="so so")}
    assert [list(column) for column in metric.score(Batch([], [])).values] == [[]]
