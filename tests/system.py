"""evalbus as its users run it: processes that share nothing, on servers given by their URLs."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers import forked
from tests.servers.deadline import wait_until
from tests.servers.forked import Forked

START_SECONDS = 60.0
STOP_SECONDS = 30.0
COMMAND_SECONDS = 60.0

# What a test cannot wait for; everything else is as in production.
IMPATIENT = {
    "EVALBUS_LEASE_SECONDS": "3",
    "EVALBUS_OVERDUE_SECONDS": "5",
    "EVALBUS_HEARTBEAT_SECONDS": "1",
    "EVALBUS_RECONCILE_SECONDS": "1",
}


def evalbus(*arguments: str) -> list[str]:
    """The command line of this environment."""
    return [str(Path(sys.executable).with_name("evalbus")), *arguments]


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Nothing of whoever runs the tests leaks into what is tested."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EVALBUS_")}
    return kept | {"PYTHONUNBUFFERED": "1"} | dict(extra)


def ran(
    *arguments: str,
    environment: Mapping[str, str],
    folder: Path | None = None,
    code: int | None = 0,
    seconds: float = COMMAND_SECONDS,
) -> "subprocess.CompletedProcess[str]":
    """One command from start to end, in this folder; fails unless it ends with this code (None: any), and in words."""
    done = forked.run(arguments, environment, folder=folder, seconds=seconds)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert code is None or done.returncode == code, (
        f"{arguments} ended with {done.returncode}, wanted {code}\n{out}\n{err}"
    )
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(arguments, done.returncode, out, err)


@dataclass
class Service:
    """One service process, and where it logs."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    process: Forked | None = None

    def start(self) -> None:
        self.process = Forked(self.arguments, self.environment, output=self.log, errors=self.log)

    @property
    def pid(self) -> int:
        return self._started.pid

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.exit_code is None

    @property
    def _started(self) -> Forked:
        assert self.process, f"{self.arguments} was not started"
        return self.process

    def said(self, words: str) -> bool:
        return words in self.log.read_text("utf-8", "replace")

    def wait_until_serving(self, times: int = 1) -> None:
        def serving() -> bool:
            assert self.is_running, f"{self.arguments} ended:\n{self.log.read_text()[-3000:]}"
            return self.log.read_text("utf-8", "replace").count("serving.started") >= times

        wait_until(
            serving,
            timeout_seconds=START_SECONDS,
            otherwise=lambda: f"{self.arguments} does not serve:\n{self.log.read_text()[-3000:]}",
        )

    def kill9(self) -> None:
        self._started.send(signal.SIGKILL)
        self._started.wait(STOP_SECONDS)

    def restart(self) -> None:
        self.start()
        self.wait_until_serving(
            times=self.log.read_text("utf-8", "replace").count("serving.started") + 1
        )

    def stop(self) -> int:
        """The exit code of a stop on SIGTERM."""
        if self.process is None:
            return 0
        self.process.send(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def children(self) -> list[int]:
        """Its scoring children."""
        listed = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(pid) for pid in listed]


@dataclass
class System:
    """Services on one broker and one database, and a client to ask them."""

    amqp_url: str
    database_url: str
    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    services: dict[str, Service] = field(default_factory=dict[str, Service])

    @property
    def client_environment(self) -> dict[str, str]:
        return clean_environment({"EVALBUS_AMQP_URL": self.amqp_url} | dict(self.settings))

    @property
    def environment(self) -> dict[str, str]:
        return clean_environment(
            {
                "EVALBUS_AMQP_URL": self.amqp_url,
                "EVALBUS_DATABASE_URL": self.database_url,
                "EVALBUS_DATASET_ROOTS": str(self.folder),
                "EVALBUS_LOG_FORMAT": "json",
            }
            | dict(self.settings)
        )

    def migrate(self) -> None:
        subprocess.run(evalbus("migrate"), env=self.environment, check=True, capture_output=True)

    def start(self, *roles: str, evaluators: int = 1, workers: int = 1) -> None:
        """Roles by name; the evaluators are `evaluator-0` and so on, and reach no database."""
        for role in roles:
            names = [f"evaluator-{i}" for i in range(evaluators)] if role == "evaluator" else [role]
            for name in names:
                self.add(name, role, workers=workers)
        for service in self.services.values():
            service.wait_until_serving()

    def add(self, name: str, role: str, *, workers: int = 1) -> Service:
        environment, arguments = self.environment, ["serve", role]
        if role == "evaluator":
            del environment["EVALBUS_DATABASE_URL"]
            arguments += ["--workers", str(workers)]
        service = Service(tuple(arguments), environment, self.folder / f"{name}.log")
        self.services[name] = service
        service.start()
        return service

    def __getitem__(self, name: str) -> Service:
        return self.services[name]

    def stop(self) -> None:
        for service in self.services.values():
            if service.is_running:
                service.kill9()

    def say(
        self,
        *arguments: str,
        code: int | None = 0,
        seconds: float = COMMAND_SECONDS,
        settings: Mapping[str, str] | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        """A client's command; fails unless it ends with this code (None: any)."""
        environment = self.client_environment | dict(settings or {})
        return ran(*arguments, environment=environment, code=code, seconds=seconds)

    def run(
        self,
        *arguments: str,
        code: int | None = 0,
        seconds: float = 300,
        settings: Mapping[str, str] | None = None,
    ) -> str:
        """Its standard output."""
        return self.say(*arguments, code=code, seconds=seconds, settings=settings).stdout

    def ask(self, *arguments: str, code: int | None = 0) -> Any:
        """A reading command's JSON."""
        return json.loads(self.run(*arguments, "--json", code=code))


def write_benchmark(
    folder: Path,
    rows: Sequence[Mapping[str, object]] | Path,
    *,
    name: str = "bench",
    models: Sequence[Mapping[str, object]] = (
        {"name": "recorded", "type": "recorded", "output": "{{ item.output }}"},
    ),
    metrics: Sequence[Mapping[str, object]] = (
        {"name": "exact-match", "type": "exact-match", "reference": "{{ item.reference }}"},
        {"name": "f1", "type": "f1", "reference": "{{ item.reference }}"},
    ),
    **more: object,
) -> Path:
    """A benchmark file (JSON is YAML) beside its dataset."""
    if isinstance(rows, Path):
        source = rows
    else:
        source = folder / f"{name}.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    file = folder / f"{name}.yaml"
    file.write_text(
        json.dumps(
            {
                "name": name,
                "datasets": [{"name": "rows", "source": str(source)}],
                "models": list(models),
                "metrics": list(metrics),
            }
            | more
        ),
        "utf-8",
    )
    return file


def generate_rows(count: int, file: Path) -> Path:
    """The rows that throughput is measured with: the same count gives the same bytes."""
    script = Path(__file__).parent / "benchmarks" / "rows.py"
    subprocess.run([sys.executable, str(script), str(count), str(file)], check=True)
    return file
