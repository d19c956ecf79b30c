"""What the values of a column are in JSON: decided by the column's type, so that it is the same in every row.

Times are ISO 8601 text and durations seconds. A decimal is a number as long as a double holds all of its digits,
else text. Bytes are base64. A number that is none (NaN, infinity) is null. Maps are objects.
"""

from base64 import b64encode
from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

from pydantic import JsonValue

DOUBLE_DIGITS = 15

Convert = Callable[[Any], JsonValue]


class Inconvertible(Exception):
    """A type that has no meaning in JSON."""


def conversion(types: Any, kind: Any) -> Convert | None:
    """How values of a type become JSON, None if they are JSON already; raises Inconvertible.

    `types` is pyarrow.types; a conversion is never given None.
    """
    if _is_json(types, kind):
        return None
    if types.is_dictionary(kind):
        return conversion(types, kind.value_type)
    if types.is_decimal(kind):
        return _decimal(kind)
    if types.is_timestamp(kind) or types.is_date(kind) or types.is_time(kind):
        return _iso
    if types.is_duration(kind):
        return _seconds
    if _is_bytes(types, kind):
        return _base64
    return _nested(types, kind)


def _is_json(types: Any, kind: Any) -> bool:
    return any(
        is_kind(kind)
        for is_kind in (
            types.is_string,
            types.is_large_string,
            types.is_string_view,
            types.is_integer,
            types.is_floating,
            types.is_boolean,
            types.is_null,
        )
    )


def _is_bytes(types: Any, kind: Any) -> bool:
    return any(
        is_kind(kind)
        for is_kind in (
            types.is_binary,
            types.is_large_binary,
            types.is_binary_view,
            types.is_fixed_size_binary,
        )
    )


def _nested(types: Any, kind: Any) -> Convert | None:
    if types.is_map(kind):
        return _map(types, kind)
    if types.is_struct(kind):
        return _struct(types, kind)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _list(conversion(types, kind.value_type))
    raise Inconvertible(f"the type {kind} has no meaning in JSON")


def _decimal(kind: Any) -> Convert:
    if kind.scale <= 0:
        return int
    return float if kind.precision <= DOUBLE_DIGITS else _plain


def _plain(value: Decimal) -> str:
    return f"{value:f}"


def _iso(value: Any) -> str:
    return cast("str", value.isoformat())


def _seconds(value: Any) -> float:
    return cast("float", value.total_seconds())


def _base64(value: bytes) -> str:
    return b64encode(value).decode()


def _list(convert: Convert | None) -> Convert | None:
    if convert is None:
        return None
    return lambda values: [None if value is None else convert(value) for value in values]


def _struct(types: Any, kind: Any) -> Convert | None:
    fields = {field.name: conversion(types, field.type) for field in kind}
    if not any(fields.values()):
        return None

    def converted(value: dict[str, Any]) -> JsonValue:
        return {
            name: part if part is None or (convert := fields[name]) is None else convert(part)
            for name, part in value.items()
        }

    return converted


def _map(types: Any, kind: Any) -> Convert:
    keys = kind.key_type.value_type if types.is_dictionary(kind.key_type) else kind.key_type
    if not (types.is_string(keys) or types.is_large_string(keys)):
        raise Inconvertible(f"the keys of {kind} are no texts")
    convert = conversion(types, kind.item_type)

    def converted(pairs: list[tuple[str, Any]]) -> JsonValue:
        found: dict[str, JsonValue] = {}
        for key, part in pairs:
            if key in found:
                raise ValueError(f"the key {key!r} is there twice in one map")
            found[key] = part if part is None or convert is None else convert(part)
        return found

    return converted
