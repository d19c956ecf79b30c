"""Lines that wait on disk until it is known which columns they have."""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from evalbus.exporting.base import naming

BATCH_BYTES = 1024 * 1024


class Waiting:
    """Lines in a file without a name, which is gone whatever happens: there may be more of them than memory.

    `folder` is where it lies; None: where the system has its temporary files. Raises OSError, which names the folder.
    """

    def __init__(self, folder: Path | None) -> None:
        self._place = folder or Path(tempfile.gettempdir())
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
        with naming(self._place):
            self._file.write(lines)

    def batches(self) -> Iterator[list[bytes]]:
        """All of them in their order, about BATCH_BYTES at a time; nothing is added from then on."""
        with naming(self._place):
            self._file.seek(0)
        while lines := self._batch():
            yield lines

    def _batch(self) -> list[bytes]:
        with naming(self._place):
            return self._file.readlines(BATCH_BYTES)
