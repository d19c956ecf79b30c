"""Models that are asked while the job runs, at endpoints that behave as real ones do."""

import json
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from evalbus.client import Client
from evalbus_schemas.jobs import Job
from tests.acceptance.live import LOCAL, a_live_benchmark, after, knows
from tests.servers.deadline import wait_until
from tests.servers.openai_endpoint import (
    Act,
    Asked,
    OpenAIEndpoint,
    breaks_off,
    drops,
    fails,
    hangs,
    html,
    throttles,
)
from tests.servers.queue_model import QueueModel
from tests.system import System, generate_rows, write_benchmark


@pytest.fixture
def system(amqp_url: str, database_url: str, tmp_path: Path) -> Iterator[System]:
    system = System(amqp_url, database_url, tmp_path, settings=LOCAL)
    try:
        yield system
    finally:
        system.stop()


@pytest.fixture
def endpoint() -> Iterator[OpenAIEndpoint]:
    with OpenAIEndpoint(knows) as endpoint:
        yield endpoint


@pytest.fixture
def client(system: System) -> Iterator[Client]:
    with Client(amqp_url=system.amqp_url) as client:
        yield client


def run(client: Client, benchmark: dict[str, object], *, seconds: float = 120) -> Job:
    job = client.jobs.start(benchmark)
    ended = client.jobs.wait(job.name, timeout_seconds=seconds)
    assert ended.is_terminal, repr(client.jobs.why(job.name))
    return ended


