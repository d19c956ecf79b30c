"""The folder of a private Postgres: who owns it, where its socket is, and what the server last wrote about itself."""

import fcntl
import hashlib
import os
import re
import socket
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from evalbus.errors import FolderInUse

USER = DATABASE = "evalbus"
PORT = 5432
# A socket's address has 104 bytes on macOS and 108 on Linux, with "/.s.PGSQL.5432" and a zero in them.
SOCKET_FOLDER_BYTES_MAX = 85
# Postgres takes a list of folders, and a URL has its own idea of some characters.
PLAIN = re.compile(r"[A-Za-z0-9/._ -]+")


def dsn_at(folder: Path, port: int = PORT) -> str:
    return f"postgresql://{USER}@/{DATABASE}?host={quote(str(folder), safe='/')}&port={port}"


@contextmanager
def owned(folder: Path) -> Generator[None, None, None]:
    """The folder is ours until the end; raises FolderInUse naming the process that has it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "owner.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _in_use(folder) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _in_use(folder: Path) -> FolderInUse:
    owner = (folder / "owner.lock").read_text().strip()
    who = f"process {owner}" if owner else "another process"
    return FolderInUse(
        f"{folder} is in use by {who}: wait until it ends, or set EVALBUS_DATA_DIR to another folder",
        owner_pid=int(owner) if owner.isdigit() else None,
    )


@contextmanager
def socket_folder(folder: Path) -> Generator[Path, None, None]:
    """The folder itself where its path can be a socket's address, else a short one that is gone afterwards."""
    path = str(folder)
    if len(os.fsencode(path)) <= SOCKET_FOLDER_BYTES_MAX and PLAIN.fullmatch(path):
        yield folder
        return
    short = _short_folder(path)
    try:
        yield short
    finally:
        # What a killed server left in it stays until the next one, which comes to the same place.
        with suppress(OSError):
            short.rmdir()


def _short_folder(path: str) -> Path:
    name = f"evalbus-{os.geteuid()}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}"
    short = Path(tempfile.gettempdir()) / name
    if len(os.fsencode(short)) > SOCKET_FOLDER_BYTES_MAX:
        short = Path("/tmp") / name  # noqa: S108  # its owner and mode are checked below
    with suppress(FileExistsError):
        short.mkdir(mode=0o700)
    found = short.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise FolderInUse(f"{short} belongs to somebody else: remove it", owner_pid=None)
    return short


@dataclass(frozen=True, kw_only=True)
class Postmaster:
    """What a server says about itself in `postmaster.pid`: also after it was killed."""

    pid: int
    socket_folder: Path | None
    port: int | None
    is_ready: bool

    @property
    def answers(self) -> bool:
        """Somebody listens where it said it would."""
        if self.socket_folder is None or self.port is None:
            return False
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(5)
            try:
                probe.connect(str(self.socket_folder / f".s.PGSQL.{self.port}"))
            except OSError:
                return False
        return True


def postmaster_of(data: Path) -> Postmaster | None:
    """None when no server said anything, or is just about to."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        return Postmaster(
            # Negative while a single-user server has the folder.
            pid=abs(int(lines[0])),
            port=int(lines[3]) if len(lines) > 3 and lines[3].strip() else None,
            socket_folder=Path(lines[4]) if len(lines) > 4 and lines[4] else None,
            is_ready=len(lines) > 7 and lines[7].strip() == "ready",
        )
    except (FileNotFoundError, IndexError, ValueError):
        return None


def disown(data: Path) -> None:
    """Say that the server which wrote `postmaster.pid` is dead, whoever has its number now.

    Postgres takes its parent's number for a stale one, and goes by the rest of the file: it still waits for
    the killed server's backends to be gone.
    """
    file = data / "postmaster.pid"
    _, newline, rest = file.read_text().partition("\n")
    file.write_text(f"{os.getpid()}{newline}{rest}")
