"""Metrics that are somebody else's service, asked while the job runs: over HTTP and behind a queue."""

import math
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from evalbus.client import Client
from evalbus_schemas.jobs import Job
from evalbus_schemas.queries import RowPage
from tests.acceptance.live import LOCAL, SECRET
from tests.servers.metric_services import Asked, QueueMetric, embeds, gives, refuses
from tests.servers.openai_endpoint import (
    Act,
    OpenAIEndpoint,
    breaks_off,
    drops,
    fails,
    hangs,
    html,
    returns,
    throttles,
)
from tests.servers.openai_endpoint import Asked as Posted
from tests.system import System

QUEUE = "metrics.house"


@pytest.fixture
def system(amqp_url: str, database_url: str, tmp_path: Path) -> Iterator[System]:
    system = System(amqp_url, database_url, tmp_path, settings=LOCAL)
    try:
        system.start("producer", "results", "evaluator", evaluators=2)
        yield system
    finally:
        system.stop()


@pytest.fixture
def client(system: System) -> Iterator[Client]:
    with Client(amqp_url=system.amqp_url) as client:
        yield client


@pytest.fixture
def endpoint() -> Iterator[OpenAIEndpoint]:
    with OpenAIEndpoint(half_of) as endpoint:
        yield endpoint


def half_of(asked: Posted) -> Act:
    """Half of the row's number."""
    return returns({"result": {"score": int(asked.prompt) / 2}})


