"""Gets a RabbitMQ from Debian's packages: downloaded and unpacked, never installed, so that no service is started.

Needs neither root nor a RabbitMQ, and leaves nothing on the machine but a folder in the checkout.
"""

import os
import shutil
import subprocess
from pathlib import Path

from tests.servers.rabbitmq import HOW_TO_GET_ONE, UNPACKED, find_binaries

PACKAGE = "rabbitmq-server"
# What it runs on. Libraries come along where the machine lacks them; maintainers' tools are not needed.
PARTS = ("erlang", "lib")


def ensure_rabbitmq() -> None:
    """Return when find_binaries() finds one; raises RuntimeError with the other ways when it cannot be had."""
    try:
        find_binaries()
    except RuntimeError:
        unpack_rabbitmq(UNPACKED)


def unpack_rabbitmq(folder: Path) -> None:
    """Altogether, or not at all."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise RuntimeError(HOW_TO_GET_ONE)
    work = folder.with_name(f"{folder.name}.{os.getpid()}")
    try:
        unpacked = work / "unpacked"
        unpacked.mkdir(parents=True)
        for package in _download(work):
            _run(["dpkg-deb", "--extract", str(package), str(unpacked)], work)
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)
    except subprocess.CalledProcessError as error:
        said = str(error.stderr).strip().splitlines()[-3:]
        raise RuntimeError(
            f"{error.cmd[0]} did not get {PACKAGE}: {' '.join(said)}\n{HOW_TO_GET_ONE}"
        ) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _download(work: Path) -> list[Path]:
    apt = _apt_options(work)
    _run(["apt-get", *apt, "--quiet", "update"], work)
    wanted = [PACKAGE, *_parts(apt, work)]
    _run(["apt-get", *apt, "--quiet", "download", *wanted], work)
    return sorted(work.glob("*.deb"))


def _apt_options(work: Path) -> list[str]:
    """Lists and caches of our own: the machine's may be empty or old, and are not ours to change."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True)
    settings = {
        "Dir::State::lists": work / "lists",
        "Dir::Cache": work / "cache",
        # Root's apt downloads as another user, who cannot write here.
        "APT::Sandbox::User": "root",
    }
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]


def _parts(apt: list[str], work: Path) -> list[str]:
    kinds = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
    said = _run(
        ["apt-cache", *apt, "depends", "--recurse", *(f"--no-{kind}" for kind in kinds), PACKAGE],
        work,
    )
    # Unindented lines are packages; <name> is one that others provide.
    names = {line for line in said.splitlines() if line and not line.startswith((" ", "<", "|"))}
    return sorted(
        name
        for name in names
        if name.startswith(PARTS) and (name.startswith("erlang") or not _is_installed(name))
    )


def _is_installed(package: str) -> bool:
    asked = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    said = subprocess.run(asked, capture_output=True, text=True, check=False)
    return said.returncode == 0 and said.stdout.startswith("installed")


def _run(command: list[str], folder: Path) -> str:
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True, env=_plain_environment()
    ).stdout


def _plain_environment() -> dict[str, str]:
    # Its answers are read here, so they must not be translated.
    return {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
