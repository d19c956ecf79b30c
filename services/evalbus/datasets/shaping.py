"""What a dataset's `fields` and `typed` make of a row; without both, its bytes go on untouched."""

import json
import re
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

import orjson
from pydantic import JsonValue

from evalbus.datasets.base import UNDECODABLE, Record
from evalbus.datasets.items import as_json
from evalbus.datasets.row_id import hash_id
from evalbus.errors import Invalid, SourceBroken
from evalbus_schemas.base import JsonObject

_MAY_BE_JSON: Final = re.compile(r'[ \t\r\n]*[-0-9"\[{tfn]')
# orjson reads integers of more than 64 bits as floats; these are read a second time, exactly.
_LONG_NUMBER: Final = re.compile(r"\d{19}")
_LONG_NUMBER_BYTES: Final = re.compile(rb"\d{19}")


class TwoInOne(Exception):
    """A field would get the name of another one."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Which fields get other names, and whether cells are read as JSON."""

    new_names: Mapping[str, str]
    """By the name in the source."""
    typed: bool

    def applied(self, value: JsonObject) -> JsonObject:
        """The row with the same fields in the same places; raises TwoInOne."""
        if self.typed:
            value = {name: _typed(cell) for name, cell in value.items()}
        if not self.new_names:
            return value
        renamed = {self.new_names.get(name, name): cell for name, cell in value.items()}
        if len(renamed) == len(value):
            return renamed
        raise TwoInOne(next(new for old, new in self.new_names.items() if {old, new} <= {*value}))

    def without_types(self) -> "Shape | None":
        """For what knows its types already; None when nothing is left to be done."""
        return Shape(new_names=self.new_names, typed=False) if self.new_names else None


def shape_from(fields: Mapping[str, str], *, typed: bool) -> Shape | None:
    """From a dataset's `fields`, the new names first; None when rows stay as they are. Raises Invalid."""
    new_names: dict[str, str] = {}
    for new, old in fields.items():
        if old in new_names:
            raise Invalid(
                f"fields: {old!r} cannot be called both {new_names[old]!r} and {new!r}",
                {"wanted": "one new name", "found": old},
            )
        new_names[old] = new
    return Shape(new_names=new_names, typed=typed) if new_names or typed else None


def shaped(
    records: Iterable[Record], shape: Shape, *, shown: str, row_bytes: int
) -> Generator[Record]:
    """The records in their new shape; one that grows over the size limit loses its item."""
    for record in records:
        if record.value is None:
            yield record
            continue
        try:
            value = shape.applied(_exact(record.item, record.value))
        except TwoInOne as clash:
            raise SourceBroken(
                UNDECODABLE,
                f"{shown}:{record.line}: fields: the row has a field {str(clash)!r} of its own",
            ) from None
        item = as_json(value)
        if len(item) > row_bytes:
            yield Record(b"", None, record.offset, record.line, hash_id(item))
        else:
            yield Record(item, value, record.offset, record.line)


def _exact(item: bytes, value: JsonObject) -> JsonObject:
    if _LONG_NUMBER_BYTES.search(item):
        return cast("JsonObject", json.loads(item))
    return value


def _typed(cell: JsonValue) -> JsonValue:
    """What a cell says if it is JSON, else the text: `4` is a number, `007`, `NaN` and `yes` are texts."""
    if not isinstance(cell, str) or not _MAY_BE_JSON.match(cell):
        return cell
    try:
        value = orjson.loads(cell)
        return cast("JsonValue", json.loads(cell) if _LONG_NUMBER.search(cell) else value)
    except (ValueError, RecursionError):
        # Also a number of more digits than Python takes, and brackets in brackets without end.
        return cell