def a_benchmark(
    *metrics: Mapping[str, object], rows: int, params: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """Rows that hold their own number, and answers that repeat it."""
    items = [{"number": str(row), "answer": f"it is {row}"} for row in range(rows)]
    return {
        "name": "remote",
        "datasets": [{"name": "numbers", "rows": items}],
        "models": [{"name": "baseline", "type": "recorded", "output": "{{ item.answer }}"}],
        "metrics": list(metrics),
        "params": dict(params or {}),
    }


def over_http(endpoint: OpenAIEndpoint, **changes: object) -> dict[str, object]:
    # What stands in `prompt` tells this endpoint the rows apart.
    return {
        "name": "half",
        "type": "remote",
        "url": f"{endpoint.url}/evaluate",
        "body": {"prompt": "{{ item.number }}", "answer": "{{ sample.output_text }}"},
        "scores": [{"name": "half", "parser": {"json_path": "$.result.score"}}],
        "api_key_secret": "MODEL_KEY",
    } | changes


def behind_a_queue(**changes: object) -> dict[str, object]:
    return {
        "name": "house",
        "type": "amqp",
        "queue": QUEUE,
        "params": {"strict": True},
        "scores": [{"name": "same", "minimum": 0, "maximum": 1}, {"name": "length"}],
    } | changes


def reads(asked: Asked) -> bytes:
    """Whether the answer has the row's number in it, and how long it is."""
    number, answer = asked.body["item"]["number"], asked.body["sample"]["output_text"]
    return gives(
        {
            "name": "same",
            "value": answer.endswith(f" {number}"),
            "label": "same",
            "rationale": number,
        },
        {"name": "length", "value": len(answer)},
        {"name": "surprise", "value": 1},
    )


def run(client: Client, benchmark: dict[str, object], *, seconds: float = 90) -> Job:
    job = client.jobs.start(benchmark)
    ended = client.jobs.wait(job.name, timeout_seconds=seconds)
    assert ended.is_terminal, repr(client.jobs.why(job.name))
    return ended


def means(client: Client, job: Job) -> dict[str, float | None]:
    result = client.results.get(job.name)
    return {score.name: score.mean for entry in result.results for score in entry.scores}


def test_both_kinds_score_every_row_once_and_each_row_says_what_was_asked(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    # given
    benchmark = a_benchmark(over_http(endpoint), behind_a_queue(), rows=120)

    # when
    with QueueMetric(system.amqp_url, QUEUE, reads) as house:
        job = run(client, benchmark)
    rows = sorted(client.results.rows(job.name), key=lambda row: row.row_index)

    # then
    assert (job.status, job.rows, job.failed_rows) == ("completed", 120, 0)
    assert means(client, job) == {
        "half": pytest.approx(119 / 4),
        "same": 1.0,
        "length": pytest.approx(sum(len(f"it is {row}") for row in range(120)) / 120),
    }
    assert [row.metrics["default/half"][0].value for row in rows] == [row / 2 for row in range(120)]
    assert set(endpoint.times_asked.values()) == {1}
    assert {asked.headers["authorization"] for asked in endpoint.asked} == {f"Bearer {SECRET}"}
    assert len({asked.message_id for asked in house.asked}) == len(house.asked) == 120
    assert {asked.headers["evalbus-job"] for asked in house.asked} == {job.name}
    assert {asked.type for asked in house.asked} == {"evalbus.metric.request.v1"}
    seventh = next(asked for asked in house.asked if asked.headers["evalbus-row"] == "7")
    assert seventh.body == {
        "version": 1,
        "item": {"number": "7", "answer": "it is 7"},
        "sample": {"output_text": "it is 7"},
        "params": {"strict": True},
    }
    logged = {str(entry["metric"]): entry for entry in rows[7].requests}
    assert logged["half"]["url"] == f"{endpoint.url}/evaluate"
    assert logged["half"]["body"] == {"prompt": "7", "answer": "it is 7"}
    assert (logged["half"]["status"], logged["half"]["response"]) == (
        200,
        '{"result": {"score": 3.5}}',
    )
    assert logged["house"]["queue"] == QUEUE
    assert logged["house"]["body"] == seventh.body
    assert SECRET not in repr(rows)
    assert job.models[0].by_metrics.calls == 240


def test_services_that_throttle_hang_and_talk_nonsense_cost_no_row(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    # given
    bad = [throttles("0.2"), hangs(), html(), drops(), breaks_off(), fails(503), fails(500)]
    worse = [
        b"<html>",
        refuses("busy", is_retryable=True, retry_after_s=0.2),
        None,
        b'{"scores": 1}',
    ]
    number, other_number = count(), count()

    def moody(asked: Posted) -> Act:
        # Every row's first call goes wrong, each in another way.
        return half_of(asked) if asked.number > 1 else bad[next(number) % len(bad)]

    def sulky(asked: Asked) -> bytes | None:
        return reads(asked) if asked.number > 1 else worse[next(other_number) % len(worse)]

    endpoint.behaviour = moody
    params = {"parallelism": 8, "request_timeout": 0.5}

    # when
    with QueueMetric(system.amqp_url, QUEUE, sulky) as house:
        benchmark = a_benchmark(over_http(endpoint), behind_a_queue(), rows=42, params=params)
        job = run(client, benchmark)
    rows = list(client.results.rows(job.name))

    # then
    assert (job.status, job.rows, job.failed_rows) == ("completed", 42, 0)
    assert means(client, job)["half"] == pytest.approx(41 / 4)
    assert means(client, job)["same"] == 1.0
    assert len({asked.message_id for asked in house.asked}) == 42
    assert all(len(row.requests) >= 4 for row in rows)
    assert all(any("error" in entry for entry in row.requests) for row in rows)


def test_a_row_that_a_service_will_not_score_fails_with_its_reason(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    # given
    def picky(asked: Posted) -> Act:
        return fails(422, "no threes") if asked.prompt == "3" else half_of(asked)

    def proud(asked: Asked) -> bytes:
        is_five = asked.body["item"]["number"] == "5"
        return refuses("too_odd", is_retryable=False) if is_five else reads(asked)

    endpoint.behaviour = picky

    # when
    with QueueMetric(system.amqp_url, QUEUE, proud):
        job = run(client, a_benchmark(over_http(endpoint), behind_a_queue(), rows=10))
    failed = {row.row_index: row for row in client.results.rows(job.name, failed_only=True)}

    # then
    assert (job.status, job.rows, job.failed_rows) == ("completed", 10, 2)
    assert failed.keys() == {3, 5}
    assert "no threes" in (failed[3].metric_errors or {})["default/half"]
    assert "too_odd it is" in (failed[5].metric_errors or {})["default/house"]
    assert endpoint.times_asked["3"] == 1


def test_a_value_that_is_none_is_no_score_and_the_row_has_not_failed(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    # given
    answers: dict[str, object] = {"1": "NaN", "2": None, "3": "a lot", "4": 7, "5": True}
    endpoint.behaviour = lambda asked: returns({"result": {"score": answers.get(asked.prompt, 0)}})
    score = {"name": "half", "parser": {"json_path": "$.result.score"}, "minimum": 0, "maximum": 1}

    # when
    job = run(client, a_benchmark(over_http(endpoint, scores=[score]), rows=6))
    rows = sorted(client.results.rows(job.name), key=lambda row: row.row_index)

    # then
    assert (job.rows, job.failed_rows) == (6, 0)
    values = [row.metrics["default/half"][0].value for row in rows]
    assert (values[0], values[5]) == (0.0, 1.0)
    assert all(math.isnan(value) for value in values[1:5])
    reasons = [(row.metric_errors or {}).get("default/half", "") for row in rows]
    assert [bool(reason) for reason in reasons] == [False, True, True, True, True, False]
    assert "7 is more than 1" in reasons[4]


def test_what_a_service_says_beside_a_value_is_kept_with_the_row(
    system: System, client: Client
) -> None:
    # given
    def explains(asked: Asked) -> bytes:
        said = f"{asked.body['item']['number']}\x00 «é» \ud83d\ude00"
        return gives(
            {"name": "same", "value": None, "rationale": said},
            {"name": "length", "value": 2, "label": "short\x00"},
        )

    # when
    with QueueMetric(system.amqp_url, QUEUE, explains):
        job = run(client, a_benchmark(behind_a_queue(), rows=3))
    page = client.call("results.rows", {"job": job.name})

    # then
    assert isinstance(page, RowPage)
    assert (job.status, job.failed_rows) == ("completed", 0)
    for row in page.rows:
        same, length = row.metrics["default/house"]
        said = f"{row.row_index}\x00 «é» \N{GRINNING FACE}"
        assert (same.value, same.label, same.rationale) == (None, None, said)
        assert (length.value, length.label, length.rationale) == (2.0, "short\x00", None)


def test_answers_are_asked_for_again_unless_they_are_shared(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    # given
    anew = a_benchmark(over_http(endpoint), rows=5)
    shared = a_benchmark(over_http(endpoint, cache="on"), rows=5)

    # when
    jobs = [run(client, benchmark) for benchmark in (anew, anew, shared, shared)]

    # then
    assert set(endpoint.times_asked.values()) == {3}
    assert [job.models[0].by_metrics.cache_hits for job in jobs] == [0, 0, 0, 5]
    assert {means(client, job)["half"] for job in jobs} == {1.0}


def test_texts_are_compared_by_their_embeddings_and_paid_for_once(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    # given
    # A text's embedding is its length and one more: the longer the texts, the more alike.
    endpoint.behaviour = lambda asked: embeds(*([len(text), 1] for text in asked.body["input"]))
    model = {"url": endpoint.url, "model": "tiny", "price": {"input_per_million": 1_000_000}}
    reference = "{{ item.number }}"
    metric = {
        "name": "near",
        "type": "embedding-similarity",
        "model": model,
        "reference": reference,
    }

    # when
    first, again = (run(client, a_benchmark(metric, rows=12)) for _ in range(2))
    rows = sorted(client.results.rows(again.name), key=lambda row: row.row_index)

    # then
    assert (again.rows, again.failed_rows) == (12, 0)
    assert len(endpoint.asked) == 12
    one_digit = (1 * 7 + 1) / math.sqrt((1 + 1) * (7 * 7 + 1))
    assert rows[3].metrics["default/near"][0].value == pytest.approx(one_digit)
    assert (first.models[0].by_metrics.calls, again.models[0].by_metrics.calls) == (12, 0)
    assert first.models[0].by_metrics.cost == pytest.approx(12 * 7)
