"""Metrics that ask a model what it thinks of an answer, in whole jobs, with judges that behave as real ones do."""

import asyncio
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from evalbus.client import Client
from evalbus.errors import Refused
from evalbus_schemas.jobs import Job
from evalbus_schemas.queries import Row, RowPage
from evalbus_schemas.scores import ScoreStatistics
from tests.acceptance.bare import publish
from tests.acceptance.judged import (
    CALL_COST,
    JUDGE,
    MODEL,
    PRICE,
    a_judge,
    a_judge_model,
    a_judged_benchmark,
    both,
    row_of,
    verdict_on,
)
from tests.acceptance.live import LOCAL, SECRET, a_live_benchmark, knows
from tests.acceptance.test_secrets_and_addresses import PUBLIC_ONLY, everything_in
from tests.servers.deadline import wait_until
from tests.servers.openai_endpoint import (
    Act,
    Asked,
    OpenAIEndpoint,
    betrays,
    breaks_off,
    drops,
    fails,
    hangs,
    html,
    judges,
    rambles,
    says,
    throttles,
)
from tests.servers.queue_model import QueueModel
from tests.system import System, clean_environment, ran

SECONDS = 120.0


@pytest.fixture
def system(amqp_url: str, database_url: str, tmp_path: Path) -> Iterator[System]:
    system = System(amqp_url, database_url, tmp_path, settings=LOCAL)
    try:
        yield system
    finally:
        system.stop()


@pytest.fixture
def endpoint() -> Iterator[OpenAIEndpoint]:
    with OpenAIEndpoint(both()) as endpoint:
        yield endpoint


@pytest.fixture
def client(system: System) -> Iterator[Client]:
    system.start("producer", "results", "evaluator")
    with Client(amqp_url=system.amqp_url) as client:
        yield client


def run(client: Client, benchmark: Mapping[str, object]) -> Job:
    job = client.jobs.start(benchmark)
    ended = client.jobs.wait(job.name, timeout_seconds=SECONDS)
    assert ended.is_terminal, repr(client.jobs.why(job.name))
    return ended


def scores_of(client: Client, job: Job | str) -> dict[str, ScoreStatistics]:
    """What the judge gave, by score."""
    name = job if isinstance(job, str) else job.name
    (judged,) = (
        entry for entry in client.results.get(name).results if entry.metric == "default/judge"
    )
    return {score.name: score for score in judged.scores}


def rows_of(client: Client, job: str) -> tuple[Row, ...]:
    """As they come over the wire, with what metrics say beside their values."""
    page = client.call("results.rows", {"job": job})
    assert isinstance(page, RowPage)
    return page.rows


def written(folder: Path, benchmark: Mapping[str, object]) -> str:
    file = folder / "judged.yaml"
    file.write_text(json.dumps(benchmark))
    return str(file)


