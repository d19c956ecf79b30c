"""What items can be filtered by, which is whatever stands in them, and where it is found."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pydantic import JsonValue

from evalbus.filters.fields import FieldKind, Fields
from evalbus_schemas.base import JsonObject

ITEM_FIELDS: Final = Fields(kinds={"item": FieldKind.ITEM}, otherwise="item")
"""`meta.source` and, as in templates, `item.meta.source`; a field called item is `item`, or `item.item`."""


@dataclass(frozen=True)
class ItemPath:
    """`meta.source`: a field of that very name, dots and all, or else one in the other.

    On the way, too, a list stands for each of its elements: `turns.role` are the roles of all turns.
    """

    text: str

    @cached_property
    def _steps(self) -> list[str]:
        return self.text.split(".")

    def values(self, item: JsonObject) -> Iterable[JsonValue]:
        """All that stand there, null being none; an object is one that equals nothing."""
        text = self.text
        if text in item:
            value = item[text]
            # As nearly always; the general way would say the same.
            if isinstance(value, str | int | float):
                return (value,)
        return _single(self.found(item))

    def found(self, item: JsonObject) -> list[JsonValue]:
        """What is written there, lists and nulls as they are; empty where nothing is."""
        if self.text in item:
            return [item[self.text]]
        found: list[JsonValue] = [item]
        for step in self._steps:
            found = [
                value[step] for value in _single(found) if isinstance(value, dict) and step in value
            ]
        return found


def _single(values: Iterable[JsonValue]) -> Iterator[JsonValue]:
    """The elements of lists, however deep, for the lists; nulls are left out."""
    left = [*values]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left.extend(value)
        elif value is not None:
            yield value
