"""A job that stands still says why, whichever of its servers, services and models is away."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalbus.client import Client, opening
from evalbus.settings import load_settings
from evalbus_schemas.jobs import Why, WhyReason
from tests.acceptance.live import LOCAL, a_live_benchmark, after
from tests.servers.deadline import wait_until
from tests.servers.openai_endpoint import Act, Asked, OpenAIEndpoint, throttles
from tests.servers.rabbitmq import RabbitNode
from tests.system import System

ROWS = 120
SECONDS = 60.0
HURRIED = {**LOCAL, "EVALBUS_CONNECT_SECONDS": "3"}


@pytest.fixture
def own_system(own_rabbit_node: RabbitNode, database_url: str, tmp_path: Path) -> Iterator[System]:
    """On a broker that the test may stop."""
    system = System(own_rabbit_node.url(), database_url, tmp_path, settings=HURRIED)
    try:
        yield system
    finally:
        system.stop()


@pytest.fixture
def system(amqp_url: str, database_url: str, tmp_path: Path) -> Iterator[System]:
    system = System(amqp_url, database_url, tmp_path, settings=HURRIED)
    try:
        yield system
    finally:
        system.stop()


@pytest.fixture
def endpoint() -> Iterator[OpenAIEndpoint]:
    with OpenAIEndpoint(after(0.2)) as endpoint:
        yield endpoint


@pytest.fixture
def client(system: System) -> Iterator[Client]:
    with Client(amqp_url=system.amqp_url) as client:
        yield client


def impatient(_: Asked) -> Act:
    return throttles("30")


def becomes(client: Client, job: str, reason: WhyReason) -> Why:
    found: list[Why] = []

    def says_so() -> bool:
        found.append(client.jobs.why(job))
        return found[-1].reason == reason

    wait_until(
        says_so,
        timeout_seconds=SECONDS,
        otherwise=lambda: f"{client.jobs.get(job)!r}\n{found[-1]!r}",
    )
    return found[-1]


def test_a_job_whose_broker_is_stopped_says_so_and_goes_on_when_it_is_back(
    own_system: System, own_rabbit_node: RabbitNode, endpoint: OpenAIEndpoint
) -> None:
    own_system.start("producer", "results", "evaluator")
    benchmark = a_live_benchmark(endpoint, rows=ROWS, params={"parallelism": 8})
    with Client(amqp_url=own_system.amqp_url) as client:
        job = client.jobs.start(benchmark, job="first").name
        wait_until(
            lambda: client.jobs.get(job).rows > 0,
            timeout_seconds=SECONDS,
            otherwise=lambda: repr(client.jobs.why(job)),
        )
    settings = load_settings({"database_url": own_system.database_url})

    own_rabbit_node.stop()
    with Client(settings=settings, opener=opening.querying(settings)) as of_the_database:
        noted = becomes(of_the_database, job, "broker_down")
        without_database = own_system.run("jobs", "why", job, code=69)
        with_database = json.loads(
            own_system.run(
                *("jobs", "why", job, "--json"),
                settings={"EVALBUS_DATABASE_URL": own_system.database_url},
            )
        )
        own_rabbit_node.start()
        becomes(of_the_database, job, "nothing")
        done = of_the_database.jobs.wait(job, timeout_seconds=SECONDS)

    assert "RabbitMQ" in noted.advice
    assert noted.oldest_chunk is not None
    assert without_database == ""
    assert (with_database["reason"], with_database["status"]) == ("broker_down", "active")
    assert (done.status, done.rows, done.failed_rows) == ("completed", ROWS, 0)


def test_a_job_without_an_evaluator_says_so(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results")
    job = client.jobs.start(a_live_benchmark(endpoint, rows=4)).name

    alone = becomes(client, job, "no_evaluator")
    client.jobs.pause(job)
    held = client.jobs.why(job)

    assert "evalbus serve evaluator" in alone.advice
    assert alone.oldest_chunk is not None
    assert held.reason == "paused"


def test_a_job_whose_chunks_nobody_sends_waits_for_a_producer(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results", "evaluator")
    params = {"parallelism": 4}
    job = client.jobs.start(a_live_benchmark(endpoint, rows=ROWS, params=params)).name
    wait_until(
        lambda: client.jobs.get(job).rows > 0,
        timeout_seconds=SECONDS,
        otherwise=lambda: repr(client.jobs.why(job)),
    )

    system["producer"].kill9()

    left = becomes(client, job, "not_dispatched")
    assert "evalbus serve producer" in left.advice
    assert (left.chunks_in_flight, left.chunks_waiting > 0) == (0, True)
    assert left.oldest_chunk is not None


def test_a_job_that_asks_as_much_as_it_may_is_limited_by_its_model(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results", "evaluator")
    benchmark = a_live_benchmark(endpoint, rows=ROWS, params={"parallelism": 2})

    limited = becomes(client, client.jobs.start(benchmark).name, "model_limited")

    assert limited.chunks_in_flight > 0
    assert limited.oldest_chunk is not None


def test_a_job_whose_endpoint_is_gone_waits_for_its_circuit(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results", "evaluator")
    params = {"parallelism": 4, "ignore_request_failure": True}
    job = client.jobs.start(a_live_benchmark(endpoint, rows=ROWS, params=params)).name
    wait_until(
        lambda: client.jobs.get(job).rows > 0,
        timeout_seconds=SECONDS,
        otherwise=lambda: repr(client.jobs.why(job)),
    )

    endpoint.stop()

    held_up = becomes(client, job, "circuit_open")

    assert "endpoint" in held_up.advice
    assert held_up.oldest_chunk is not None


def test_a_job_whose_model_asks_for_patience_waits_for_the_next_try(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results", "evaluator")
    endpoint.behaviour = impatient

    job = client.jobs.start(a_live_benchmark(endpoint, rows=4)).name
    patient = becomes(client, job, "retry_delay")

    assert patient.oldest_chunk is not None


def test_without_the_results_service_the_database_itself_is_asked(
    system: System, client: Client, endpoint: OpenAIEndpoint
) -> None:
    system.start("producer", "results", "evaluator")
    job = client.jobs.start(a_live_benchmark(endpoint, rows=4)).name
    client.jobs.wait(job, timeout_seconds=SECONDS)
    system["results"].kill9()

    document = json.loads(
        system.run(
            *("jobs", "why", job, "--json"),
            settings={
                "EVALBUS_DATABASE_URL": system.database_url,
                "EVALBUS_RPC_SECONDS": "2",
            },
        )
    )

    assert (document["status"], document["reason"]) == ("completed", "nothing")
