"""A filter over items as a plain function, for it is asked about every row: what it means, worked out in memory.

Text is compared with text and a number with a number; what is of another type is neither the same nor before or behind.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, assert_never

from pydantic import JsonValue

from evalbus.filters.expression import And, Comparison, Expression, Not, Operator, Or, Value
from evalbus.filters.items import ItemPath
from evalbus_schemas.base import JsonObject

Predicate: TypeAlias = Callable[[JsonObject], bool]
Fits: TypeAlias = Callable[[JsonValue], bool]
"""Of a single value, which is never null and never a list."""

ORDERS: Final[dict[Operator, Callable[[Any, Any], bool]]] = {
    Operator.LT: operator.lt,
    Operator.LTE: operator.le,
    Operator.GT: operator.gt,
    Operator.GTE: operator.ge,
}


def predicate(expression: Expression) -> Predicate:
    """Of an expression over ITEM_FIELDS: True for an item that it lets pass. It never raises."""
    match expression:
        case And(parts):
            every = [predicate(part) for part in parts]
            return lambda item: all(part(item) for part in every)
        case Or(parts):
            some = [predicate(part) for part in parts]
            return lambda item: any(part(item) for part in some)
        case Not(part):
            return _not(predicate(part))
        case Comparison():
            return _comparison(expression)
        case _:
            assert_never(expression)


def _not(part: Predicate) -> Predicate:
    return lambda item: not part(item)


def _comparison(comparison: Comparison) -> Predicate:
    path, values = ItemPath(comparison.field.rest), comparison.values
    match comparison.operator:
        case Operator.EQ | Operator.IN:
            return _within(path, values)
        case Operator.NIN:
            return _not(_within(path, values))
        case Operator.LIKE:
            (part,) = values
            return _any(path, _contains(part))
        case Operator.LT | Operator.LTE | Operator.GT | Operator.GTE as order:
            (limit,) = values
            return _any(path, _ordered(order, limit))
        case _:
            assert_never(comparison.operator)


def _any(path: ItemPath, fits: Fits) -> Predicate:
    def holds(item: JsonObject) -> bool:
        # A loop, because any() over a generator takes twice as long.
        for value in path.values(item):  # noqa: SIM110
            if fits(value):
                return True
        return False

    return holds


def _within(path: ItemPath, values: Sequence[Value]) -> Predicate:
    is_one_of = _any(path, _one_of([value for value in values if value is not None]))
    if None not in values:
        return is_one_of
    has_any = _any(path, lambda _: True)
    return lambda item: is_one_of(item) or not has_any(item)


def _one_of(values: Sequence[Value]) -> Fits:
    # To Python 1 and True are the same, and so they cannot be in one set.
    truths = frozenset(value for value in values if isinstance(value, bool))
    others = frozenset(value for value in values if not isinstance(value, bool))

    def fits(value: JsonValue) -> bool:
        if isinstance(value, bool):
            return value in truths
        # Of what is left only an object cannot be in a set.
        return not isinstance(value, dict) and value in others

    return fits


def _contains(part: Value) -> Fits:
    assert isinstance(part, str), "only text is looked for so"
    wanted = part.casefold()
    return lambda value: isinstance(value, str) and wanted in value.casefold()


def _ordered(order: Operator, limit: Value) -> Fits:
    compare = ORDERS[order]
    if isinstance(limit, str):
        # Python, too, orders texts by code points.
        return lambda value: isinstance(value, str) and compare(value, limit)
    return lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and compare(value, limit)
    )
