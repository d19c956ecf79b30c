"""Runs the checks by tier, with the servers that each needs, and says at the end what became of them.

Called by tests/run, which has made the environment.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from tests.servers.broker import Broker
from tests.servers.packages import ensure_rabbitmq
from tests.servers.postgres import available_postgres
from tests.servers.rabbitmq import find_binaries

CHECKOUT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
# Checks without pytest, as tasks of pyproject.toml: the same that a person runs with poe.
TASKS = ("lint", "types", "documents")
NOT_TIERS = ("servers", "benchmarks")
# What fails soonest comes first.
ORDER = ("unit", "conformance", "integration", "acceptance", "faults")
WITHOUT_SERVERS = ("unit",)
PROCESSES_MAX = 4
NO_SERVER = 69
NO_TESTS = 5
"""What pytest ends with when none was chosen."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command of the run, and how it is called in the summary."""

    name: str
    command: Sequence[str]


def main(arguments: Sequence[str]) -> int:
    chosen, for_pytest = _split(arguments)
    tiers = _parse(chosen)
    folders = [tier for tier in tiers if tier not in TASKS]
    if any(folder not in WITHOUT_SERVERS for folder in folders):
        try:
            _get_servers()
        except (RuntimeError, OSError, ValueError) as problem:
            print(problem, file=sys.stderr)
            return NO_SERVER
    scratch = Path(tempfile.mkdtemp(prefix="evalbus-tests-"))
    runner = Runner()
    outcomes: dict[str, int] = {}
    for step in _steps(tiers, folders, for_pytest, scratch):
        if runner.stopped_by is None:
            outcomes[step.name] = runner.run(step)
    outcomes = _without_empty(outcomes)
    failed = {name: code for name, code in outcomes.items() if code != 0}
    if failed:
        _say(f"what the tests left lies in {scratch}")
    else:
        shutil.rmtree(scratch, ignore_errors=True)
    for name, code in outcomes.items():
        _say(f"{name}: {'ok' if code == 0 else f'failed ({code})'}")
    if runner.stopped_by is not None:
        return 128 + runner.stopped_by
    return next(iter(failed.values()), 0)


def _split(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    if "--" not in arguments:
        return arguments, ()
    at = list(arguments).index("--")
    return arguments[:at], arguments[at + 1 :]


def _parse(arguments: Sequence[str]) -> list[str]:
    known = [*_tasks(), *_folders()]
    parser = argparse.ArgumentParser(
        prog="./tests/run",
        description="Runs every check, or the named tiers.",
        epilog="What stands after -- goes to pytest: ./tests/run unit -- -k chunk",
    )
    parser.add_argument("tier", nargs="*", help=f"some of: {', '.join(known)}")
    wanted: list[str] = parser.parse_args(list(arguments)).tier
    for tier in wanted:
        if tier not in known:
            parser.error(f"no tier is called {tier!r} (known: {', '.join(known)})")
    return wanted or known


def _tasks() -> list[str]:
    defined = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["poe"]["tasks"]
    return [task for task in TASKS if task in defined]


def _folders() -> list[str]:
    found = {
        folder.name
        for folder in (CHECKOUT / "tests").iterdir()
        if folder.name not in NOT_TIERS and any(folder.rglob("test_*.py"))
    }
    return [*(name for name in ORDER if name in found), *sorted(found.difference(ORDER))]


def _steps(
    tiers: Sequence[str], folders: Sequence[str], for_pytest: Sequence[str], scratch: Path
) -> list[Step]:
    steps = [
        Step(name=task, command=[str(BIN / "poe"), "--quiet", task])
        for task in tiers
        if task in TASKS
    ]
    # A file's tests share what it starts, so they stay together.
    together = [f"--numprocesses={_processes()}", "--dist=loadfile", "-m", "not alone"]
    # One run for all folders of a kind: they share the servers.
    for kind, options in (("side by side", together), ("alone", ["-m", "alone"])):
        if folders:
            steps.append(
                Step(
                    name=f"{', '.join(folders)}: {kind}",
                    command=[
                        *(sys.executable, "-m", "pytest"),
                        f"--basetemp={scratch / kind.replace(' ', '-')}",
                        *options,
                        *(f"tests/{folder}" for folder in folders),
                        *for_pytest,
                    ],
                )
            )
    return steps


def _without_empty(outcomes: Mapping[str, int]) -> dict[str, int]:
    """A run without any test is no failure, unless no run had one."""
    left = {name: code for name, code in outcomes.items() if code != NO_TESTS}
    return left or dict(outcomes)


def _processes() -> int:
    """Each has servers of its own; more than a few of these want more memory than they save time."""
    return min(os.cpu_count() or 1, PROCESSES_MAX)


def _get_servers() -> None:
    _say(f"RabbitMQ: {_rabbitmq()}")
    _say(f"Postgres: {_postgres()}")


def _rabbitmq() -> str:
    if url := os.environ.get("EVALBUS_TEST_AMQP_URL"):
        theirs = Broker.at(url, os.environ.get("EVALBUS_TEST_AMQP_API"))
        return f"{theirs.version}, at {theirs.host}:{theirs.port}"
    ensure_rabbitmq()
    home = find_binaries().home
    return f"{home.name.removeprefix('rabbitmq_server-')}, private, from {home}"


def _postgres() -> str:
    if url := os.environ.get("EVALBUS_TEST_DATABASE_URL"):
        parts = urlsplit(url)
        return f"at {parts.hostname or 'a socket'}:{parts.port or 5432}"
    return ", ".join(
        f"{version}, private, from {binaries.folder}"
        for version, binaries in available_postgres().items()
    )


class Runner:
    """Runs one step after the other, and no more of them once a signal says so."""

    def __init__(self) -> None:
        self.stopped_by: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    def run(self, step: Step) -> int:
        """Its exit code."""
        _say(step.name)
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        self._process = subprocess.Popen(
            step.command, cwd=CHECKOUT, env={**os.environ, "PATH": path}
        )
        return self._process.wait()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopped_by = number
        # pytest puts its servers away when it is interrupted, and not when it is terminated. The terminal's own
        # interrupt reaches it without us.
        if number == signal.SIGTERM and self._process is not None:
            self._process.send_signal(signal.SIGINT)


def _say(text: str) -> None:
    print(f"[tests] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
