"""From what a caller wrote to an expression: the door of the grammar."""

from collections.abc import Mapping
from typing import TypeAlias

import orjson
from pydantic import JsonValue

from evalbus.errors import Invalid, OverLimit
from evalbus.filters import mapping, words
from evalbus.filters.expression import EVERYTHING, Expression, Operator
from evalbus.filters.fields import Fields
from evalbus.filters.limits import FILTER_CHARACTERS_MAX

Spelling: TypeAlias = Mapping[str, JsonValue] | str | None
"""Nothing, and text without a word in it, lets everything pass."""


def parse_filter(given: Spelling, fields: Fields) -> Expression:
    """A bare text means `$eq`. Raises Invalid or OverLimit."""
    return _parse(given, fields, bare=Operator.EQ)


def parse_search(given: Spelling, fields: Fields) -> Expression:
    """A bare text means `$like`. Raises Invalid or OverLimit."""
    return _parse(given, fields, bare=Operator.LIKE)


def _parse(given: Spelling, fields: Fields, *, bare: Operator) -> Expression:
    if given is None:
        return EVERYTHING
    if not isinstance(given, str):
        return mapping.parse(given, fields, bare=bare)
    if len(given) > FILTER_CHARACTERS_MAX:
        raise OverLimit(f"a filter has at most {FILTER_CHARACTERS_MAX} characters")
    text = given.strip()
    if not text:
        return EVERYTHING
    if text.startswith("{"):
        return mapping.parse(_json(text), fields, bare=bare)
    return words.parse(given, fields, bare=bare)


def _json(text: str) -> JsonValue:
    try:
        found: JsonValue = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Invalid(
            f"the filter begins with {{ and is no JSON: {error}", {"wanted": "JSON"}
        ) from None
    return found
