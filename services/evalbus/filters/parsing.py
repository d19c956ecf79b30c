"""From what a caller wrote to an expression: the door of the grammar."""

from collections.abc import Mapping

import orjson
from pydantic import JsonValue

from evalbus.errors import Invalid, OverLimit
from evalbus.filters import mapping, words
from evalbus.filters.expression import EVERYTHING, And, Expression, Operator
from evalbus.filters.fields import Fields
from evalbus.filters.limits import FILTER_CHARACTERS_MAX

Spelling = Mapping[str, JsonValue] | str | None


def parse_filter(given: Spelling, fields: Fields) -> Expression:
    """A bare value means `$eq`. Raises Invalid or OverLimit."""
    return _parse(given, fields, bare=Operator.EQ)


def parse_search(given: Spelling, fields: Fields) -> Expression:
    """A bare text means `$like`. Raises Invalid or OverLimit."""
    return _parse(given, fields, bare=Operator.LIKE)


def both(*expressions: Expression) -> Expression:
    return And(tuple(expressions))


def _parse(given: Spelling, fields: Fields, *, bare: Operator) -> Expression:
    if given is None or given == "":
        return EVERYTHING
    if not isinstance(given, str):
        return mapping.parse(given, fields, bare=bare)
    if len(given) > FILTER_CHARACTERS_MAX:
        raise OverLimit(f"a filter has at most {FILTER_CHARACTERS_MAX} characters")
    if not given.lstrip().startswith("{"):
        return words.parse(given, fields, bare=bare)
    try:
        found: JsonValue = orjson.loads(given)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"the filter begins with {{ and is no JSON: {error}") from None
    assert isinstance(found, dict), "what begins with { is an object"
    return mapping.parse(found, fields, bare=bare)
