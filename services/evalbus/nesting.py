"""How deep JSON from outside may be nested."""

from collections.abc import Iterable

from pydantic import JsonValue

from evalbus_schemas.base import JsonObject

NESTING_MAX = 100
"""Rows and answers stand inside of messages, and those who read them bear 200 levels in all."""


def is_nested_too_deeply(text: bytes, value: JsonObject) -> bool:
    """Whether it has more than NESTING_MAX levels; nearly everything has too few brackets for that."""
    if text.count(b"{") + text.count(b"[") <= NESTING_MAX:
        return False
    level: list[JsonValue] = [value]
    for _ in range(NESTING_MAX):
        level = [part for whole in level for part in _parts(whole)]
        if not level:
            return False
    return any(isinstance(part, dict | list) for part in level)


def _parts(value: JsonValue) -> Iterable[JsonValue]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
        case _:
            return ()
