"""One dataset out of several files: their rows one after the other, in the order of their names."""

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain

from evalbus.datasets.base import (
    SOURCE_CHANGED,
    SOURCE_TOO_LARGE,
    UNDECODABLE,
    UNREADABLE,
    Content,
    FileFormat,
    FileMark,
    Fingerprint,
    ItemRow,
    Position,
    Record,
)
from evalbus.datasets.row_id import RowId
from evalbus.datasets.shaping import Shape, shaped
from evalbus.datasets.unpacking import unpacked
from evalbus.errors import SourceBroken
from evalbus.nesting import NESTING_MAX, is_nested_too_deeply

MARKS_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file, how it is written, and what becomes of its rows."""

    content: Content
    format: FileFormat
    is_packed: bool
    unpacked_bytes_max: int
    shape: Shape | None

    @property
    def shown(self) -> str:
        return self.content.shown

    def records(self, opened: ExitStack, *, after: Position, row_bytes: int) -> Generator[Record]:
        """The rows behind a position as they go on, until `opened` is closed; raises SourceBroken or OSError."""
        file = opened.enter_context(closing(self.content.open()))
        if self.is_packed:
            file = unpacked(file, shown=self.shown, bytes_max=self.unpacked_bytes_max)
            opened.enter_context(closing(file))
        records = self.format.records(file, shown=self.shown, after=after, row_bytes=row_bytes)
        opened.enter_context(closing(records))
        if self.format.packs_itself:
            records = self._within_limit(records)
        if self.shape is not None:
            records = shaped(records, self.shape, shown=self.shown, row_bytes=row_bytes)
        return records

    def _within_limit(self, records: Generator[Record]) -> Generator[Record]:
        for record in records:
            if record.offset > self.unpacked_bytes_max:
                raise SourceBroken(
                    SOURCE_TOO_LARGE,
                    f"{self.shown} unpacks to more than {self.unpacked_bytes_max} bytes (EVALBUS_SOURCE_BYTES_MAX)",
                )
            yield record


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
        self._opened = ExitStack()
        """What is open of the current file."""
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
            self._broken = _unreadable(self._files[self._file].shown, error)
        except RecursionError:
            self._broken = SourceBroken(
                UNDECODABLE, f"{self._files[self._file].shown}: a row is nested too deeply"
            )
        except SourceBroken as error:
            self._broken = error
        if self._broken is not None:
            self.close()
            if not rows:
                raise self._broken
        # The rows before a broken one are as good as any others.
        return rows

    def _fill(self, rows: list[ItemRow], rows_max: int, bytes_max: int) -> bool:
        """Take rows of the current file; True when there is no room for more, False at its end."""
        row_id = self._row_id
        size = sum(len(row.item) for row in rows)
        if self._records is None:
            self._records = self._files[self._file].records(
                self._opened, after=self.position, row_bytes=self._row_bytes
            )
        waiting, self._waiting = self._waiting, ()
        for record in chain(waiting, self._records):
            item, value = record.item, record.value
            size += len(item)
            if rows and (size > bytes_max or len(rows) >= rows_max):
                self._waiting = (record,)
                return True
            if value is not None and is_nested_too_deeply(item, value):
                raise SourceBroken(
                    UNDECODABLE,
                    f"{self._files[self._file].shown}:{record.line}:"
                    f" a row is nested more than {NESTING_MAX} levels deep",
                )
            rows.append(ItemRow(record.row_id if value is None else row_id(value), item))
            self._last = record
            if len(rows) == rows_max:
                return True
        return False

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
        # Files of other machines are looked at one answer after the other, were it not for the threads.
        with ThreadPoolExecutor(min(MARKS_AT_ONCE, len(self._files))) as threads:
            return Fingerprint(files=tuple(threads.map(_mark, self._files)))

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
        self._opened.close()
        self._records = None
        self._waiting = ()


def _mark(file: SourceFile) -> FileMark:
    try:
        return file.content.mark()
    except OSError as error:
        raise _unreadable(file.shown, error) from None


def _unreadable(shown: str, error: OSError) -> SourceBroken:
    return SourceBroken(UNREADABLE, f"{shown}: {error.strerror or error}")


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
