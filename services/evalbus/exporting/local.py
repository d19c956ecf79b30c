"""A file of this machine that is there whole or not at all."""

import errno
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from evalbus.exporting.base import WrongExport, naming


class LocalFile:
    """A Sink: folders are made, and a file that was there is replaced once the new one is whole and on the disk.

    Raises WrongExport for a path that is no place for a file, and where it is entered and from then on OSError (no
    right to write, disk full) that names the path as it was given.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with naming(self._path):
            if _is_there(path) and not path.is_file():
                raise WrongExport(
                    f"{path} is not a file that could be replaced", {"found": str(path)}
                )
            self._target = path.resolve()
            self._unfinished = self._target.with_name(f".evalbus-{uuid4().hex}.part")

    @property
    def folder(self) -> Path:
        """Where it will lie: what is needed on the way is best put there too."""
        return self._target.parent

    def __enter__(self) -> Self:
        with naming(self._path):
            self._make_folder()
            # Closed where the context is left.
            self._file = self._unfinished.open("xb")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What cannot be written any more is about to go anyway, and why is known.
        with suppress(OSError):
            self._file.close()
        with naming(self._path):
            self._unfinished.unlink(missing_ok=True)

    def write(self, chunk: bytes) -> None:
        with naming(self._path):
            self._file.write(chunk)

    def commit(self) -> None:
        with naming(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._unfinished.replace(self._target)

    def _make_folder(self) -> None:
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            # As it is said of a file further up.
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


def _is_there(path: Path) -> bool:
    """Raises OSError for links that lead in a circle: `exists` is silent about them, and not every `resolve` bears them."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except ValueError as error:
        raise WrongExport(f"{str(path)!r} can be no path", {"found": repr(str(path))}) from error
    return True
