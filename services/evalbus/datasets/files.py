"""One dataset out of several files: their rows one after the other, in the order of their names."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from pathlib import Path

from evalbus.datasets.base import (
    SOURCE_CHANGED,
    UNREADABLE,
    FileFormat,
    FileMark,
    Fingerprint,
    ItemRow,
    Position,
    Record,
)
from evalbus.datasets.row_id import RowId
from evalbus.errors import SourceBroken

PREFIX_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file with the format that its extension stands for."""

    path: Path
    shown: str
    """Its name for a person, and in fingerprints: the same for every producer, wherever its roots are."""
    format: FileFormat


class FilesReader:
    """Rows from a position on; one file is open at a time."""

    def __init__(
        self, files: Sequence[SourceFile], *, row_id: RowId, row_bytes: int, position: Position
    ) -> None:
        self._files = files
        self._row_id = row_id
        self._row_bytes = row_bytes
        self._start = position
        self._file = position.file
        self._last: Record | None = None
        """The row that was given out last, if it is of the current file and was read by this reader."""
        self._records: Generator[Record] | None = None
        self._waiting: tuple[Record, ...] = ()
        """A row that found no room in the stretch before."""
        self._broken: SourceBroken | None = None

    def read(self, rows_max: int, bytes_max: int) -> list[ItemRow]:
        if self._broken is not None:
            raise self._broken
        rows: list[ItemRow] = []
        try:
            while self._file < len(self._files) and not self._fill(rows, rows_max, bytes_max):
                self._next_file()
        except OSError as error:
            shown = self._files[self._file].shown
            self._broken = SourceBroken(UNREADABLE, f"{shown}: {error.strerror or error}")
        except SourceBroken as error:
            self._broken = error
        if self._broken is not None and not rows:
            raise self._broken
        # The rows before a broken one are as good as any others.
        return rows

    def _fill(self, rows: list[ItemRow], rows_max: int, bytes_max: int) -> bool:
        """Take rows of the current file; True when there is no room for more, False at its end."""
        row_id = self._row_id
        size = sum(len(row.item) for row in rows)
        if self._records is None:
            self._records = self._open()
        waiting, self._waiting = self._waiting, ()
        for record in chain(waiting, self._records):
            item, value = record.item, record.value
            size += len(item)
            if rows and (size > bytes_max or len(rows) >= rows_max):
                self._waiting = (record,)
                return True
            rows.append(ItemRow(record.row_id if value is None else row_id(value), item))
            self._last = record
            if len(rows) == rows_max:
                return True
        return False

    def _open(self) -> Generator[Record]:
        file = self._files[self._file]
        return file.format.records(
            file.path, shown=file.shown, after=self.position, row_bytes=self._row_bytes
        )

    def _next_file(self) -> None:
        self.close()
        self._file += 1
        self._last = None
        self._start = Position(file=self._file)

    @property
    def position(self) -> Position:
        if self._last is None:
            return self._start
        return Position(file=self._file, offset=self._last.offset, line=self._last.line)

    def fingerprint(self) -> Fingerprint:
        return Fingerprint(files=tuple(_mark(file) for file in self._files))

    def verify(self, accepted: Fingerprint) -> None:
        now, before = self.fingerprint().files, accepted.files
        for found, wanted in zip(now, before, strict=False):
            if found != wanted:
                raise SourceBroken(SOURCE_CHANGED, _difference(found, wanted))
        if len(now) != len(before):
            names = {mark.path for mark in now} ^ {mark.path for mark in before}
            raise SourceBroken(
                SOURCE_CHANGED,
                f"there were {len(before)} files when the job was accepted, now there are {len(now)}: {', '.join(sorted(names))}",
            )

    def close(self) -> None:
        if self._records is not None:
            self._records.close()
            self._records = None
        self._waiting = ()


def _mark(file: SourceFile) -> FileMark:
    try:
        with file.path.open("rb") as source:
            prefix = source.read(PREFIX_BYTES)
            status = file.path.stat()
    except OSError as error:
        raise SourceBroken(UNREADABLE, f"{file.shown}: {error.strerror or error}") from None
    return FileMark(
        path=file.shown,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        sha256=sha256(prefix).hexdigest(),
    )


def _difference(found: FileMark, wanted: FileMark) -> str:
    if found.path != wanted.path:
        return f"{wanted.path} is gone, {found.path} is in its place"
    if found.size != wanted.size:
        how = f"it had {wanted.size} bytes, now {found.size}"
    elif found.sha256 != wanted.sha256:
        how = "its first rows are others"
    else:
        how = "it was written to"
    return f"{wanted.path} has changed since the job was accepted: {how}"
