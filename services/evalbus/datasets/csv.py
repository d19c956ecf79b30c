"""Rows as records of comma-separated values under a header line."""

import csv
from collections import Counter
from collections.abc import Generator
from typing import BinaryIO, ClassVar

import orjson

from evalbus.datasets.base import FileFormat, Position, Record
from evalbus.datasets.csv_skipping import skip_record
from evalbus.datasets.faults import fault, not_utf8
from evalbus.datasets.row_id import hash_id
from evalbus.errors import SourceBroken
from evalbus_schemas.base import JsonObject

BYTE_ORDER_MARK = "\ufeff"


class Csv(FileFormat):
    """UTF-8, with or without a byte order mark; every record has as many cells as the header; blank lines are skipped."""

    cells_are_text = True
    delimiter: ClassVar[str] = ","

    def records(
        self, file: BinaryIO, *, shown: str, after: Position, row_bytes: int
    ) -> Generator[Record]:
        # The module's own limit is one for the whole process, and smaller than ours; a row is
        # measured here before the module sees it, so raising it costs nothing.
        csv.field_size_limit(max(csv.field_size_limit(), row_bytes))
        lines = _Lines(file, shown=shown, row_bytes=row_bytes, delimiter=self.delimiter)
        header = _header(lines)
        lines.go_to(after)
        while True:
            try:
                for cells in lines.records():
                    yield _record(header, cells, lines)
                    lines.begin_record()
                return
            except _RowTooLarge:
                yield lines.skip_record()


class Tsv(Csv):
    """The same with tabs between the cells."""

    delimiter = "\t"


class _RowTooLarge(Exception):
    """The record at hand is not to be kept."""


class _Lines:
    """The lines of a file for the csv module, which takes one only when the record at hand needs it.

    So the offset behind each record is known, and a record that grows too large is noticed in time.
    """

    def __init__(self, file: BinaryIO, *, shown: str, row_bytes: int, delimiter: str) -> None:
        self._file = file
        self._shown = shown
        self._delimiter = delimiter
        self.row_bytes = row_bytes
        self.offset = 0
        self.number = 0
        self.begin_record()

    def go_to(self, after: Position) -> None:
        """Leave out the rows that were read already; those behind the header stay the next ones."""
        if after.line:
            self.offset, self.number = after.offset, after.line
            self._file.seek(after.offset)
            self.begin_record()

    def begin_record(self) -> None:
        self._begin_offset = self.offset
        self._begin_line = self.number
        self._kept: list[bytes] = []

    def fault(self, said: str) -> SourceBroken:
        """What is wrong with the record at hand."""
        return fault(self._shown, self._begin_line + 1, self._begin_offset, said)

    def records(self) -> Generator[list[str]]:
        """The cells of one record after the other; blank lines are none."""
        try:
            for cells in csv.reader(self, strict=True, delimiter=self._delimiter):
                if cells:
                    yield cells
                else:
                    self.begin_record()
        except csv.Error as error:
            raise self.fault(str(error)) from None

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        # One byte more than may be kept tells a row that is too large from one that just fits.
        size = self.offset - self._begin_offset
        line = self._file.readline(self.row_bytes + 1 - size)
        if not line:
            raise StopIteration
        self._kept.append(line)
        if size + len(line) > self.row_bytes:
            raise _RowTooLarge
        begin = self.offset
        self.offset += len(line)
        self.number += 1
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise not_utf8(self._shown, self.number, begin, line, error) from None
        return text.removeprefix(BYTE_ORDER_MARK) if self.number == 1 else text

    def skip_record(self) -> Record:
        """Go on behind the record at hand, whatever its size."""
        skipped = skip_record(self._kept, self._file, delimiter=self._delimiter)
        if not skipped.is_closed:
            raise self.fault("a quote that opens in this row is never closed")
        self.offset = self._begin_offset + skipped.bytes
        self.number = self._begin_line + skipped.lines
        self.begin_record()
        return Record(b"", None, self.offset, self.number, skipped.row_id)


def _header(lines: _Lines) -> list[str]:
    try:
        header: list[str] = next(lines.records(), list[str]())
    except _RowTooLarge:
        raise lines.fault("the header is too long") from None
    twice = [name for name, times in Counter(header).items() if times > 1]
    if twice:
        raise lines.fault(f"two columns are called {twice[0]!r}")
    lines.begin_record()
    return header


def _record(header: list[str], cells: list[str], lines: _Lines) -> Record:
    if len(cells) != len(header):
        raise lines.fault(f"{len(cells)} cells, but the header has {len(header)} columns")
    value = _item(header, cells)
    item = orjson.dumps(value)
    if len(item) > lines.row_bytes:
        return Record(b"", None, lines.offset, lines.number, hash_id(item))
    return Record(item, value, lines.offset, lines.number)


def _item(header: list[str], cells: list[str]) -> JsonObject:
    """A cell is text as it stands, an empty one the empty text: `007` is not the number 7."""
    return dict(zip(header, cells, strict=True))
