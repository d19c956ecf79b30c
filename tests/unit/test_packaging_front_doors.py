"""The front doors answer in one line when the machine lacks what they need, or when they are asked for nonsense."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

# This Python, as Debian ships it: without the package that brings ensurepip.
WITHOUT_ENSUREPIP = """
import runpy, sys
sys.modules["ensurepip"] = None
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def run(
    *command: str | Path, path: str | Path = os.defpath, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        env={"PATH": str(path), "HOME": os.environ.get("HOME", "/"), **environment},
        timeout=60,
        check=False,
    )


def a_checkout(folder: Path) -> Path:
    """As much of one as making an environment needs."""
    for name in ("deploy/environment.py", "deploy/locks/dev.lock", "pyproject.toml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, folder / name)
    return folder


def a_python(folder: Path, *, is_new_enough: bool) -> Path:
    """A command `python3` that says so of itself; its folder."""
    folder.mkdir()
    command = folder / "python3"
    command.write_text(f"#!/bin/sh\nexit {0 if is_new_enough else 1}\n")
    command.chmod(0o755)
    return folder


def test_a_python_without_venv_is_told_what_to_install(tmp_path: Path) -> None:
    checkout = a_checkout(tmp_path)

    ended = run(
        sys.executable,
        "-c",
        WITHOUT_ENSUREPIP,
        checkout / "deploy" / "environment.py",
        path="/nowhere",
    )

    assert ended.returncode == 1
    *_, last = ended.stderr.splitlines()
    assert "apt-get install python3-venv" in last
    assert "Traceback" not in ended.stderr
    assert not (checkout / ".venv").exists()


def test_a_machine_with_an_old_python_is_told_so_in_one_line(tmp_path: Path) -> None:
    only_old = a_python(tmp_path / "bin", is_new_enough=False)

    ended = run("/bin/sh", CHECKOUT / "deploy" / "find-python", path=only_old)

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert "Python 3.11" in ended.stderr


def test_the_first_python_that_is_new_enough_is_taken(tmp_path: Path) -> None:
    old = a_python(tmp_path / "old", is_new_enough=False)
    (old / "python3.13").symlink_to(a_python(tmp_path / "new", is_new_enough=True) / "python3")

    ended = run("/bin/sh", CHECKOUT / "deploy" / "find-python", path=old)

    assert ended.returncode == 0
    assert ended.stdout.strip() == str(old / "python3.13")


def test_a_tier_that_does_not_exist_is_refused_with_those_that_do() -> None:
    ended = run(sys.executable, "-m", "tests.tiers", "unti")

    assert ended.returncode == 2
    assert "'unti'" in ended.stderr
    assert "unit, conformance, integration" in ended.stderr


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "EVALBUS_TEST_AMQP_URL"),
        ("amqp://guest:guest@127.0.0.1:1/", "refused"),
    ],
)
def test_a_server_that_cannot_be_had_is_a_failure_and_never_a_skip(url: str, said: str) -> None:
    ended = run(
        sys.executable,
        "-m",
        "tests.tiers",
        "integration",
        EVALBUS_TEST_AMQP_URL=url,
        EVALBUS_TEST_AMQP_API="http://127.0.0.1:1",
    )

    assert ended.returncode == 69
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
