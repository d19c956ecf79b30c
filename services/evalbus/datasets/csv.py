"""Rows as records of comma-separated values under a header line."""

import csv
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

import orjson

from evalbus.datasets.base import UNDECODABLE, FileFormat, Position, Record
from evalbus.datasets.csv_skipping import skip_record
from evalbus.datasets.row_id import hash_id
from evalbus.errors import SourceBroken
from evalbus_schemas.base import JsonObject

BUFFER_BYTES = 1024 * 1024
BYTE_ORDER_MARK = "\ufeff"


class Csv(FileFormat):
    """UTF-8, with or without a byte order mark; every record has as many cells as the header; blank lines are skipped."""

    def records(
        self, path: Path, *, shown: str, after: Position, row_bytes: int
    ) -> Generator[Record]:
        # The module's own limit is one for the whole process, and smaller than ours; a row is
        # measured here before the module sees it, so raising it costs nothing.
        csv.field_size_limit(max(csv.field_size_limit(), row_bytes))
        with path.open("rb", buffering=BUFFER_BYTES) as file:
            lines = _Lines(file, shown=shown, after=Position(), row_bytes=row_bytes)
            header = _header(lines)
            if after.line:
                lines = _Lines(file, shown=shown, after=after, row_bytes=row_bytes)
            while True:
                try:
                    for cells in lines.records():
                        yield _record(header, cells, lines)
                        lines.begin_record()
                    return
                except _RowTooLarge:
                    yield lines.skip_record()


class _RowTooLarge(Exception):
    """The record at hand is not to be kept."""


class _Lines:
    """The lines of a file for the csv module, which takes one only when the record at hand needs it.

    So the offset behind each record is known, and a record that grows too large is noticed in time.
    """

    def __init__(self, file: BinaryIO, *, shown: str, after: Position, row_bytes: int) -> None:
        self._file = file
        self._shown = shown
        self._row_bytes = row_bytes
        self.offset = after.offset
        self.number = after.line
        self.begin_record()
        file.seek(after.offset)

    def begin_record(self) -> None:
        self._begin_offset = self.offset
        self._begin_line = self.number

    @property
    def place(self) -> str:
        """Where the record at hand begins."""
        return f"{self._shown}:{self._begin_line + 1}"

    @property
    def row_bytes(self) -> int:
        return self._row_bytes

    def records(self) -> Generator[list[str]]:
        """The cells of one record after the other; blank lines are none."""
        try:
            for cells in csv.reader(self, strict=True):
                if cells:
                    yield cells
                else:
                    self.begin_record()
        except csv.Error as error:
            raise SourceBroken(UNDECODABLE, f"{self.place}: {error}") from None

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        # One byte more than may be kept tells a row that is too large from one that just fits.
        kept = self.offset - self._begin_offset
        line = self._file.readline(self._row_bytes + 1 - kept)
        if not line:
            raise StopIteration
        if kept + len(line) > self._row_bytes:
            raise _RowTooLarge
        self.offset += len(line)
        self.number += 1
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise SourceBroken(
                UNDECODABLE, f"{self._shown}:{self.number}: not UTF-8 ({error.reason})"
            ) from None
        return text.removeprefix(BYTE_ORDER_MARK) if self.number == 1 else text

    def skip_record(self) -> Record:
        """Go on behind the record at hand, whatever its size."""
        self._file.seek(self._begin_offset)
        skipped = skip_record(self._file)
        if not skipped.is_closed:
            raise SourceBroken(
                UNDECODABLE, f"{self.place}: a quote that opens in this row is never closed"
            )
        self.offset = self._begin_offset + skipped.bytes
        self.number = self._begin_line + skipped.lines
        self._file.seek(self.offset)
        self.begin_record()
        return Record(b"", None, self.offset, self.number, skipped.row_id)


def _header(lines: _Lines) -> list[str]:
    try:
        header: list[str] = next(lines.records(), list[str]())
    except _RowTooLarge:
        raise SourceBroken(UNDECODABLE, f"{lines.place}: the header is too long") from None
    twice = [name for name, times in Counter(header).items() if times > 1]
    if twice:
        raise SourceBroken(UNDECODABLE, f"{lines.place}: two columns are called {twice[0]!r}")
    lines.begin_record()
    return header


def _record(header: list[str], cells: list[str], lines: _Lines) -> Record:
    if len(cells) != len(header):
        raise SourceBroken(
            UNDECODABLE,
            f"{lines.place}: {len(cells)} cells, but the header has {len(header)} columns",
        )
    value = _item(header, cells)
    item = orjson.dumps(value)
    if len(item) > lines.row_bytes:
        return Record(b"", None, lines.offset, lines.number, hash_id(item))
    return Record(item, value, lines.offset, lines.number)


def _item(header: list[str], cells: list[str]) -> JsonObject:
    """A cell is text as it stands, an empty one the empty text: `007` is not the number 7."""
    return dict(zip(header, cells, strict=True))
