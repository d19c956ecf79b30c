"""What a metric says beside a value, as it will be read again: JSON that is neither too large nor nested too deeply."""

from typing import cast

import orjson

from evalbus.nesting import is_nested_too_deeply
from evalbus_schemas.base import JsonObject


def readable(detail: JsonObject, *, bytes_max: int) -> JsonObject | None:
    """None for one that is too large or nested too deeply; raises TypeError for what is no JSON object."""
    written = orjson.dumps(detail)
    if len(written) > bytes_max:
        return None
    read: object = orjson.loads(written)
    if not isinstance(read, dict):
        raise TypeError(f"wanted a JSON object for a detail, found {type(detail).__name__}")
    found = cast("JsonObject", read)
    return None if is_nested_too_deeply(written, found) else found
