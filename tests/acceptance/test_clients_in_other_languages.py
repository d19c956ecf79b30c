"""The clients in deploy/clients, run as they lie there: another service takes part without our client."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.servers.broker import Broker
from tests.system import System, clean_environment

CLIENTS = Path(__file__).parents[2] / "deploy" / "clients"
LINES_MAX = 40

GO = shutil.which("go")
GO_CHECK = "compiled-with-go" if GO else "read-only-because-go-is-not-installed"


def run(
    command: Sequence[str], settings: Mapping[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=clean_environment(settings),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def jobs_of(services: System) -> list[tuple[str, str, int]]:
    found = services.ask("jobs", "list")["jobs"]
    return [(job["benchmark"], job["status"], job["rows"]) for job in found]


def test_python_with_nothing_but_aio_pika(services: System, tmp_path: Path) -> None:
    client = CLIENTS / "start_and_react.py"

    done = run([sys.executable, str(client)], {"EVALBUS_AMQP_URL": services.amqp_url}, tmp_path)

    assert done.returncode == 0, done.stderr
    assert " completed" in done.stdout
    assert "default/recorded default/exact-match exact-match 0.5" in done.stdout
    assert jobs_of(services) == [("default/capitals", "completed", 2)]
    assert len(client.read_text().splitlines()) < LINES_MAX


def test_a_shell_with_curl(
    services: System, broker: Broker, amqp_vhost: str, tmp_path: Path
) -> None:
    client = CLIENTS / "start_and_react.sh"
    api = urlsplit(broker.api_url)
    user, password = quote(broker.user, safe=""), quote(broker.password, safe="")

    done = run(
        ["sh", str(client)],
        {
            "RABBITMQ_API": f"{api.scheme}://{user}:{password}@{api.netloc}/api",
            "RABBITMQ_VHOST": quote(amqp_vhost, safe=""),
        },
        tmp_path,
    )

    assert done.returncode == 0, done.stderr
    assert '"status":"completed"' in done.stdout
    assert '"metric":"default/exact-match"' in done.stdout
    assert '"mean":0.5' in done.stdout
    assert jobs_of(services) == [("default/capitals", "completed", 2)]
    assert len(client.read_text().splitlines()) < LINES_MAX


def test_a_shell_hears_why_it_was_refused(
    services: System, broker: Broker, amqp_vhost: str, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.sh"
    wrong.write_text(
        (CLIENTS / "start_and_react.sh").read_text().replace('"exact-match", "ref', '"exakt", "ref')
    )
    api = urlsplit(broker.api_url)

    done = run(
        ["sh", str(wrong)],
        {
            "RABBITMQ_API": f"{api.scheme}://{broker.user}:{broker.password}@{api.netloc}/api",
            "RABBITMQ_VHOST": amqp_vhost,
        },
        tmp_path,
    )

    assert "unknown metric type" in done.stdout, done.stderr
    assert jobs_of(services) == []


@pytest.mark.parametrize("check", [GO_CHECK])
def test_go(check: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    source = (CLIENTS / "go" / "main.go").read_text()
    assert_names_what_exists(source)
    if GO is None:
        # The test's own id says that nothing was compiled.
        assert check == "read-only-because-go-is-not-installed"
        return
    services: System = request.getfixturevalue("services")
    binary = tmp_path / "start-and-react"
    go_settings = {name: os.environ[name] for name in os.environ if name.startswith("GO")}

    built = run([GO, "build", "-o", str(binary), "."], go_settings, CLIENTS / "go")
    assert built.returncode == 0, built.stderr
    done = run([str(binary)], {"EVALBUS_AMQP_URL": services.amqp_url}, tmp_path)

    assert done.returncode == 0, done.stderr
    assert " completed" in done.stdout
    assert "default/recorded default/exact-match exact-match 0.5" in done.stdout


def assert_names_what_exists(source: str) -> None:
    """Exchanges, keys and fields as in the contract, brackets in pairs, and the library at the version of go.mod."""
    for name in ("evalbus.commands", "benchmark.start", "evalbus.events", "correlation_id"):
        assert f'"{name}"' in source, name
    without_text = re.sub(r'`[^`]*`|"(?:[^"\\]|\\.)*"|//.*', "", source)
    for opening, closing in ("{}", "()", "[]"):
        assert without_text.count(opening) == without_text.count(closing), opening
    module = (CLIENTS / "go" / "go.mod").read_text()
    sums = (CLIENTS / "go" / "go.sum").read_text()
    required = re.findall(r"^require (\S+) (\S+)$", module, re.MULTILINE)
    assert [name for name, _ in required] == ["github.com/rabbitmq/amqp091-go"]
    for name, release in required:
        assert f'"{name}"' in source
        assert f"{name} {release} h1:" in sums
        assert f"{name} {release}/go.mod h1:" in sums
