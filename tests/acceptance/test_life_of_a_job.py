"""A job is held and let go, gone on from and ended, whoever dies meanwhile; its log tells what happened."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from evalbus.client import Client
from evalbus.errors import Conflict, Invalid, NotFound
from evalbus_schemas.benchmark import Params
from evalbus_schemas.jobs import Job
from tests.acceptance.live import LOCAL, a_live_benchmark, after
from tests.servers.deadline import wait_until
from tests.servers.openai_endpoint import OpenAIEndpoint
from tests.system import System, clean_environment, evalbus, ran, write_benchmark

ROWS = 200
CALL_SECONDS = 0.05
SECONDS = 60.0
RECORDED = (
    {"output": "Paris", "reference": "Paris"},
    {"reference": "Rome"},
    {"output": "Berlin", "reference": "Bonn"},
)
"""The second row has nothing that could be scored."""


@pytest.fixture
def system(amqp_url: str, database_url: str, tmp_path: Path) -> Iterator[System]:
    system = System(amqp_url, database_url, tmp_path, settings=LOCAL)
    try:
        system.start("producer", "results", "evaluator")
        yield system
    finally:
        system.stop()


@pytest.fixture
def client(system: System) -> Iterator[Client]:
    with Client(amqp_url=system.amqp_url) as client:
        yield client


@pytest.fixture
def endpoint() -> Iterator[OpenAIEndpoint]:
    with OpenAIEndpoint(after(CALL_SECONDS)) as endpoint:
        yield endpoint


def becomes(client: Client, job: str, status: str) -> Job:
    wait_until(
        lambda: client.jobs.get(job).status == status,
        timeout_seconds=SECONDS,
        otherwise=lambda: f"{client.jobs.get(job)!r}\n{client.jobs.why(job)!r}",
    )
    return client.jobs.get(job)


def a_job_in_the_middle(client: Client, endpoint: OpenAIEndpoint) -> str:
    benchmark = a_live_benchmark(endpoint, rows=ROWS, params={"parallelism": 4})
    job = client.jobs.start(benchmark, job="first").name
    wait_until(
        lambda: client.jobs.get(job).rows > 0,
        timeout_seconds=SECONDS,
        otherwise=lambda: repr(client.jobs.why(job)),
    )
    return job


def a_recorded_benchmark(folder: Path, rows: Sequence[dict[str, str]] = RECORDED) -> Path:
    return write_benchmark(folder, rows)


def messages(client: Client, job: str) -> list[str]:
    return [line.message for line in client.jobs.logs(job)]


def test_a_paused_job_asks_nothing_until_it_is_resumed_and_then_asks_each_row_once(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    job = a_job_in_the_middle(client, endpoint)

    pausing = system.ask("jobs", "pause", job)["job"]
    again = system.ask("jobs", "pause", job)["job"]
    paused = becomes(client, job, "paused")
    asked_when_paused = len(endpoint.asked)
    following = subprocess.Popen(
        evalbus("jobs", "logs", job, "--follow", "--json"),
        env=system.client_environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    reason = client.jobs.why(job).reason
    asked_before_resuming = len(endpoint.asked)
    resumed = system.ask("jobs", "resume", job)["job"]
    running = client.jobs.resume(job)
    speed = becomes(client, job, "active")
    done = client.jobs.wait(job, timeout_seconds=SECONDS)
    followed, _ = following.communicate(timeout=SECONDS)

    assert {pausing["status"], again["status"]} <= {"pausing", "paused"}
    assert reason == "paused"
    assert paused.rows < ROWS
    assert asked_before_resuming == asked_when_paused == paused.rows
    assert resumed["status"] == "resuming"
    assert running.status in ("resuming", "active")
    assert speed.rows_per_second is not None
    assert (done.status, done.rows, done.failed_rows) == ("completed", ROWS, 0)
    assert set(endpoint.times_asked.values()) == {1}
    told = [json.loads(line)["message"] for line in followed.splitlines()]
    assert told == messages(client, job)
    acts = [message.split(" by ")[0] for message in told]
    # Sending may begin before everything is read.
    assert sorted(acts[:4]) == [
        "accepted",
        "began to read its datasets",
        "began to send its chunks",
        f"read dataset 'questions' to its end: {ROWS} rows",
    ]
    assert acts[4:] == [
        "paused",
        "resumed",
        "began to send its chunks",
        f"completed: {ROWS} rows, 0 of them failed",
    ]


def test_a_job_becomes_paused_though_its_producer_is_killed_meanwhile(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    job = a_job_in_the_middle(client, endpoint)

    client.jobs.pause(job)
    system["producer"].kill9()
    paused = becomes(client, job, "paused")
    system["producer"].restart()
    client.jobs.resume(job)
    done = client.jobs.wait(job, timeout_seconds=SECONDS)

    assert paused.rows < ROWS
    assert (done.status, done.rows, done.failed_rows) == ("completed", ROWS, 0)


def test_a_pausing_job_can_be_resumed_at_once_and_cancelled_at_once(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    endpoint.behaviour = after(1.0)
    job = a_job_in_the_middle(client, endpoint)

    pausing = client.jobs.pause(job)
    resumed = client.jobs.resume(job)
    pausing_again = client.jobs.pause(job)
    cancelled = client.jobs.cancel(job)

    assert [each.status for each in (pausing, pausing_again)] == ["pausing", "pausing"]
    assert resumed.status == "resuming"
    assert cancelled.status == "cancelled"
    with pytest.raises(Conflict, match="cancelled: it cannot be resumed"):
        client.jobs.resume(job)
    with pytest.raises(Conflict, match="cancelled: it cannot be paused"):
        client.jobs.pause(job)


def test_a_job_beyond_its_deadline_ends_in_error_also_while_it_is_paused(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    params = {"parallelism": 1, "deadline": 3}
    benchmark = a_live_benchmark(endpoint, rows=ROWS, params=params)
    for name in ("running", "held"):
        client.jobs.start(benchmark, job=name)
    becomes(client, "held", "active")
    client.jobs.pause("held")

    ended = [client.jobs.wait(name, timeout_seconds=SECONDS) for name in ("running", "held")]

    for job in ended:
        assert job.status == "error"
        assert job.error is not None
        assert job.error.code == "deadline_exceeded"
        assert 0 < job.rows < ROWS


def test_a_retry_runs_only_what_failed_and_the_source_stays_as_it_is(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    benchmark = a_live_benchmark(
        endpoint,
        rows=60,
        params={"parallelism": 8, "max_retries": 0, "ignore_request_failure": True},
    )
    endpoint.stop()
    failed = client.jobs.wait(client.jobs.start(benchmark, job="first").name)
    endpoint.start()

    done = json.loads(system.run("jobs", "retry", "first", "--name", "second", "--json"))["job"]

    assert (failed.status, failed.failed_rows) == ("completed", 60)
    assert (done["name"], done["status"], done["rows"]) == ("second", "completed", 60)
    assert (done["failed_rows"], done["derived_from"], done["derivation"]) == (0, "first", "retry")
    assert set(endpoint.times_asked.values()) == {1}
    assert client.jobs.get("first").failed_rows == 60
    assert client.results.get("second").results[0].scores[0].mean == 1.0
    assert messages(client, "first")[-1] == "retried as job second"
    assert "took over 60 rows of dataset 'questions'" in messages(client, "second")


def test_a_retry_has_what_is_given_in_place_of_what_its_source_ran_with(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    params = {"max_retries": 0, "parallelism": 2, "ignore_request_failure": False}
    benchmark = a_live_benchmark(endpoint, rows=10, params=params)
    endpoint.stop()
    client.jobs.wait(client.jobs.start(benchmark, job="first", labels={"team": "a"}).name)

    as_before = client.jobs.retry("first", name="as-before", params={"parallelism": 1})
    # The default, which is not what the job ran with.
    other = client.jobs.retry("first", name="other", params={"ignore_request_failure": None})
    as_params = client.jobs.retry(
        "first", name="as-params", params=Params(ignore_request_failure=True)
    )
    again = client.jobs.retry("first", params={"max_retries": 1}, idempotency_key="the-key")
    same = client.jobs.retry("first", params={"max_retries": 1}, idempotency_key="the-key")

    assert other.labels == {"team": "a"}
    assert again.job_id == same.job_id
    ended = [client.jobs.wait(job.name) for job in (as_before, other, as_params)]
    assert [job.status for job in ended] == ["error", "completed", "completed"]
    assert ended[0].error is not None
    assert ended[0].error.code == "request_failed"
    assert [job.failed_rows for job in ended[1:]] == [10, 10]
    with pytest.raises(Conflict, match="the-key"):
        client.jobs.retry("first", params={"max_retries": 2}, idempotency_key="the-key")
    with pytest.raises(Invalid, match=r"params\.limit_samples of a retry"):
        client.jobs.retry("first", params={"limit_samples": 3})
    with pytest.raises(Invalid, match=r"params\.repeats of a retry"):
        client.jobs.retry("first", params={"repeats": 2})
    with pytest.raises(NotFound):
        client.jobs.retry("nobody")


def test_a_job_that_misses_nothing_or_has_not_ended_is_not_retried(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    whole = write_benchmark(system.folder, [{"output": "a", "reference": "a"}], name="whole")
    system.run("run", str(whole), "--name", "whole")
    a_job_in_the_middle(client, endpoint)

    with pytest.raises(Conflict, match="'whole' has no failed or missing rows"):
        client.jobs.retry("whole")
    with pytest.raises(Conflict, match="'first' is active: only one that has ended"):
        client.jobs.retry("first")
    with pytest.raises(Conflict, match="'first' is active: only one that has ended"):
        client.jobs.rescore("first", [{"name": "f1", "type": "f1", "reference": "x"}])
    system.run("jobs", "retry", "whole", code=1)


def test_a_cancelled_job_is_gone_on_with_and_each_row_is_asked_once(
    client: Client, endpoint: OpenAIEndpoint
) -> None:
    job = a_job_in_the_middle(client, endpoint)
    client.jobs.pause(job)
    becomes(client, job, "paused")
    stopped = client.jobs.cancel(job)

    done = client.jobs.wait(client.jobs.retry(job).name, timeout_seconds=SECONDS)

    assert 0 < stopped.rows < ROWS
    assert (done.status, done.rows, done.failed_rows) == ("completed", ROWS, 0)
    assert set(endpoint.times_asked.values()) == {1}


def test_samples_are_scored_with_other_metrics_and_no_model_is_asked(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    benchmark = a_live_benchmark(endpoint, rows=40)
    source = client.jobs.wait(client.jobs.start(benchmark, job="first").name)
    endpoint.stop()
    file = system.folder / "metrics.yaml"
    file.write_text(
        json.dumps({"metrics": [{"name": "f1", "type": "f1", "reference": "{{ item.a }}"}]})
    )

    document = json.loads(system.run("jobs", "rescore", "first", str(file), "--json"))
    with_those_of_a_benchmark = client.jobs.wait(
        client.jobs.rescore("first", benchmark["metrics"], name="same").name
    )

    done = document["job"]
    assert source.status == "completed"
    assert (done["status"], done["rows"], done["failed_rows"]) == ("completed", 40, 0)
    assert (done["derived_from"], done["derivation"]) == ("first", "rescore")
    assert [each["metric"] for each in document["results"]] == ["default/f1"]
    assert document["results"][0]["scores"][0]["mean"] == 1.0
    same = client.results.get(with_those_of_a_benchmark.name)
    assert same.results == client.results.get("first").results
    assert set(endpoint.times_asked.values()) == {1}


def test_metrics_that_do_not_fit_the_stored_rows_are_refused(
    system: System, client: Client
) -> None:
    system.run("run", str(a_recorded_benchmark(system.folder)), "--name", "first", code=3)
    f1 = {"name": "f1", "type": "f1", "reference": "{{ item.reference }}"}

    with pytest.raises(Invalid, match="unknown metric"):
        client.jobs.rescore("first", [f1 | {"type": "f2"}])
    with pytest.raises(Invalid, match="refrence"):
        client.jobs.rescore("first", [f1 | {"reference": "{{ item.refrence }}"}])
    with pytest.raises(Invalid, match="two metrics are called 'f1'"):
        client.jobs.rescore("first", [f1, f1])
    with pytest.raises(NotFound, match="nobody"):
        client.jobs.rescore("first", ["default/nobody"])
    empty = system.folder / "empty.yaml"
    empty.write_text("name: nothing\n")
    system.run("jobs", "rescore", "first", str(empty), code=2)


def test_without_servers_a_job_is_retried_rescored_and_told_of_in_one_folder(
    tmp_path: Path,
) -> None:
    said = ("right", "wrong", None)
    file = write_benchmark(
        tmp_path,
        [{**row, "said": each} for row, each in zip(RECORDED, said, strict=True)],
        metrics=[
            {
                "name": "exact-match",
                "type": "exact-match",
                "reference": "{{ item.reference }}",
                "ground_truth": "{{ {'right': 1, 'wrong': 0}[item.said] }}",
            }
        ],
    )

    def run(*arguments: str, code: int = 0) -> str:
        environment = clean_environment({})
        return ran(*arguments, environment=environment, folder=tmp_path, code=code).stdout

    def ask(*arguments: str, code: int = 0) -> Any:
        return json.loads(run(*arguments, "--json", code=code))

    first = ask("run", str(file), "--name", "first", code=3)
    retried = ask("jobs", "retry", "first", "--name", "again", code=3)
    rescored = ask("jobs", "rescore", "first", str(file), "--name", "other", code=3)
    run("jobs", "pause", "first", code=1)
    told = run("jobs", "logs", "first")

    assert retried["results"] == rescored["results"] == first["results"]
    agreement = first["results"][0]["scores"][0]["agreement"]
    counts = [agreement[name] for name in ("count", "without_value", "without_truth")]
    assert (counts, agreement["raw"]) == ([1, 1, 1], 1.0)
    assert [each["job"]["derivation"] for each in (first, retried, rescored)] == [
        *(None, "retry", "rescore"),
    ]
    assert retried["job"]["failed_rows"] == 1
    assert "completed: 3 rows, 1 of them failed" in told
    assert told.splitlines()[-1].endswith("re-scored as job other")