def test_four_evaluators_never_ask_more_at_once_than_the_job_may(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results", "evaluator", evaluators=4)
    endpoint.behaviour = after(0.05)

    job = run(client, a_live_benchmark(endpoint, rows=300, params={"parallelism": 6}))

    assert (job.status, job.rows, job.failed_rows) == ("completed", 300, 0)
    assert endpoint.most_at_once <= 6
    assert set(endpoint.times_asked.values()) == {1}
    assert client.results.get(job.name).results[0].scores[0].mean == 1.0


def test_two_jobs_never_ask_more_of_an_endpoint_than_it_may_be_asked(
    amqp_url: str, database_url: str, tmp_path: Path, endpoint: OpenAIEndpoint
) -> None:
    limited = {**LOCAL, "EVALBUS_ENDPOINT_PARALLELISM": "8"}
    system = System(amqp_url, database_url, tmp_path, settings=limited)
    system.start("producer", "results", "evaluator", evaluators=2)
    endpoint.behaviour = after(0.05)
    try:
        with Client(amqp_url=amqp_url) as client:
            jobs = [
                client.jobs.start(
                    a_live_benchmark(
                        endpoint,
                        rows=100,
                        name=name,
                        model={"cache": "off"},
                        params={"parallelism": 8},
                    )
                )
                for name in ("one", "other")
            ]
            ended = [client.jobs.wait(job.name, timeout_seconds=60) for job in jobs]
    finally:
        system.stop()

    assert [job.rows for job in ended] == [100, 100]
    assert endpoint.most_at_once <= 8


def test_an_endpoint_that_throttles_hangs_and_talks_nonsense_costs_no_row(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results", "evaluator")
    bad = [throttles("0.2"), hangs(), html(), drops(), breaks_off(), fails(503), fails(500)]
    number = count()

    def moody(asked: Asked) -> Act:
        # Every row's first call goes wrong, each in another way.
        return knows(asked) if asked.number > 1 else bad[next(number) % len(bad)]

    endpoint.behaviour = moody
    params = {"parallelism": 8, "request_timeout": 0.5}
    job = run(client, a_live_benchmark(endpoint, rows=70, params=params))

    (usage,) = job.models
    assert (job.status, job.rows, job.failed_rows) == ("completed", 70, 0)
    assert client.results.get(job.name).results[0].scores[0].mean == 1.0
    assert set(endpoint.times_asked.values()) == {2}
    assert (usage.calls, usage.retries) == (140, 70)


def test_no_row_is_asked_more_often_than_the_retries_allow(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results", "evaluator", evaluators=2)
    endpoint.behaviour = lambda asked: (
        fails(500) if asked.prompt.endswith(("3", "7")) else knows(asked)
    )

    job = run(client, a_live_benchmark(endpoint, rows=40, params={"max_retries": 2}))

    failing = {f"question {row}" for row in range(40) if row % 10 in (3, 7)}
    assert (job.status, job.failed_rows) == ("completed", len(failing))
    assert {endpoint.times_asked[prompt] for prompt in failing} == {3}
    assert job.models[0].failed_by_stage.sample == len(failing)
    failed = list(client.results.rows(job.name, failed_only=True))
    assert {str(row.item["q"]) for row in failed} == failing
    assert all(len(row.requests) == 3 for row in failed)


def test_a_refusal_is_not_asked_again(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results", "evaluator")
    endpoint.behaviour = lambda asked: (
        fails(400, "too long") if asked.prompt.endswith("5") else knows(asked)
    )

    job = run(client, a_live_benchmark(endpoint, rows=20))

    assert job.failed_rows == 2
    assert set(endpoint.times_asked.values()) == {1}


def test_an_endpoint_that_dies_half_way_and_comes_back_costs_no_row(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results", "evaluator")
    endpoint.behaviour = after(0.05)
    job = client.jobs.start(a_live_benchmark(endpoint, rows=200))
    wait_until(
        lambda: client.jobs.get(job.name).rows > 20,
        timeout_seconds=30,
        otherwise=lambda: repr(client.jobs.why(job.name)),
    )

    endpoint.stop()
    wait_until(
        lambda: client.jobs.why(job.name).reason == "circuit_open",
        timeout_seconds=20,
        otherwise=lambda: repr(client.jobs.why(job.name)),
    )
    endpoint.start()

    ended = client.jobs.wait(job.name, timeout_seconds=60)
    assert (ended.status, ended.rows, ended.failed_rows) == ("completed", 200, 0)
    assert client.results.get(job.name).results[0].scores[0].mean == 1.0


def test_an_endpoint_that_is_down_ends_the_job_after_fifty_rows_with_the_first_cause(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results", "evaluator")
    endpoint.stop()

    job = run(client, a_live_benchmark(endpoint, rows=500))

    assert job.status == "error"
    assert job.error is not None
    assert job.error.code == "model_failed"
    assert "cannot be reached" in job.error.message
    assert 50 <= job.rows <= 82
    assert job.failed_rows == job.rows


def test_a_job_that_ignores_failures_is_complete_and_its_retry_asks_each_row_once(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results", "evaluator")
    params = {"ignore_request_failure": True, "max_retries": 1}
    file = system.folder / "live.yaml"
    file.write_text(json.dumps(a_live_benchmark(endpoint, rows=120, params=params)))
    endpoint.stop()

    first = system.ask("run", str(file), "--name", "down", code=3)
    failed = list(client.results.rows("down", failed_only=True))
    endpoint.start()
    retried = system.ask("jobs", "retry", "down", "--name", "up", code=0)

    assert (first["job"]["status"], first["job"]["failed_rows"]) == ("completed", 120)
    assert all(row.metric_errors and "sample" in row.metric_errors for row in failed)
    assert len(failed) == 120
    assert retried["job"]["failed_rows"] == 0
    assert retried["job"]["derived_from"] == "down"
    assert sorted(endpoint.times_asked.values()) == [1] * 120
    assert client.results.get("up").results[0].scores[0].mean == 1.0


def test_an_evaluator_that_is_killed_costs_at_most_one_chunk_asked_twice(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results", "evaluator", evaluators=2)
    endpoint.behaviour = after(0.1)
    benchmark = a_live_benchmark(
        endpoint, rows=200, model={"cache": "off"}, params={"parallelism": 8}
    )
    job = client.jobs.start(benchmark)
    wait_until(
        lambda: len(endpoint.asked) > 60,
        timeout_seconds=30,
        otherwise=lambda: repr(client.jobs.why(job.name)),
    )

    system["evaluator-0"].kill9()

    ended = client.jobs.wait(job.name, timeout_seconds=60)
    assert (ended.status, ended.rows, ended.failed_rows) == ("completed", 200, 0)
    assert len(endpoint.asked) <= 200 + 16
    assert max(endpoint.times_asked.values()) <= 2
    assert client.results.get(job.name).results[0].scores[0].mean == 1.0


def test_answers_at_temperature_zero_are_asked_for_once(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results", "evaluator")
    model = {
        "inference": {"temperature": 0},
        "price": {"input_per_million": 1_000_000, "output_per_million": 2_000_000},
    }

    first = run(client, a_live_benchmark(endpoint, rows=30, model=model))
    again = run(client, a_live_benchmark(endpoint, rows=40, model=model))

    assert sorted(endpoint.times_asked.values()) == [1] * 40
    assert (first.models[0].calls, first.models[0].cache_hits) == (30, 0)
    assert (again.models[0].calls, again.models[0].cache_hits) == (10, 30)
    # 7 tokens in and 3 out for each call.
    assert first.models[0].cost == pytest.approx(30 * 13)
    assert again.models[0].cost == pytest.approx(10 * 13)
    assert client.results.get(again.name).results[0].scores[0].mean == 1.0


def test_repeats_are_asked_for_each_row_and_a_budget_ends_the_job(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results", "evaluator")
    model = {"price": {"input_per_million": 1_000_000, "output_per_million": 2_000_000}}

    repeated = run(client, a_live_benchmark(endpoint, rows=10, model=model, params={"repeats": 3}))
    spent = run(
        client,
        a_live_benchmark(endpoint, rows=500, name="dear", model=model, params={"budget": 500}),
    )

    assert repeated.rows == 30
    assert {endpoint.times_asked[f"question {row}"] for row in range(10)} <= {3, 4}
    assert client.results.get(repeated.name).results[0].scores[0].n_rows == 10
    assert spent.status == "error"
    assert spent.error is not None
    assert spent.error.code == "budget_spent"
    assert 500 <= (spent.models[0].cost or 0) <= 500 + 2 * 16 * 13
    assert spent.rows * 13 == pytest.approx(spent.models[0].cost)


def test_other_metrics_are_tried_on_the_answers_without_asking_again(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results", "evaluator")
    job = run(client, a_live_benchmark(endpoint, rows=25))
    metrics = [{"name": "loose", "type": "f1", "reference": "{{ item.a }}"}]

    scored = client.jobs.wait(client.jobs.rescore(job.name, metrics).name, timeout_seconds=60)

    result = client.results.get(scored.name)
    assert (scored.status, scored.derivation, scored.rows) == ("completed", "rescore", 25)
    assert [entry.metric for entry in result.results] == ["default/loose"]
    assert result.results[0].scores[0].mean == 1.0
    assert len(endpoint.asked) == 25


def test_a_model_behind_a_queue_survives_the_death_of_one_of_its_consumers(
    system: System, client: Client
) -> None:
    system.start("producer", "results", "evaluator")
    benchmark = a_live_benchmark("http://unused", rows=60, params={"request_timeout": 10})
    benchmark["models"] = [
        {"name": "house", "type": "amqp", "queue": "models.house", "prompt": "{{ item.q }}"}
    ]
    benchmark["metrics"] = [
        {"name": "same", "type": "exact-match", "reference": "{{ item.q }}"},
    ]
    with (
        QueueModel(system.amqp_url, "models.house", system.folder, seconds=0.1) as one,
        QueueModel(system.amqp_url, "models.house", system.folder, seconds=0.1) as other,
    ):
        job = client.jobs.start(benchmark)
        wait_until(
            lambda: len(one.asked) > 5 and len(other.asked) > 5,
            timeout_seconds=30,
            otherwise=lambda: repr(client.jobs.why(job.name)),
        )
        one.kill()
        ended = client.jobs.wait(job.name, timeout_seconds=90)
        asked = [*one.asked, *other.asked]

    assert (ended.status, ended.rows, ended.failed_rows) == ("completed", 60, 0)
    assert client.results.get(job.name).results[0].scores[0].mean == 1.0
    assert len({each.message_id for each in asked}) == 60
    assert {each.headers["evalbus-job"] for each in asked} == {job.name}


def test_slow_models_do_not_slow_down_recorded_ones(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results", "evaluator")
    endpoint.behaviour = after(0.5)
    slow = client.jobs.start(a_live_benchmark(endpoint, rows=300, params={"parallelism": 4}))
    wait_until(
        lambda: len(endpoint.asked) >= 4,
        timeout_seconds=30,
        otherwise=lambda: repr(client.jobs.why(slow.name)),
    )
    rows = generate_rows(20_000, system.folder / "many.jsonl")

    started = time.monotonic()
    done = client.jobs.wait(client.jobs.start(write_benchmark(system.folder, rows)).name)
    seconds = time.monotonic() - started
    still = client.jobs.get(slow.name)
    client.jobs.cancel(slow.name)

    assert (done.status, done.rows) == ("completed", 20_000)
    assert not still.is_terminal
    assert seconds < 20
