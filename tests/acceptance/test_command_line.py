"""The command line at work: a person runs, interrupts, comes back and looks, embedded and as a client."""

import json
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalbus.client import Client
from tests.servers.deadline import wait_until
from tests.system import System, clean_environment, evalbus, generate_rows, ran, write_benchmark

SMALL = ({"output": "a", "reference": "a"}, {"output": "b", "reference": "c"})
MANY_ROWS = 150_000
MORE_ROWS = 400_000
"""Enough for a second command to start and look while they are scored."""
SECONDS = 120.0


class Person:
    """Somebody with a shell in a folder, and no server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[subprocess.Popen[str]] = []

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            evalbus(*arguments),
            cwd=self.folder,
            env=clean_environment({}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._running.append(process)
        return process

    def run(self, *arguments: str, code: int = 0) -> str:
        process = self.begin(*arguments)
        out, err = process.communicate(timeout=SECONDS)
        assert process.returncode == code, f"{arguments}: {process.returncode}\n{out}\n{err}"
        return out

    def ask(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))

    def rows_of(self, job: str) -> int:
        """How many rows are scored; 0 as long as there is no such job."""
        if not (self.folder / ".evalbus").exists():
            return 0
        found = [each for each in self.ask("jobs", "list")["jobs"] if each["name"] == job]
        return found[0]["rows"] if found else 0

    def leave(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    someone = Person(tmp_path)
    yield someone
    someone.leave()


def a_long_benchmark(folder: Path, rows: int = MANY_ROWS) -> str:
    return str(write_benchmark(folder, generate_rows(rows, folder / "many.jsonl"), name="long"))


def test_the_file_that_init_writes_is_scored_embedded(person: Person) -> None:
    person.run("init")

    out = person.run("run", "benchmark.yaml", "--md")

    assert out.splitlines()[0] == "| model | metric | mean | n | failed |"
    assert "| terse | exact-match | 0.8000 | 5 | 0 |" in out
    assert "| chatty | contains | 0.8000 | 5 | 0 |" in out


def test_ctrl_c_leaves_an_embedded_job_that_goes_on_later(person: Person) -> None:
    process = person.begin("run", a_long_benchmark(person.folder, MORE_ROWS), "--name", "long")
    wait_until(
        lambda: person.rows_of("long") > 0,
        timeout_seconds=SECONDS,
        otherwise=lambda: "no row was scored",
    )

    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=SECONDS)
    left = person.ask("jobs", "get", "long")["job"]
    document = person.ask("jobs", "wait", "long")

    assert process.returncode == 130
    assert "evalbus jobs wait long" in said
    assert "Traceback" not in said
    assert left["status"] == "active"
    assert document["job"]["status"] == "completed"
    assert document["job"]["rows"] == MORE_ROWS
    assert [r["scores"][0]["n_rows"] for r in document["results"]] == [MORE_ROWS, MORE_ROWS]


def test_an_embedded_job_is_cancelled_from_another_terminal(person: Person) -> None:
    process = person.begin(
        "run", a_long_benchmark(person.folder, MORE_ROWS), "--name", "long", "--json"
    )
    wait_until(
        lambda: person.rows_of("long") > 0,
        timeout_seconds=SECONDS,
        otherwise=lambda: "no row was scored",
    )

    cancelled = person.ask("jobs", "cancel", "long")["job"]
    out, said = process.communicate(timeout=SECONDS)

    assert cancelled["status"] == "cancelled"
    assert process.returncode == 1
    assert "job long was cancelled" in said
    assert json.loads(out)["results"] == []


def until_it_says(process: "subprocess.Popen[str]", words: str) -> list[str]:
    """Its lines on standard error, the last of which has the words."""
    assert process.stderr is not None
    lines = [process.stderr.readline()]
    while words not in lines[-1]:
        assert lines[-1], f"it ended:\n{''.join(lines)}"
        lines.append(process.stderr.readline())
    return lines


def test_everything_served_in_one_process_ends_on_a_signal(person: Person) -> None:
    process = person.begin("serve", "all")
    lines = until_it_says(process, "serving.started")

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=SECONDS)

    assert lines[0].startswith("embedded: ")
    assert str(person.folder / ".evalbus") in lines[0]
    assert process.returncode == 143


def test_a_run_waits_for_whoever_has_the_folder_and_says_so(person: Person) -> None:
    file = write_benchmark(person.folder, SMALL)
    owner = person.begin("serve", "all")
    until_it_says(owner, "serving.started")

    process = person.begin("run", str(file), "--name", "later")
    waiting = until_it_says(process, "waiting: ")[-1]
    meanwhile = person.ask("jobs", "list")["jobs"]
    owner.send_signal(signal.SIGTERM)
    owner.communicate(timeout=SECONDS)
    out, said = process.communicate(timeout=SECONDS)

    assert str(owner.pid) in waiting
    assert meanwhile == []
    assert process.returncode == 0, said
    assert "exact-match" in out


def test_failed_rows_are_an_exit_code_of_their_own(person: Person) -> None:
    file = write_benchmark(person.folder, [*SMALL, {"reference": "d"}])

    out = person.run("run", str(file), "--name", "holes", "--json", code=3)
    failed = json.loads(person.run("results", "rows", "holes", "--failed", "--json"))

    assert json.loads(out)["job"]["failed_rows"] == 1
    assert failed["item"] == {"reference": "d"}


def test_rows_can_be_had_in_every_form(person: Person) -> None:
    person.run("run", str(write_benchmark(person.folder, SMALL)), "--name", "two")

    lines = person.run("results", "rows", "two", "--json").splitlines()
    table = person.run("results", "rows", "two", "--csv").splitlines()

    assert [json.loads(line)["item"] for line in lines] == list(SMALL)
    assert table[0] == (
        "dataset,model,row,output,reference,output_text,exact-match,f1,failed,why,other fields"
    )
    assert len(table) == 3


def test_the_doctor_finds_nothing_wrong_with_a_new_folder(person: Person) -> None:
    checks = person.ask("doctor")["checks"]

    assert checks
    assert all(check["ok"] for check in checks)


def test_on_a_terminal_a_bar_shows_how_fast_it_goes(person: Person) -> None:
    file = a_long_benchmark(person.folder)
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        evalbus("run", file, "--json"),
        cwd=person.folder,
        env=clean_environment({"TERM": "xterm", "COLUMNS": "100"}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=terminal,
    )
    os.close(terminal)

    shown = _all_that_is_shown(master, process)
    out, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == 0
    assert "rows/s" in shown
    assert f"/{MANY_ROWS}" in shown
    assert json.loads(out)["job"]["rows"] == MANY_ROWS


def _all_that_is_shown(master: int, process: "subprocess.Popen[bytes]") -> str:
    shown, end = b"", time.monotonic() + SECONDS
    while time.monotonic() < end:
        readable, _, _ = select.select([master], [], [], 0.1)
        if readable:
            try:
                piece = os.read(master, 65_536)
            except OSError:
                # The other side of a terminal that was closed.
                break
            if not piece:
                break
            shown += piece
        elif process.poll() is not None:
            break
    os.close(master)
    return shown.decode("utf-8", "replace")


def test_the_synchronous_client_runs_everything_in_its_own_process(tmp_path: Path) -> None:
    file = write_benchmark(tmp_path, SMALL)

    with Client.embedded(tmp_path / "data") as client:
        job = client.jobs.start(file, job="here")
        ended = client.jobs.wait(job.name, timeout_seconds=60)
        means = [r.scores[0].mean for r in client.results.get("here").results]
        rows = [row.failed for row in client.results.rows("here")]
        events = [stored.type.split(".")[2] for stored in client.events.list()]

    assert ended.status == "completed"
    assert means == [0.5, 0.5]
    assert rows == [False, False]
    assert events == ["started", "completed"]


def test_a_client_detaches_on_ctrl_c_and_comes_back(services: System) -> None:
    file = a_long_benchmark(services.folder)
    process = subprocess.Popen(
        evalbus("run", file, "--name", "long"),
        env=services.client_environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(
        lambda: any(job["name"] == "long" for job in services.ask("jobs", "list")["jobs"]),
        timeout_seconds=SECONDS,
        otherwise=lambda: "the job was not started",
    )

    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=SECONDS)
    document = services.ask("jobs", "wait", "long")

    assert process.returncode == 130
    assert "detached; job long goes on" in said
    assert document["job"]["status"] == "completed"
    assert document["job"]["rows"] == MANY_ROWS


def test_a_detached_job_is_printed_watched_and_cancelled(empty_system: System) -> None:
    # Without an evaluator the job is still there when it is cancelled.
    empty_system.start("producer", "results")
    file = write_benchmark(empty_system.folder, SMALL)

    started = empty_system.ask("run", str(file), "--name", "held", "--detach")["job"]
    why = empty_system.ask("jobs", "why", "held")
    cancelled = empty_system.ask("jobs", "cancel", "held")["job"]
    watched = empty_system.run("jobs", "watch", "held", "--json", code=1).splitlines()
    waited = empty_system.ask("jobs", "wait", "held", code=1)

    assert started["name"] == why["job"] == "held"
    assert why["advice"]
    assert cancelled["status"] in ("cancelling", "cancelled")
    assert json.loads(watched[-1])["status"] == "cancelled"
    assert waited["job"]["status"] == "cancelled"
    assert waited["results"] == []


def test_a_limit_and_a_workspace_apply_to_the_run(services: System) -> None:
    file = write_benchmark(services.folder, SMALL)

    document = services.ask("run", str(file), "--limit", "1", "--workspace", "team")

    assert document["job"]["workspace"] == "team"
    assert document["job"]["rows"] == 1
    assert {r["model"] for r in document["results"]} == {"team/recorded"}
    assert services.ask("jobs", "list")["jobs"] == []
    assert len(services.ask("results", "list", "--workspace", "team")["data"]) == 1


def test_the_services_describe_themselves(services: System) -> None:
    with Client(amqp_url=services.amqp_url) as client:
        discovered = client.call("rpc.discover").model_dump()["document"]

    assert discovered == json.loads(services.run("schemas", "openrpc"))


def test_the_doctor_misses_a_service_that_does_not_run(empty_system: System) -> None:
    def examined() -> dict[str, tuple[bool, str]]:
        said = ran("doctor", "--json", environment=empty_system.environment, code=None)
        checks = json.loads(said.stdout)["checks"]
        assert said.returncode == (0 if all(check["ok"] for check in checks) else 1)
        return {check["name"]: (check["ok"], check["detail"]) for check in checks}

    def becomes(is_ok: bool, detail: str) -> None:
        wait_until(
            lambda: examined()["services"] == (is_ok, detail),
            timeout_seconds=SECONDS,
            otherwise=lambda: repr(examined()),
        )

    idle = "nobody consumes evalbus.work.recorded{}, evalbus.work.live: do a producer, an evaluator and results run?"
    empty_system.start("producer", "results")
    becomes(False, idle.format(""))
    empty_system.run("run", str(write_benchmark(empty_system.folder, SMALL)), "--detach")
    becomes(False, idle.format(" (1 waiting)"))
    empty_system.start("evaluator")
    becomes(True, "each of 10 queues is consumed")

    assert all(is_ok for is_ok, _ in examined().values())
    assert list(examined()) == ["python", "database", "broker", "services"]


def test_whoever_looks_in_a_folder_where_nothing_was_run_is_told_so(tmp_path: Path) -> None:
    done = subprocess.run(
        evalbus("jobs", "list"),
        env=clean_environment({"EVALBUS_DATA_DIR": str(tmp_path / "elsewhere")}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0
    assert f"nothing was run here yet: data would be in {tmp_path / 'elsewhere'}" in done.stderr
