"""Rows as lines of JSON objects; the bytes of a line go on as they are."""

from collections.abc import Generator
from hashlib import blake2b
from typing import BinaryIO

import orjson

from evalbus.datasets.base import FileFormat, Position, Record
from evalbus.datasets.faults import fault, not_json
from evalbus.datasets.row_id import HASH_BYTES

PIECE_BYTES = 1024 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LINE_END = b"\r\n"


class Jsonl(FileFormat):
    """UTF-8, with or without a byte order mark; blank lines are skipped."""

    def records(
        self, file: BinaryIO, *, shown: str, after: Position, row_bytes: int
    ) -> Generator[Record]:
        offset, number = after.offset, after.line
        most = row_bytes + len(BYTE_ORDER_MARK) + len(LINE_END)
        file.seek(offset)
        while line := file.readline(most):
            offset += len(line)
            number += 1
            item = line.rstrip(LINE_END)
            if number == 1:
                item = item.removeprefix(BYTE_ORDER_MARK)
            if len(item) > row_bytes:
                row_id, more = _rest_of_line(file, line)
                offset += more
                yield Record(b"", None, offset, number, row_id)
                continue
            try:
                value = orjson.loads(item)
            except orjson.JSONDecodeError as error:
                if not item.strip():
                    continue
                # Behind the byte order mark, if there was one.
                item_at = offset - len(line) + line.index(item)
                raise not_json(shown, number, item_at, item, error) from None
            if type(value) is not dict:
                raise fault(shown, number, offset - len(line), "a row must be a JSON object")
            yield Record(item, value, offset, number)


def _rest_of_line(file: BinaryIO, start: bytes) -> tuple[str, int]:
    """The id of a line that is too long to be kept, and how many bytes of it there were still to read."""
    digest = blake2b(start.rstrip(b"\n"), digest_size=HASH_BYTES)
    read = 0
    piece = start
    while not piece.endswith(b"\n") and (piece := file.readline(PIECE_BYTES)):
        read += len(piece)
        digest.update(piece.rstrip(b"\n"))
    return digest.hexdigest(), read
