"""Lines that wait on disk until it is known which columns they have."""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

BATCH_BYTES = 1024 * 1024


class Waiting:
    """Lines in a file without a name, which is gone whatever happens: there may be more of them than memory.

    `folder` is where it lies; None: where the system has its temporary files. Raises OSError, which names the folder.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        # Closed where the context is left.
        self._file = tempfile.TemporaryFile("w+b", dir=folder, buffering=BATCH_BYTES)  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What it could not hold any more is about to go anyway.
        with suppress(OSError):
            self._file.close()

    def add(self, lines: bytes) -> None:
        """Whole lines, each with its line feed."""
        try:
            self._file.write(lines)
        except OSError as error:
            raise self._named(error) from error

    def batches(self) -> Iterator[list[bytes]]:
        """All of them in their order, about BATCH_BYTES at a time; nothing is added from then on."""
        try:
            self._file.seek(0)
            while lines := self._file.readlines(BATCH_BYTES):
                yield lines
        except OSError as error:
            raise self._named(error) from error

    def _named(self, error: OSError) -> OSError:
        return OSError(error.errno, error.strerror, str(self._folder or tempfile.gettempdir()))
