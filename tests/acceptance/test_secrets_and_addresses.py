"""A secret goes to the model it is meant for and nowhere else; a benchmark cannot make a service call where it must not."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asyncpg import connect

from evalbus.client import Client
from evalbus.errors import Refused
from tests.acceptance.live import LOCAL, SECRET, a_live_benchmark, knows
from tests.servers.openai_endpoint import (
    Act,
    Asked,
    Behaviour,
    OpenAIEndpoint,
    betrays,
    html,
    redirects,
    returns,
    unpacks_to,
)
from tests.system import System, write_benchmark

PUBLIC_ONLY = {
    name: value for name, value in LOCAL.items() if name != "EVALBUS_ALLOW_PRIVATE_ENDPOINTS"
}


@pytest.fixture
def endpoint() -> Iterator[OpenAIEndpoint]:
    with OpenAIEndpoint(knows) as endpoint:
        yield endpoint


@pytest.fixture
def system(
    amqp_url: str, database_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[System]:
    """With the settings that the test was parametrised with."""
    settings = {**LOCAL, **getattr(request, "param", {})}
    settings = {name: value for name, value in settings.items() if value}
    system = System(amqp_url, database_url, tmp_path, settings=settings)
    system.start("producer", "results", "evaluator")
    try:
        yield system
    finally:
        system.stop()


async def everything_in(database_url: str) -> str:
    """Every value of every table, as text."""
    connection = await connect(database_url)
    try:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
        )
        found = [
            str(
                await connection.fetchval(f"SELECT string_agg(t::text, '\\n') FROM \"{name}\" AS t")
            )
            for (name,) in tables
        ]
    finally:
        await connection.close()
    return "\n".join(found)


async def test_a_secret_is_found_in_no_log_event_table_dead_letter_or_traceback(
    system: System, endpoint: OpenAIEndpoint, database_url: str
) -> None:
    careless: list[Behaviour] = [
        betrays,
        lambda asked: returns({"given": asked.headers.get("authorization")}),
        lambda asked: returns(
            {"choices": [{"message": {"content": f"key: {asked.headers.get('authorization')}"}}]}
        ),
        lambda asked: redirects(f"http://127.0.0.1:1/?key={asked.headers.get('authorization')}"),
    ]
    seen: list[str] = []

    def repeats_the_key(asked: Asked) -> Act:
        seen.append(asked.headers.get("authorization", ""))
        return careless[int(asked.prompt.rpartition(" ")[2]) % len(careless)](asked)

    endpoint.behaviour = repeats_the_key
    benchmark = a_live_benchmark(
        endpoint,
        rows=12,
        model={"api_key_secret": "MODEL_KEY"},
        params={"max_retries": 1, "ignore_request_failure": True},
    )
    with Client(amqp_url=system.amqp_url) as client:
        job = client.jobs.wait(client.jobs.start(benchmark).name, timeout_seconds=60)
        rows = [client.call("results.rows", {"job": job.name}).model_dump_json()]
        events = [event.model_dump_json() for event in client.events.list()]
        logs = [line.model_dump_json() for line in client.jobs.logs(job.name)]
    kept = await everything_in(database_url)
    written = "".join(service.log.read_text() for service in system.services.values())

    assert set(seen) == {f"Bearer {SECRET}"}
    assert job.is_terminal
    assert rows
    for text in (*rows, *events, *logs, kept, written):
        assert SECRET not in text


def test_a_secret_that_is_not_set_is_named(system: System, endpoint: OpenAIEndpoint) -> None:
    benchmark = a_live_benchmark(endpoint, rows=3, model={"api_key_secret": "NOBODY_SET_THIS"})

    with Client(amqp_url=system.amqp_url) as client:
        job = client.jobs.wait(client.jobs.start(benchmark).name, timeout_seconds=60)
        reasons = [row.metric_errors for row in client.results.rows(job.name)]

    assert job.failed_rows == 3
    assert all(reason and "NOBODY_SET_THIS" in reason["sample"] for reason in reasons)
    assert endpoint.asked == []


def test_what_is_no_secret_of_a_model_cannot_be_named(
    system: System, endpoint: OpenAIEndpoint
) -> None:
    names = ["EVALBUS_DATABASE_URL", "EVALBUS_AMQP_URL", "PGPASSWORD", "../../etc/passwd", "x y"]

    with Client(amqp_url=system.amqp_url) as client:
        for name in names:
            benchmark = a_live_benchmark(endpoint, rows=1, model={"api_key_secret": name})
            with pytest.raises(Refused, match="api_key_secret"):
                client.jobs.start(benchmark)

    assert endpoint.asked == []


@pytest.mark.parametrize(
    "system", [{"EVALBUS_BOUND_SECRETS": "MODEL_KEY=api.example.com"}], indirect=True
)
def test_a_secret_is_not_sent_to_a_host_that_it_is_not_bound_to(
    system: System, endpoint: OpenAIEndpoint
) -> None:
    benchmark = a_live_benchmark(endpoint, rows=2, model={"api_key_secret": "MODEL_KEY"})

    with Client(amqp_url=system.amqp_url) as client:
        job = client.jobs.wait(client.jobs.start(benchmark).name, timeout_seconds=60)
        reasons = [row.metric_errors for row in client.results.rows(job.name)]

    assert job.failed_rows == 2
    assert all(reason and "MODEL_KEY" in reason["sample"] for reason in reasons)
    assert endpoint.asked == []


@pytest.mark.parametrize("system", [{"EVALBUS_ALLOW_PRIVATE_ENDPOINTS": ""}], indirect=True)
def test_no_private_address_is_called(system: System, endpoint: OpenAIEndpoint) -> None:
    port = endpoint.port
    hosts = [
        f"http://127.0.0.1:{port}",
        f"http://127.1:{port}",
        f"http://2130706433:{port}",
        f"http://0x7f000001:{port}",
        f"http://0177.0.0.1:{port}",
        f"http://[::1]:{port}",
        f"http://[::ffff:127.0.0.1]:{port}",
        f"http://localhost:{port}",
        f"http://0.0.0.0:{port}",
        "http://169.254.169.254/latest/meta-data",
        "http://[fd00:ec2::254]/latest",
        "http://10.0.0.1",
        "http://192.168.1.1",
        "http://172.16.0.1",
        "http://100.64.0.1",
        f"http://user:password@127.0.0.1:{port}",
        "file:///etc/passwd",
        "gopher://127.0.0.1:25",
    ]
    outcomes: dict[str, str] = {}
    with Client(amqp_url=system.amqp_url) as client:
        for host in hosts:
            benchmark = a_live_benchmark(host, rows=1, params={"max_retries": 0})
            try:
                job = client.jobs.start(benchmark)
            except Refused as refusal:
                outcomes[host] = refusal.message
                continue
            ended = client.jobs.wait(job.name, timeout_seconds=60)
            assert ended.failed_rows == 1, host
            (row,) = client.results.rows(job.name)
            outcomes[host] = (row.metric_errors or {})["sample"]

    assert endpoint.asked == []
    wanted = ("EVALBUS_ALLOW_PRIVATE_ENDPOINTS", "http or https", "credentials")
    assert {
        host: said for host, said in outcomes.items() if not any(w in said for w in wanted)
    } == {}


def test_a_redirect_is_not_followed(system: System, endpoint: OpenAIEndpoint) -> None:
    with OpenAIEndpoint(knows) as inside:
        endpoint.behaviour = lambda _: redirects(inside.url)
        benchmark = a_live_benchmark(endpoint, rows=2, params={"max_retries": 0})
        with Client(amqp_url=system.amqp_url) as client:
            job = client.jobs.wait(client.jobs.start(benchmark).name, timeout_seconds=60)

    assert job.failed_rows == 2
    assert inside.asked == []


def test_an_answer_without_end_costs_its_row_and_no_memory(
    system: System, endpoint: OpenAIEndpoint
) -> None:
    def bomb(asked: Asked) -> Act:
        return unpacks_to(512 * 1024 * 1024) if asked.prompt.endswith("1") else knows(asked)

    endpoint.behaviour = bomb
    benchmark = a_live_benchmark(endpoint, rows=3, params={"max_retries": 0})
    with Client(amqp_url=system.amqp_url) as client:
        job = client.jobs.wait(client.jobs.start(benchmark).name, timeout_seconds=60)
    status = Path(f"/proc/{system['evaluator-0'].pid}/status").read_text()
    peak_kib = int(status.partition("VmHWM:")[2].split()[0])

    assert (job.status, job.failed_rows) == ("completed", 1)
    assert peak_kib < 200 * 1024


def test_nonsense_on_every_call_fails_rows_and_nothing_else(
    system: System, endpoint: OpenAIEndpoint
) -> None:
    endpoint.behaviour = lambda _: html()
    benchmark = a_live_benchmark(endpoint, rows=5, params={"max_retries": 1})
    with Client(amqp_url=system.amqp_url) as client:
        job = client.jobs.wait(client.jobs.start(benchmark).name, timeout_seconds=60)

    assert (job.status, job.failed_rows) == ("completed", 5)
    assert all(service.is_running for service in system.services.values())


def test_a_source_cannot_leave_its_roots(system: System) -> None:
    (system.folder.parent / "secret.jsonl").write_text('{"output": "x", "reference": "x"}\n')
    benchmark: dict[str, Any] = json.loads(
        write_benchmark(system.folder, [{"output": "x", "reference": "x"}]).read_text()
    )

    with Client(amqp_url=system.amqp_url) as client:
        for source in ("../secret.jsonl", "/etc/passwd", "a/../../secret.jsonl"):
            benchmark["datasets"][0]["source"] = source
            with pytest.raises(Refused) as refused:
                client.jobs.start(benchmark)
            assert source in refused.value.message


def test_the_command_line_says_it_with_exit_codes(system: System, endpoint: OpenAIEndpoint) -> None:
    file = system.folder / "live.yaml"
    file.write_text(json.dumps(a_live_benchmark(endpoint, rows=2, model={"api_key_secret": "PGX"})))

    done = subprocess.run(
        ["evalbus", "run", str(file)],
        env=system.client_environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "api_key_secret" in done.stderr
