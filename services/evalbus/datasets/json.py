"""Rows as the elements of one JSON array; the bytes of an element go on as they are, on one line."""

from collections.abc import Generator
from typing import BinaryIO

import orjson

from evalbus.datasets.base import FileFormat, Position, Record
from evalbus.datasets.faults import not_json
from evalbus.datasets.json_scanning import Scanner


class Json(FileFormat):
    """UTF-8, with or without a byte order mark, as short or as widely spaced as it likes.

    Where an element ends is told by quotes and brackets alone, so one over the size limit is passed over unparsed.
    """

    def records(
        self, file: BinaryIO, *, shown: str, after: Position, row_bytes: int
    ) -> Generator[Record]:
        scanner = Scanner(file, shown=shown, after=after)
        is_first = after.offset == 0
        if is_first:
            _enter(scanner)
        while _goes_on(scanner, is_first=is_first):
            is_first = False
            if scanner.next_mark() != b"{":
                raise scanner.fault("a row must be a JSON object")
            line, begin = scanner.line, scanner.offset
            element = scanner.element(row_bytes)
            if element.content is None:
                yield Record(b"", None, scanner.offset, scanner.line, element.row_id)
                continue
            try:
                value = orjson.loads(element.content)
            except orjson.JSONDecodeError as error:
                raise not_json(shown, line + 1, begin, element.content, error) from None
            yield Record(_on_one_line(element.content), value, scanner.offset, scanner.line)
        if scanner.next_mark():
            raise scanner.fault("there is more behind the array")


def _enter(scanner: Scanner) -> None:
    scanner.skip_byte_order_mark()
    mark = scanner.next_mark()
    if mark == b"[":
        scanner.take()
        return
    found = {b"{": "an object", b"": "nothing"}.get(mark, "something else")
    raise scanner.fault(
        f"wanted an array of objects, found {found} (one object a line is the format jsonl)"
    )


def _goes_on(scanner: Scanner, *, is_first: bool) -> bool:
    """Whether there is another element; the mark before it, or the end of the array, is taken."""
    mark = scanner.next_mark()
    if mark == b"]":
        scanner.take()
        return False
    if is_first:
        if not mark:
            raise scanner.fault("the array is never closed")
        return True
    if mark == b",":
        scanner.take()
        return True
    raise scanner.fault(
        "wanted a comma or the end of the array" if mark else "the array is never closed"
    )


def _on_one_line(element: bytes) -> bytes:
    """Line ends are white space there: inside of texts JSON writes them as escapes."""
    if b"\n" in element or b"\r" in element:
        return element.translate(_SPACES)
    return element


_SPACES = bytes.maketrans(b"\r\n", b"  ")
