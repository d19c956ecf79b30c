"""Starting and stopping a private Postgres, so that whatever ended the last one, the next start is a clean one."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, Self

from evalbus.errors import FolderInUse, Unavailable, WrongSettings
from evalbus.store.embedded.binaries import Binaries, find_binaries
from evalbus.store.embedded.folder import (
    DATABASE,
    PORT,
    USER,
    disown,
    dsn_at,
    owned,
    postmaster_of,
    socket_folder,
)
from evalbus.store.embedded.identity import Identity, identity_for

START_SECONDS = 60.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.01
OWNER_POLL_SECONDS = 0.05
LOG_BYTES_MAX = 10 * 1024 * 1024
# A killed server's backends notice only at their next step.
BACKENDS_REMAIN = "pre-existing shared memory block"

# For one job's bulk writes on a small machine. Nothing here trades safety: fsync and synchronous_commit stay on.
SETTINGS: Final[Mapping[str, str]] = {
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "wal_compression": "off",
    # Nobody replicates from it.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # Parallel plans take shared memory that containers are short of, for cores that are scoring.
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    "unix_socket_permissions": "0700",
}


class EmbeddedPostgres:
    """A Postgres of our own in `folder`, there between entering and leaving; `dsn` says how to reach it.

    One process owns a folder at a time: entering raises FolderInUse when it is another. Data survives whatever
    ended the server or its owner; a server never outlives its owner (where the system offers a way to say so).
    Enter it on a thread that lasts: the server stops when the thread that started it ends.
    """

    def __init__(
        self,
        folder: Path,
        *,
        binaries: Binaries | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Settings are Postgres's own, and come before ours."""
        self.folder = folder.absolute()
        self._data = self.folder / "data"
        self._binaries = binaries
        self._settings = {**SETTINGS, **(settings or {})}
        self._port = int(self._settings.pop("port", PORT))
        self._socket_folder = self.folder
        self._process: subprocess.Popen[bytes] | None = None
        self._stack = AsyncExitStack()

    @property
    def dsn(self) -> str:
        return dsn_at(self._socket_folder, self._port)

    @property
    def pid(self) -> int | None:
        """The postmaster's, as long as it runs."""
        return self._process.pid if self.is_running and self._process else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def __aenter__(self) -> Self:
        """Return when it takes connections; raises FolderInUse, WrongSettings, or Unavailable with its last words."""
        async with AsyncExitStack() as stack:
            stack.enter_context(owned(self.folder))
            binaries = self._binaries or _binaries_for(self._data)
            identity = identity_for(self._data)
            self._socket_folder = stack.enter_context(socket_folder(self.folder))
            if not self._data.exists():
                await asyncio.to_thread(_initialize, self.folder, binaries, identity)
            identity.take(self._data)
            await _end_the_last_one(self._data)
            stack.push_async_callback(self._stop)
            await self._start(binaries, identity)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Safe twice and before start."""
        await self._stack.aclose()

    async def _start(self, binaries: Binaries, identity: Identity) -> None:
        _rotate(self._log)
        deadline = time.monotonic() + START_SECONDS
        log_bytes = self._spawn(binaries, identity)
        while not self._is_ready():
            if not self.is_running:
                words = self._words_since(log_bytes)
                if BACKENDS_REMAIN not in words or time.monotonic() > deadline:
                    raise Unavailable(f"Postgres ended while it started in {self.folder}: {words}")
                log_bytes = self._spawn(binaries, identity)
            elif time.monotonic() > deadline:
                raise Unavailable(
                    f"Postgres in {self.folder} was not ready after {START_SECONDS:g} s: "
                    f"{self._words_since(log_bytes)}"
                )
            await asyncio.sleep(POLL_SECONDS)

    def _spawn(self, binaries: Binaries, identity: Identity) -> int:
        """Start it; how long its log was before."""
        options = {
            "listen_addresses": "",
            "port": str(self._port),
            "unix_socket_directories": str(self._socket_folder),
            **self._settings,
        }
        with self._log.open("ab") as log:
            log_bytes = log.tell()
            # From the thread of the event loop, which lasts: the signal for a lost parent is sent when that thread ends.
            self._process = subprocess.Popen(
                [
                    *identity.server_prefix,
                    binaries.postgres,
                    "-D",
                    str(self._data),
                    *(f"-c{name}={value}" for name, value in options.items()),
                ],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for us; it is stopped when we have finished with it.
                start_new_session=True,
            )
        return log_bytes

    def _is_ready(self) -> bool:
        # A file that a killed server left also says "ready", so the number must be our child's.
        postmaster = postmaster_of(self._data)
        return (
            self._process is not None
            and postmaster is not None
            and postmaster.pid == self._process.pid
            and postmaster.is_ready
        )

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            for with_signal in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                if process.poll() is None:
                    process.send_signal(with_signal)
                if await _ended(process, timeout_seconds=STOP_SECONDS):
                    return
        except asyncio.CancelledError:
            # No time for an orderly stop, but nothing is left running either; the next start reads its log again.
            process.send_signal(signal.SIGQUIT)
            process.wait(STOP_SECONDS)
            raise

    @property
    def _log(self) -> Path:
        return self.folder / "postgres.log"

    def _words_since(self, log_bytes: int) -> str:
        return self._log.read_bytes()[log_bytes:][-2000:].decode(errors="replace").strip()


def connect_running(folder: Path) -> str | None:
    """Where the Postgres that another process runs in this folder is reached; None when none runs there."""
    postmaster = postmaster_of(folder.absolute() / "data")
    if postmaster is None or not postmaster.is_ready or not postmaster.answers:
        return None
    assert postmaster.socket_folder is not None, "it answers there"
    return dsn_at(postmaster.socket_folder, postmaster.port or PORT)


@asynccontextmanager
async def shared(folder: Path, *, within_seconds: float) -> AsyncGenerator[str]:
    """Where the folder's Postgres is reached: that of its owner, or one of our own where nobody owns it.

    An owner that is just starting or stopping is waited for; raises FolderInUse when that takes longer.
    """
    deadline = time.monotonic() + within_seconds
    async with AsyncExitStack() as stack:
        while (dsn := connect_running(folder)) is None:
            try:
                dsn = (await stack.enter_async_context(EmbeddedPostgres(folder))).dsn
            except FolderInUse:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(OWNER_POLL_SECONDS)
            else:
                break
        yield dsn


def _binaries_for(data: Path) -> Binaries:
    """Those that made the data: another major version does not read it."""
    try:
        major = int((data / "PG_VERSION").read_text())
    except FileNotFoundError:
        return find_binaries()
    try:
        return find_binaries(major)
    except WrongSettings as error:
        raise WrongSettings(
            f"{data} was made by Postgres {major}: {error}; "
            "set EVALBUS_DATA_DIR to another folder to begin anew"
        ) from None


def _initialize(folder: Path, binaries: Binaries, identity: Identity) -> None:
    """Make the data folder with our database in it: altogether, or not at all."""
    unfinished = folder / "data.tmp"
    shutil.rmtree(unfinished, ignore_errors=True)
    # The folder for it is ours to make; who fills it need not be able to.
    unfinished.mkdir(mode=0o700)
    identity.take(unfinished)
    locale = "C.UTF-8" if os.uname().sysname == "Linux" else "C"
    _run(
        [
            *identity.prefix,
            binaries.initdb,
            f"--pgdata={unfinished}",
            f"--username={USER}",
            "--auth=trust",
            "--encoding=UTF8",
            f"--locale={locale}",
            "--no-instructions",
        ]
    )
    _run(
        [*identity.prefix, binaries.postgres, "--single", "-D", str(unfinished), "postgres"],
        given=f"CREATE DATABASE {DATABASE}\n",
    )
    unfinished.rename(folder / "data")


def _run(command: list[str], given: str = "") -> None:
    done = subprocess.run(
        command, input=given, text=True, capture_output=True, check=False, env=_environment()
    )
    if done.returncode != 0:
        raise Unavailable(f"Postgres could not make its data folder: {done.stderr.strip()}")


def _environment() -> dict[str, str]:
    """Without what somebody set for a Postgres of their own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


async def _end_the_last_one(data: Path) -> None:
    """The folder is ours, so a server in it has lost its owner: stop it, or see that its number means nothing."""
    last = postmaster_of(data)
    if last is None:
        return
    if last.answers:
        os.kill(last.pid, signal.SIGINT)
    deadline = time.monotonic() + STOP_SECONDS
    while last.answers:
        if time.monotonic() > deadline:
            raise Unavailable(f"a Postgres without an owner (process {last.pid}) stays in {data}")
        await asyncio.sleep(POLL_SECONDS)
    if (data / "postmaster.pid").exists():
        disown(data)


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_suffix(".log.1"))


async def _ended(process: subprocess.Popen[bytes], *, timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while process.poll() is None:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True
