"""Which type a column has whose values nobody has declared: the narrowest that holds all of them."""

from typing import Literal

ColumnType = Literal["text", "integer", "number", "boolean", "texts", "json"]
"""`texts` is a list of texts; `json` a text that is JSON, for values of several kinds and nested ones."""

NOTHING, BOOLEAN, SHORT_INTEGER, INTEGER, NUMBER, TEXT, OTHER = 0, 1, 2, 4, 8, 16, 32
"""Kinds of values, to be added up with `|`. A short integer is exact as a double too."""

EXACT_IN_DOUBLE = 2**53
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def kind_of(value: object) -> int:
    match value:
        case None:
            return NOTHING
        case str():
            return TEXT
        case bool():
            return BOOLEAN
        case int():
            return _kind_of_integer(value)
        case float():
            return NUMBER
        case _:
            return OTHER


def column_type(kinds: int) -> ColumnType:
    """A column without any value is one of text."""
    if kinds in (NOTHING, TEXT):
        return "text"
    if kinds == BOOLEAN:
        return "boolean"
    if not kinds & ~(SHORT_INTEGER | INTEGER):
        return "integer"
    if not kinds & ~(SHORT_INTEGER | NUMBER):
        return "number"
    return "json"


def _kind_of_integer(value: int) -> int:
    if -EXACT_IN_DOUBLE <= value <= EXACT_IN_DOUBLE:
        return SHORT_INTEGER
    return INTEGER if INT64_MIN <= value <= INT64_MAX else OTHER
