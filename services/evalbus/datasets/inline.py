"""Rows that were written into the benchmark itself."""

from collections.abc import Sequence
from hashlib import sha256

from evalbus.datasets.base import (
    SOURCE_CHANGED,
    UNDECODABLE,
    FileMark,
    Fingerprint,
    ItemRow,
    Position,
)
from evalbus.datasets.items import as_json
from evalbus.datasets.row_id import RowId, hash_id
from evalbus.datasets.shaping import Shape, TwoInOne
from evalbus.errors import Invalid, SourceBroken
from evalbus.nesting import NESTING_MAX, is_nested_too_deeply
from evalbus_schemas.base import JsonObject

PATH = "rows"


class InlineReader:
    """The rows of a benchmark file; its position counts rows as lines."""

    def __init__(
        self,
        rows: Sequence[JsonObject],
        *,
        shape: Shape | None = None,
        row_id: RowId,
        row_bytes: int,
        position: Position,
    ) -> None:
        """`shape` renames their fields; their types are what they are. Raises Invalid when it cannot."""
        renaming = None if shape is None else shape.without_types()
        self._rows = rows if renaming is None else _renamed(rows, renaming)
        self._row_id = row_id
        self._row_bytes = row_bytes
        self._next = position.line

    def read(self, rows_max: int, bytes_max: int) -> list[ItemRow]:
        rows: list[ItemRow] = []
        size = 0
        for value in self._rows[self._next : self._next + rows_max]:
            item = as_json(value)
            if is_nested_too_deeply(item, value):
                number = self._next + len(rows) + 1
                said = f"row {number} is nested more than {NESTING_MAX} levels deep"
                raise SourceBroken(UNDECODABLE, said)
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


def _renamed(rows: Sequence[JsonObject], shape: Shape) -> list[JsonObject]:
    renamed: list[JsonObject] = []
    for number, row in enumerate(rows, start=1):
        try:
            renamed.append(shape.applied(row))
        except TwoInOne as clash:
            raise Invalid(
                f"rows:{number}: fields: the row has a field {str(clash)!r} of its own"
            ) from None
    return renamed
