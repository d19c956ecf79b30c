"""Are the fields that slices are about in the first rows? A mistyped name would be a slice without rows, unnoticed."""

from collections.abc import Sequence
from difflib import get_close_matches

import orjson
from pydantic import JsonValue

from evalbus.errors import Invalid
from evalbus.filters.expression import Comparison, comparisons
from evalbus.filters.items import ItemPath
from evalbus.filters.showing import shown
from evalbus.producer.slicing import parsed
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import Slice

FIELDS_SHOWN_MAX = 40


def check_slice_fields(slices: Sequence[Slice], first_items: Sequence[Sequence[bytes]]) -> None:
    """Given the first items of each dataset, raise Invalid for a field that is in none of them, in no dataset.

    A field that only some rows have is no reason to refuse: those without it are not in the slice. Raises Invalid as
    well for a number that a field is compared with whose numbers are all written as text.
    """
    if not slices:
        return
    # Rows over the size limit say nothing about the fields.
    items: list[JsonObject] = [orjson.loads(item) for of in first_items for item in of if item]
    if not items:
        return
    for declared in slices:
        where = f"slice {declared.name!r}"
        for comparison in comparisons(parsed(declared)):
            path = ItemPath(comparison.field.rest)
            if not any(path.found(item) for item in items):
                raise _missing(where, path, items)
            _check_types(where, comparison, [one for item in items for one in path.values(item)])


def _missing(where: str, path: ItemPath, items: Sequence[JsonObject]) -> Invalid:
    # The longest beginning of the path that some item has; what is missing is the step behind it.
    head, _, _ = path.text.rpartition(".")
    while head and not _fields(head, items):
        head, _, _ = head.rpartition(".")
    missing = path.text.removeprefix(f"{head}.") if head else path.text
    place = f"item.{head}" if head else "item"
    there = _fields(head, items)
    near = get_close_matches(missing.partition(".")[0], there, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    known = there[:FIELDS_SHOWN_MAX]
    return Invalid(
        f"{where}: none of the first {len(items)} rows has {missing!r} in {place}{guess}"
        f" (there are: {', '.join(known) or 'none'})",
        {"wanted": f"a field in {place}", "found": missing, "known": list(known)},
    )


def _fields(path: str, items: Sequence[JsonObject]) -> list[str]:
    """Of the items themselves, or of the objects in them at the path: each once, in the order of their appearance."""
    things = [one for item in items for one in ItemPath(path).values(item)] if path else items
    return list(dict.fromkeys(name for one in things if isinstance(one, dict) for name in one))


def _check_types(where: str, comparison: Comparison, found: Sequence[JsonValue]) -> None:
    """Cells of text formats are text unless their dataset is `typed`, and then 5 is never larger than 4."""
    numbers = [value for value in comparison.values if isinstance(value, int | float)]
    if not numbers or len(numbers) < len(comparison.values):
        return
    texts = [value for value in found if isinstance(value, str)]
    if len(texts) == len(found) and any(_is_number(text) for text in texts):
        raise Invalid(
            f"{where}: {comparison.field} is text in all rows that were looked at, and is compared with"
            f" {shown(numbers[0])}: put that in quotes to mean the text, or have the dataset's cells read as"
            " what they say (`typed: true`)",
            {"wanted": "text", "found": shown(numbers[0])},
        )


def _is_number(text: str) -> bool:
    """A number, or true or false, which are as little."""
    try:
        return isinstance(orjson.loads(text), int | float)
    except orjson.JSONDecodeError:
        return False
