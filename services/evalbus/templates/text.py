"""Any value as text: a string is itself, everything else its JSON."""

import json

import orjson


def as_text(value: object) -> str:
    """`4` for 4, `true` for True, `{"a":1}` with sorted keys: the same text for equal values."""
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:
        # An integer of more than 64 bits, which JSON allows and orjson does not write.
        return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
