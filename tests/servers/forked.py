"""The command `evalbus` without the second that Python takes to load it: forked from a process that has loaded it.

Each is a process with an environment, files and signals of its own, and ends as the command does.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory

LOADED = ("evalbus.cli.main", "evalbus.runtime", __name__)

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(list(LOADED))


def load_nothing() -> None:
    """From the first process on each loads what it needs itself, and takes the time and memory of the command."""
    _context.set_forkserver_preload([])


class Forked:
    """One process, started when it is made; ends with its parent at the latest."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        output: Path,
        errors: Path,
        folder: Path | None = None,
    ) -> None:
        self._arguments = tuple(arguments)
        for file in (output, errors):
            file.touch()
        self._process = _context.Process(
            target=_run,
            args=(self._arguments, dict(environment), output, errors, folder),
            daemon=True,
        )
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Minus a signal that ended it; None while it runs."""
        return self._process.exitcode

    def send(self, number: signal.Signals) -> None:
        if self.exit_code is None:
            os.kill(self.pid, number)

    def wait(self, seconds: float) -> int:
        """The exit code. Raises TimeoutExpired."""
        self._process.join(seconds)
        code = self.exit_code
        if code is None:
            raise subprocess.TimeoutExpired(self._arguments, seconds)
        return code


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    folder: Path | None = None,
    seconds: float,
) -> subprocess.CompletedProcess[bytes]:
    """From start to end, with what it wrote. Raises TimeoutExpired, and it runs no longer."""
    with TemporaryDirectory(prefix="evalbus-command-") as written:
        output, errors = Path(written) / "output", Path(written) / "errors"
        process = Forked(arguments, environment, output=output, errors=errors, folder=folder)
        try:
            code = process.wait(seconds)
        finally:
            process.send(signal.SIGKILL)
        return subprocess.CompletedProcess(
            arguments, code, output.read_bytes(), errors.read_bytes()
        )


def _run(
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    output: Path,
    errors: Path,
    folder: Path | None,
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    # What Python itself reads when it starts.
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    if folder is not None:
        os.chdir(folder)
    for_writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, path, how in (
        (0, Path(os.devnull), os.O_RDONLY),
        (1, output, for_writing),
        (2, errors, for_writing),
    ):
        opened = os.open(path, how)
        os.dup2(opened, number)
        os.close(opened)
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, TextIOWrapper)
        stream.reconfigure(encoding="utf-8", write_through=True)
    sys.argv = ["evalbus", *arguments]
    from evalbus.cli.main import main

    main()
