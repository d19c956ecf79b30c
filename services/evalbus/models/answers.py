"""Reading what a live model answered: other people's JSON, which may be anything."""

from collections.abc import Mapping
from typing import cast

import orjson

from evalbus.characters import cut
from evalbus.models.base import CallFailed
from evalbus.nesting import NESTING_MAX, is_nested_too_deeply
from evalbus_schemas.base import JsonObject

TOKENS_MAX = 2**31 - 1


class Garbage(CallFailed):
    """An answer that is none; the next one may be better."""

    def __init__(self, message: str) -> None:
        super().__init__("garbage", message, is_retryable=True)


def json_object(body: bytes, *, place: str) -> JsonObject:
    """Raises Garbage for everything that is no JSON object; `place` says in the message who sent it."""
    try:
        found: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Garbage(f"{place} answered with what is no JSON: {beginning(body)!r}") from None
    if not isinstance(found, dict):
        raise Garbage(f"{place} answered with JSON that is no object: {beginning(body)!r}")
    if is_nested_too_deeply(body, cast("JsonObject", found)):
        raise Garbage(f"{place} answered with JSON of more than {NESTING_MAX} levels")
    return cast("JsonObject", found)


def tokens(usage: object, name: str) -> int | None:
    """A count of tokens; None where the answer does not say, or says what cannot be."""
    if not isinstance(usage, Mapping):
        return None
    count = cast("Mapping[str, object]", usage).get(name)
    return count if type(count) is int and 0 <= count <= TOKENS_MAX else None


def beginning(body: bytes, characters: int = 80) -> str:
    """So much of it as fits into a sentence."""
    return cut(body[: 4 * characters].decode(errors="replace"), characters)
