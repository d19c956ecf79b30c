"""What evalbus says to commands it cannot carry out: a sentence that names the place, and nothing is lost."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from evalbus.client import Client
from tests.acceptance.bare import publish
from tests.servers.deadline import wait_until
from tests.system import System, clean_environment, ran, write_benchmark

GOOD: dict[str, Any] = {
    "name": "good",
    "datasets": [{"name": "rows", "rows": [{"output": "a", "reference": "a"}]}],
    "models": [{"name": "recorded", "type": "recorded", "output": "{{ item.output }}"}],
    "metrics": [{"name": "exact", "type": "exact-match", "reference": "{{ item.reference }}"}],
}


def with_dataset(**dataset: object) -> dict[str, Any]:
    return GOOD | {"datasets": [{"name": "rows"} | dataset]}


@pytest.mark.parametrize(
    ("benchmark", "words"),
    [
        (GOOD | {"metrix": []}, ["metrix"]),
        (with_dataset(source="not-there.jsonl"), ["not-there.jsonl"]),
        (with_dataset(source="/etc/passwd"), ["/etc/passwd", "EVALBUS_DATASET_ROOTS"]),
        (with_dataset(source="../../etc/hostname"), ["EVALBUS_DATASET_ROOTS"]),
        (with_dataset(rows=[]), ["rows", "no rows"]),
        (
            GOOD | {"metrics": [{"name": "m", "type": "exact-mach", "reference": "x"}]},
            ["exact-mach", "exact-match"],
        ),
        (
            GOOD
            | {
                "metrics": [
                    {"name": "m", "type": "exact-match", "reference": "{{ item.referenze }}"}
                ]
            },
            ["referenze", "reference"],
        ),
    ],
    ids=["unknown key", "no file", "outside roots", "climbs out", "no rows", "type", "field"],
)
def test_a_command_that_is_refused_is_answered_by_an_event(
    services: System, benchmark: Mapping[str, object], words: list[str]
) -> None:
    body = json.dumps({"benchmark": benchmark}).encode()

    sent = asyncio.run(publish(services.amqp_url, body))

    with Client(amqp_url=services.amqp_url) as client:

        def rejections() -> list[Any]:
            return [
                stored.event
                for stored in client.events.list()
                if stored.event.correlation_id == sent
            ]

        wait_until(
            lambda: bool(rejections()), timeout_seconds=20, otherwise=lambda: "no rejection came"
        )
        (rejection,) = rejections()
        assert rejection.error.code in (-32602, -32001, -32004)
        for word in words:
            assert word in rejection.error.message
        assert list(client.jobs.list()) == []


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (b"{not json", {}, "not_json"),
        (b"\xff\xfe{}", {}, "not_json"),
        (b"", {}, "not_json"),
        (b"[" * 100_000, {}, "not_json"),
        (
            json.dumps({"benchmark": GOOD}).encode(),
            {"cloudEvents:type": "evalbus.benchmark.start.v2", "cloudEvents:specversion": "1.0"},
            "wrong_version",
        ),
        (b" " * (9 * 1024 * 1024), {}, "too_large"),
    ],
    ids=["not JSON", "UTF-16", "empty", "nested", "version 2", "9 MiB"],
)
def test_a_body_that_cannot_be_understood_is_set_aside_with_its_reason(
    services: System, body: bytes, headers: dict[str, str], reason: str
) -> None:
    sent = asyncio.run(publish(services.amqp_url, body, headers))

    with Client(amqp_url=services.amqp_url) as client:

        def letters() -> list[Any]:
            return [letter for letter in client.dlq.list() if letter.message_id == sent]

        wait_until(
            lambda: bool(letters()), timeout_seconds=20, otherwise=lambda: "no dead letter came"
        )
        (letter,) = letters()
        assert letter.reason == reason
        assert letter.queue == "evalbus.commands"
        assert letter.body_bytes == len(body)
        # The service lives on.
        started = client.jobs.start(GOOD)
        assert client.jobs.wait(started.name).status == "completed"


def test_a_name_in_use_is_a_conflict(services: System) -> None:
    file = write_benchmark(services.folder, [{"output": "a", "reference": "a"}])
    services.run("run", str(file), "--name", "taken")

    out = services.run("run", str(file), "--name", "taken", code=1)

    assert out == ""
    assert len(services.ask("jobs", "list")["jobs"]) == 1


def test_a_field_that_comes_to_lack_is_a_failed_row(services: System) -> None:
    rows = [{"output": "a", "reference": "a"}] * 150 + [{"output": "a"}] + [{"reference": "a"}]
    file = write_benchmark(services.folder, rows)

    document = services.ask("run", str(file), code=3)

    assert document["job"]["status"] == "completed"
    assert (document["job"]["rows"], document["job"]["failed_rows"]) == (152, 2)
    (exact,) = (r["scores"][0] for r in document["results"] if r["metric"].endswith("exact-match"))
    assert (exact["count"], exact["nan_count"], exact["n_failed"]) == (150, 2, 2)


def test_a_line_that_cannot_be_read_ends_the_job_and_keeps_what_was_scored(
    services: System,
) -> None:
    source = services.folder / "broken.jsonl"
    row = json.dumps({"output": "a", "reference": "a"}) + "\n"
    source.write_text(row * 100_000 + "{broken\n" + row, "utf-8")
    file = write_benchmark(services.folder, source)

    services.run("run", str(file), "--name", "broken", code=1)

    job = services.ask("jobs", "get", "broken")["job"]
    assert job["status"] == "error"
    assert "broken.jsonl:100001" in job["error"]["message"]
    assert job["rows"] > 0


@pytest.mark.parametrize("role", ["producer", "evaluator", "results"])
def test_a_service_without_a_broker_says_which_setting_it_lacks(role: str) -> None:
    done = ran("serve", role, environment=clean_environment({}), code=78)

    assert "EVALBUS_AMQP_URL" in done.stderr


@pytest.mark.parametrize("lacking", ["EVALBUS_AMQP_URL", "EVALBUS_DATABASE_URL"])
def test_a_server_that_is_away_at_the_start_is_exit_69(services: System, lacking: str) -> None:
    scheme = "amqp" if "AMQP" in lacking else "postgresql"
    away = {lacking: f"{scheme}://u:secret@127.0.0.1:9/x", "EVALBUS_CONNECT_SECONDS": "2"}

    done = ran("serve", "results", environment=services.environment | away, code=69)

    assert "127.0.0.1:9" in done.stderr
    assert "secret" not in done.stderr
