"""An item as the bytes that go on."""

import json
import math

import orjson
from pydantic import JsonValue

from evalbus_schemas.base import JsonObject


def as_json(value: JsonObject, *, sort_keys: bool = False) -> bytes:
    """One line of JSON, the integers exact however long they are; a number that is none (NaN) is null.

    Raises RecursionError for what is nested too deeply to be written.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort_keys else None)
    except orjson.JSONEncodeError:
        # An integer of more than 64 bits, or some hundred levels: JSON allows both, orjson writes neither.
        return json.dumps(
            _without_nan(value), ensure_ascii=False, separators=(",", ":"), sort_keys=sort_keys
        ).encode()


def _without_nan(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {name: _without_nan(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_without_nan(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