def test_recorded_answers_are_judged_in_numbers_and_labels(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    judge = a_judge(endpoint, model=a_judge_model(endpoint, price=PRICE))

    document = system.ask("run", written(system.folder, a_judged_benchmark(judge, rows=20)))

    job = client.jobs.get(document["job"]["name"])
    scores = scores_of(client, job)
    (usage,) = job.models
    assert (job.status, job.rows, job.failed_rows) == ("completed", 20, 0)
    assert (scores["quality"].mean, scores["verdict"].mean) == (3.0, 0.5)
    assert [(one.label, one.count) for one in scores["verdict"].rubric_distribution or ()] == [
        ("good", 10),
        ("bad", 10),
    ]
    assert (usage.calls, usage.by_metrics.calls, usage.by_metrics.retries) == (0, 20, 0)
    assert (usage.by_metrics.input_tokens, usage.by_metrics.output_tokens) == (140, 60)
    assert usage.by_metrics.cost == pytest.approx(20 * CALL_COST)
    for row in rows_of(client, job.name):
        quality, verdict = row.metrics["default/judge"]
        number = int(str(row.item["a"]))
        assert (quality.value, quality.label) == (number % 5 + 1, None)
        assert verdict.label == ("bad" if number % 2 else "good")
        assert verdict.rationale is not None
        assert "I have looked at it." in verdict.rationale
        (request,) = row.requests
        assert (request["metric"], request["status"]) == ("judge", 200)


def test_two_judges_say_how_far_they_agree(client: Client, endpoint: OpenAIEndpoint) -> None:
    def second_opinion(asked: Asked) -> Act:
        row = row_of(asked)
        if asked.model == JUDGE or row % 4:
            return verdict_on(asked)
        return judges(quality=5 - row % 5, verdict="bad")

    endpoint.behaviour = second_opinion
    models = [a_judge_model(endpoint), a_judge_model(endpoint, model="judge-2", name="second")]

    job = run(client, a_judged_benchmark(a_judge(endpoint, models=models), rows=20))

    scores = scores_of(client, job)
    # Every fourth row is good to one judge and bad to the other, and a label has no mean.
    assert (scores["verdict"].count, scores["verdict"].nan_count) == (15, 5)
    assert scores["verdict_agreement"].mean == 15 / 20
    # There the numbers are n and 6 - n, of which 3 is the mean: distances of 4, 2, 0, 2, 4 in a range of 4.
    assert scores["quality_agreement"].mean == pytest.approx(1 - (12 / 4) / 20)
    (row,) = (row for row in rows_of(client, job.name) if row.item["a"] == "4")
    quality, *_ = row.metrics["default/judge"]
    assert quality.value == 3.0
    assert quality.detail == {
        "judges": [{"judge": "judge-1", "value": 5.0}, {"judge": "second", "value": 1.0}]
    }
    assert (row.failed, job.failed_rows) == (False, 0)
    assert row.metric_errors is not None
    assert "divided" in row.metric_errors["default/judge"]


def test_a_verdict_that_is_none_leaves_its_row_without_a_score_and_fails_nothing(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    unclear = {
        1: (rambles(), "unparsable", "there is no JSON in it"),
        2: (says(""), "unparsable", "there is no JSON in it"),
        3: (says('{"quality": NaN, "verdict": "good"}'), "unparsable", "no number: nan"),
        4: (says('{"quality": 7, "verdict": "good"}'), "out_of_range", "7 is not in 1 … 5"),
        5: (says('{"quality": 4, "verdict": "superb"}'), "unknown_label", "'superb' is none of"),
    }
    endpoint.behaviour = both(
        judge=lambda asked: unclear.get(row_of(asked), (verdict_on(asked),))[0]
    )

    job = run(client, a_judged_benchmark(a_judge(endpoint), rows=10))

    scores = scores_of(client, job)
    rows = {int(str(row.item["a"])): row for row in rows_of(client, job.name)}
    assert (job.status, job.rows, job.failed_rows) == ("completed", 10, 0)
    assert {name: (score.count, score.nan_count) for name, score in scores.items()} == {
        "quality": (6, 4),
        "verdict": (7, 3),
    }
    assert all((score.n_rows, score.n_failed) == (10, 0) for score in scores.values())
    for number, (_, code, words) in unclear.items():
        reason = (rows[number].metric_errors or {})["default/judge"]
        assert code in reason
        assert words in reason
        assert not rows[number].failed
    # What it said instead can be read.
    assert "rather not decide" in str(rows[1].metrics["default/judge"][0].rationale)
    assert [row.failed for row in rows.values()] == [False] * 10


def test_whatever_characters_a_judge_uses_its_verdict_counts(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    odd = [
        "\0\x1e\x1f\x7f",
        "\\u0000\\ud800\\udfff",
        "\u2028\ufeff\U0001f600",
        "</think>",
        "漢" * 20_000,
    ]
    endpoint.behaviour = both(
        judge=lambda asked: says(
            f'{{"explanation": "{odd[row_of(asked)]}", "quality": 5, "verdict": "good"}}'
        )
    )

    job = run(client, a_judged_benchmark(a_judge(endpoint), rows=len(odd)))

    scores = scores_of(client, job)
    rows = rows_of(client, job.name)
    assert (job.status, job.failed_rows) == ("completed", 0)
    assert [row.metric_errors for row in rows if row.item["a"] != "3"] == [None] * 4
    # What stands before the end of thoughts is none of the verdict, and the rest is no JSON.
    assert (scores["quality"].count, scores["verdict"].mean) == (4, 1.0)
    assert all(row.metrics["default/judge"][0].rationale for row in rows)


def test_a_judge_that_throttles_hangs_and_talks_nonsense_costs_no_row(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    bad = [throttles("0.2"), hangs(), html(), drops(), breaks_off(), fails(503), fails(500)]
    number = count()

    def moody(asked: Asked) -> Act:
        # Every row's first call goes wrong, each in another way.
        return verdict_on(asked) if asked.number > 1 else bad[next(number) % len(bad)]

    endpoint.behaviour = both(judge=moody)
    params = {"parallelism": 8, "request_timeout": 0.5}
    job = run(client, a_judged_benchmark(a_judge(endpoint), rows=40, model=endpoint, params=params))

    (usage,) = job.models
    assert (job.status, job.rows, job.failed_rows) == ("completed", 40, 0)
    assert scores_of(client, job)["quality"].mean == 3.0
    assert set(endpoint.times_asked_of(MODEL).values()) == {1}
    assert set(endpoint.times_asked_of(JUDGE).values()) == {2}
    assert (usage.calls, usage.by_metrics.calls, usage.by_metrics.retries) == (40, 80, 40)


def test_a_judge_that_is_down_ends_the_job_with_the_cause(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    with OpenAIEndpoint(both()) as away:
        away.stop()
        job = run(client, a_judged_benchmark(a_judge(away), rows=300, model=endpoint))
        rows = list(client.results.rows(job.name))

    assert job.status == "error"
    assert job.error is not None
    assert job.error.code == "model_failed"
    assert "metric 'judge'" in job.error.message
    assert "cannot be reached" in job.error.message
    assert 50 <= job.rows <= 82
    assert job.failed_rows == job.rows
    assert job.models[0].failed_by_stage.metric == job.rows
    # What the model said is kept: other metrics may score it yet.
    assert all(row.sample["output_text"] == row.item["a"] for row in rows)


def test_the_first_row_that_is_not_judged_ends_a_job_that_bears_none(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    endpoint.behaviour = both(
        judge=lambda asked: fails(400, "too long") if row_of(asked) == 5 else verdict_on(asked)
    )

    job = run(
        client,
        a_judged_benchmark(
            a_judge(endpoint), rows=20, model=endpoint, params={"ignore_request_failure": False}
        ),
    )

    assert (job.status, job.error and job.error.code) == ("error", "request_failed")
    assert job.error is not None
    assert "metric 'judge'" in job.error.message


def test_a_job_whose_judge_was_down_is_complete_and_its_retry_asks_the_judge_alone(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    params = {"ignore_request_failure": True, "max_retries": 1}
    with OpenAIEndpoint(both()) as away:
        away.stop()
        benchmark = a_judged_benchmark(a_judge(away), rows=60, model=endpoint, params=params)

        first = system.ask("run", written(system.folder, benchmark), "--name", "down", code=3)
        before = {row.row_id: row.sample for row in client.results.rows("down")}
        away.start()
        retried = system.ask("jobs", "retry", "down", "--name", "up", code=0)
        asked = away.times_asked

    after = {row.row_id: row.sample for row in client.results.rows("up")}
    assert (first["job"]["status"], first["job"]["failed_rows"]) == ("completed", 60)
    assert (retried["job"]["failed_rows"], retried["job"]["derived_from"]) == (0, "down")
    assert set(endpoint.times_asked_of(MODEL).values()) == {1}
    assert sorted(asked.values()) == [1] * 60
    assert after == before
    assert scores_of(client, "up")["quality"].mean == 3.0


def test_a_model_and_its_judge_at_one_endpoint_never_ask_more_at_once_than_the_job_may(
    system: System, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results", "evaluator", evaluators=3)
    endpoint.behaviour = both(
        model=lambda asked: knows(asked, seconds=0.05),
        judge=lambda asked: verdict_on(asked, seconds=0.05),
    )

    with Client(amqp_url=system.amqp_url) as client:
        job = run(
            client,
            a_judged_benchmark(
                a_judge(endpoint), rows=100, model=endpoint, params={"parallelism": 6}
            ),
        )
        result = client.results.get(job.name)

    assert (job.status, job.rows, job.failed_rows) == ("completed", 100, 0)
    assert 1 < endpoint.most_at_once <= 6
    assert set(endpoint.times_asked_of(MODEL).values()) == {1}
    assert set(endpoint.times_asked_of(JUDGE).values()) == {1}
    assert result.results[0].scores[0].mean == 1.0


def test_what_judges_and_models_of_two_jobs_ask_of_one_endpoint_never_exceeds_what_it_bears(
    amqp_url: str, database_url: str, tmp_path: Path, endpoint: OpenAIEndpoint
) -> None:
    limited = {**LOCAL, "EVALBUS_ENDPOINT_PARALLELISM": "8"}
    system = System(amqp_url, database_url, tmp_path, settings=limited)
    endpoint.behaviour = both(
        model=lambda asked: knows(asked, seconds=0.05),
        judge=lambda asked: verdict_on(asked, seconds=0.05),
    )
    judged = a_judged_benchmark(a_judge(endpoint), rows=100, params={"parallelism": 8})
    asking = a_live_benchmark(endpoint, rows=100, model={"cache": "off"}, params={"parallelism": 8})
    try:
        system.start("producer", "results", "evaluator", evaluators=2)
        with Client(amqp_url=amqp_url) as client:
            jobs = [client.jobs.start(benchmark) for benchmark in (judged, asking)]
            ended = [client.jobs.wait(job.name, timeout_seconds=SECONDS) for job in jobs]
    finally:
        system.stop()

    assert [(job.status, job.rows, job.failed_rows) for job in ended] == [("completed", 100, 0)] * 2
    assert 1 < endpoint.most_at_once <= 8
    assert (len(endpoint.times_asked_of(JUDGE)), len(endpoint.times_asked_of(MODEL))) == (100, 100)


def test_a_judge_that_dies_half_way_and_comes_back_costs_no_row(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    slow = both(judge=lambda asked: verdict_on(asked, seconds=0.05))
    with OpenAIEndpoint(slow) as judge:
        job = client.jobs.start(a_judged_benchmark(a_judge(judge), rows=120, model=endpoint))
        wait_until(
            lambda: client.jobs.get(job.name).rows > 10,
            timeout_seconds=30,
            otherwise=lambda: repr(client.jobs.why(job.name)),
        )
        judge.stop()
        wait_until(
            lambda: client.jobs.why(job.name).reason == "circuit_open",
            timeout_seconds=20,
            otherwise=lambda: repr(client.jobs.why(job.name)),
        )
        judge.start()
        ended = client.jobs.wait(job.name, timeout_seconds=SECONDS)

    assert (ended.status, ended.rows, ended.failed_rows) == ("completed", 120, 0)
    assert set(endpoint.times_asked_of(MODEL).values()) == {1}
    assert scores_of(client, ended)["quality"].mean == 3.0


def test_answers_are_judged_afterwards_without_asking_the_model_again(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    benchmark = a_judged_benchmark(a_judge(endpoint), rows=30, model=endpoint)
    judge = benchmark["metrics"].pop()
    job = run(client, benchmark)
    before = {row.row_id: row.sample for row in client.results.rows(job.name)}

    scored = client.jobs.wait(client.jobs.rescore(job.name, [judge]).name, timeout_seconds=SECONDS)

    assert (scored.status, scored.derivation, scored.rows) == ("completed", "rescore", 30)
    assert set(endpoint.times_asked_of(MODEL).values()) == {1}
    assert len(endpoint.times_asked_of(MODEL)) == 30
    assert sorted(endpoint.times_asked_of(JUDGE).values()) == [1] * 30
    assert scores_of(client, scored)["quality"].mean == 3.0
    assert {row.row_id: row.sample for row in client.results.rows(scored.name)} == before


def test_what_judges_cost_is_spent_out_of_the_budget(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    judge = a_judge(endpoint, model=a_judge_model(endpoint, price=PRICE))

    job = run(client, a_judged_benchmark(judge, rows=400, params={"budget": 500}))

    (usage,) = job.models
    assert (job.status, job.error and job.error.code) == ("error", "budget_spent")
    assert usage.cost is None
    assert 500 <= (usage.by_metrics.cost or 0) <= 500 + 2 * 16 * CALL_COST
    assert job.rows * CALL_COST == pytest.approx(usage.by_metrics.cost)


def test_cold_judges_are_asked_once_for_all_jobs(client: Client, endpoint: OpenAIEndpoint) -> None:
    model = {"type": "openai", "url": endpoint.url, "model": JUDGE, "price": PRICE}
    judge = a_judge(endpoint, model=model)

    first = run(client, a_judged_benchmark(judge, rows=20))
    again = run(client, a_judged_benchmark(judge, rows=30))

    assert sorted(endpoint.times_asked_of(JUDGE).values()) == [1] * 30
    usage, later = first.models[0].by_metrics, again.models[0].by_metrics
    assert (usage.calls, usage.cache_hits) == (20, 0)
    assert (later.calls, later.cache_hits) == (10, 20)
    assert usage.cost == pytest.approx(20 * CALL_COST)
    assert later.cost == pytest.approx(10 * CALL_COST)
    assert scores_of(client, again)["quality"].mean == 3.0


def test_a_judge_behind_a_queue_is_asked_over_the_broker(system: System, client: Client) -> None:
    judge = a_judge(
        "",
        model={"type": "amqp", "queue": "judges.house"},
        prompt='{"quality": {{ item.a }}, "verdict": "good"}',
    )
    with QueueModel(system.amqp_url, "judges.house", system.folder) as house:
        job = run(client, a_judged_benchmark(judge, rows=6))
        asked = house.asked

    scores = scores_of(client, job)
    # Row 0 is beyond the range.
    assert (scores["quality"].count, scores["quality"].mean) == (5, 3.0)
    assert (scores["verdict"].mean, job.failed_rows) == (1.0, 0)
    assert len(asked) == 6


def test_a_job_with_a_judge_is_started_by_file_by_client_and_by_bare_message(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    benchmark = a_judged_benchmark(a_judge(endpoint), rows=10)

    system.run("run", written(system.folder, benchmark), "--name", "by-file")
    client.jobs.start(benchmark, job="by-client")
    body = json.dumps({"benchmark": benchmark, "job": "by-message"}).encode()
    asyncio.run(publish(system.amqp_url, body))
    wait_until(
        lambda: {"by-client", "by-message"} <= {result.name for result in client.results.list()},
        timeout_seconds=SECONDS,
        otherwise=lambda: repr(list(client.jobs.list())),
    )

    found = [scores_of(client, name) for name in ("by-file", "by-client", "by-message")]
    assert found[0] == found[1] == found[2]
    assert found[0]["quality"].mean == 3.0


async def test_the_secret_of_a_judge_is_found_in_no_log_event_or_table(
    system: System, endpoint: OpenAIEndpoint, database_url: str
) -> None:
    system.start("producer", "results", "evaluator")
    seen: set[str] = set()

    def careless(asked: Asked) -> Act:
        key = asked.headers.get("authorization", "")
        seen.add(key)
        row = row_of(asked)
        if row % 3 == 0:
            return betrays(asked)
        if row % 3 == 1:
            return says(json.dumps({"explanation": key, "quality": 3, "verdict": "good"}))
        return says(f"My key is {key}, and that is all I say.")

    endpoint.behaviour = both(judge=careless)
    judge = a_judge(endpoint, model=a_judge_model(endpoint, api_key_secret="MODEL_KEY"))
    benchmark = a_judged_benchmark(
        judge, rows=12, params={"max_retries": 1, "ignore_request_failure": True}
    )
    with Client(amqp_url=system.amqp_url) as client:
        job = client.jobs.wait(client.jobs.start(benchmark).name, timeout_seconds=SECONDS)
        rows = [client.call("results.rows", {"job": job.name}).model_dump_json()]
        events = [event.model_dump_json() for event in client.events.list()]
        logs = [line.model_dump_json() for line in client.jobs.logs(job.name)]
    kept = await everything_in(database_url)
    said = "".join(service.log.read_text() for service in system.services.values())

    assert seen == {f"Bearer {SECRET}"}
    assert (job.status, job.failed_rows) == ("completed", 4)
    assert "MODEL_KEY" in kept
    for text in (*rows, *events, *logs, kept, said):
        assert SECRET not in text


def test_a_judge_at_a_private_address_is_refused_by_its_metrics_name(
    amqp_url: str, database_url: str, tmp_path: Path, endpoint: OpenAIEndpoint
) -> None:
    system = System(amqp_url, database_url, tmp_path, settings=PUBLIC_ONLY)
    hosts = [
        endpoint.url,
        f"http://localhost:{endpoint.port}/v1",
        "http://169.254.169.254/v1",
        "http://10.0.0.1/v1",
        "http://[::1]/v1",
    ]
    said: list[str] = []
    try:
        system.start("producer", "results", "evaluator")
        with Client(amqp_url=amqp_url) as client:
            for host in hosts:
                with pytest.raises(Refused) as refused:
                    client.jobs.start(a_judged_benchmark(a_judge(host), rows=1))
                said.append(refused.value.message)
    finally:
        system.stop()

    for sentence in said:
        assert sentence.startswith("metric 'judge'")
        assert "EVALBUS_ALLOW_PRIVATE_ENDPOINTS" in sentence or "credentials" in sentence
    assert endpoint.asked == []


def embedded(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = clean_environment({"EVALBUS_ALLOW_PRIVATE_ENDPOINTS": "1"})
    return ran(*arguments, environment=environment, folder=folder, code=None, seconds=SECONDS)


def test_embedded_a_judge_is_asked_and_one_behind_a_queue_is_refused(
    tmp_path: Path, endpoint: OpenAIEndpoint
) -> None:
    judged = a_judged_benchmark(a_judge(endpoint), rows=10, model=endpoint)
    behind = a_judge("", model={"type": "amqp", "queue": "judges.house"})

    done = embedded(tmp_path, "run", written(tmp_path, judged), "--json")
    refused = embedded(tmp_path, "run", written(tmp_path, a_judged_benchmark(behind, rows=1)))

    assert done.returncode == 0, done.stderr
    document: dict[str, Sequence[dict[str, Any]]] = json.loads(done.stdout)
    means = {
        score["name"]: score["mean"] for entry in document["results"] for score in entry["scores"]
    }
    assert means["quality"] == 3.0
    assert means["verdict"] == 0.5
    assert refused.returncode == 2
    assert "metric 'judge'" in refused.stderr
    assert "EVALBUS_AMQP_URL" in refused.stderr
