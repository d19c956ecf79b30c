"""Which slices a row is in: asked of its item when that is read, and kept with it."""

from collections.abc import Iterable, Sequence

import orjson

from evalbus.errors import Invalid, Refused
from evalbus.filters import Expression, parse_filter
from evalbus.filters.expression import EVERYTHING
from evalbus.filters.items import ITEM_FIELDS
from evalbus.filters.matching import predicate
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import ALL, Slice


def parsed(declared: Slice) -> Expression:
    """What its `where` says. Raises Invalid or OverLimit that begins with its name."""
    where = f"slice {declared.name!r}"
    try:
        expression = parse_filter(declared.where, ITEM_FIELDS)
    except Refused as refusal:
        raise type(refusal)(f"{where}: {refusal.message}", refusal.data) from None
    if expression == EVERYTHING:
        raise Invalid(f"{where}: its `where` says nothing; every row is in {ALL!r} as it is")
    return expression


class Slicing:
    """The slices of a benchmark, in its order."""

    def __init__(self, slices: Sequence[Slice]) -> None:
        self._predicates = [
            (1 << place, predicate(parsed(declared))) for place, declared in enumerate(slices)
        ]

    def memberships(self, items: Iterable[bytes]) -> Sequence[int]:
        """Of each item a number with a bit for each slice that it is in, the first slice's lowest; nothing at all without
        slices."""
        if not self._predicates:
            return ()
        return [self._membership(item) for item in items]

    def _membership(self, item: bytes) -> int:
        try:
            fields: JsonObject = orjson.loads(item)
        except orjson.JSONDecodeError:
            # A row over the size limit has an empty item, of which nothing is true.
            return 0
        return sum(bit for bit, is_in in self._predicates if is_in(fields))
