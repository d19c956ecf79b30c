"""Rows that were written into the benchmark itself."""

import json
from collections.abc import Sequence
from hashlib import sha256

import orjson

from evalbus.datasets.base import SOURCE_CHANGED, FileMark, Fingerprint, ItemRow, Position
from evalbus.datasets.row_id import RowId, hash_id
from evalbus.errors import SourceBroken
from evalbus_schemas.base import JsonObject

PATH = "rows"


class InlineReader:
    """The rows of a benchmark file; its position counts rows as lines."""

    def __init__(
        self, rows: Sequence[JsonObject], *, row_id: RowId, row_bytes: int, position: Position
    ) -> None:
        self._rows = rows
        self._row_id = row_id
        self._row_bytes = row_bytes
        self._next = position.line

    def read(self, rows_max: int, bytes_max: int) -> list[ItemRow]:
        rows: list[ItemRow] = []
        size = 0
        for value in self._rows[self._next : self._next + rows_max]:
            item = as_json(value)
            if len(item) > self._row_bytes:
                row = ItemRow(hash_id(item), b"")
            else:
                row = ItemRow(self._row_id(value), item)
            size += len(row.item)
            if rows and size > bytes_max:
                break
            rows.append(row)
        self._next += len(rows)
        return rows

    @property
    def position(self) -> Position:
        return Position(line=self._next)

    def fingerprint(self) -> Fingerprint:
        digest = sha256()
        size = 0
        for value in self._rows:
            item = as_json(value)
            size += len(item)
            digest.update(item)
        mark = FileMark(path=PATH, size=size, mtime_ns=0, sha256=digest.hexdigest())
        return Fingerprint(files=(mark,))

    def verify(self, accepted: Fingerprint) -> None:
        if self.fingerprint() != accepted:
            raise SourceBroken(SOURCE_CHANGED, "the rows are no longer those that were accepted")

    def close(self) -> None:
        """There is nothing to give up."""


def as_json(value: JsonObject) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        # An integer of more than 64 bits, which JSON allows and orjson does not write.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
