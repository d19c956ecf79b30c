"""The fields of an item by their paths, `a.b` inside of objects."""

from collections.abc import Iterator
from typing import Final

import orjson
from pydantic import JsonValue

from evalbus.characters import cut, whole
from evalbus_schemas.base import JsonObject

LEVELS_MAX: Final = 3
"""Objects inside of objects further down count as one value."""
NAME_CHARACTERS_MAX: Final = 80
EXCERPT_CHARACTERS: Final = 160


def parsed(text: str | None) -> JsonObject:
    """Nothing of what is no JSON object after all."""
    try:
        value: object = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def fields_of(item: JsonObject, *, levels: int = LEVELS_MAX) -> Iterator[tuple[str, JsonValue]]:
    """In the order of the item; null is no value."""
    for name, value in _fields_of(item, levels):
        if value is not None:
            yield excerpt(name, NAME_CHARACTERS_MAX), value


def begun(text: str) -> str:
    """As much of a text as is needed to cut it later."""
    return text[: EXCERPT_CHARACTERS * 2 + 1]


def excerpt(text: str, characters_max: int) -> str:
    """One line that can be written down, with … where there was more."""
    head = " ".join(text[: characters_max * 2].split())
    is_whole = len(text) <= characters_max * 2
    return whole(cut(head if is_whole else f"{head} …", characters_max))


def _fields_of(value: JsonObject, levels: int) -> Iterator[tuple[str, JsonValue]]:
    for name, part in value.items():
        if isinstance(part, dict) and part and levels > 1:
            for below, found in _fields_of(part, levels - 1):
                yield f"{name}.{below}", found
        else:
            yield name, part
