"""From a value as it was written to one of the field's own type."""

import math
from datetime import UTC, datetime

from pydantic import JsonValue

from evalbus.errors import Invalid
from evalbus.filters.expression import FieldPath, Operator, Value
from evalbus.filters.fields import NUMBERS, FieldKind
from evalbus.filters.limits import TEXT_CHARACTERS_MAX
from evalbus.filters.showing import is_storable, shown

WITH_NULL = frozenset({Operator.EQ, Operator.IN, Operator.NIN})
"""What asks whether two values are the same, and so takes those that have no order."""


def typed(field: FieldPath, kind: FieldKind, operator: Operator, given: JsonValue) -> Value:
    """Raises Invalid that names field and operator, and says what was wanted and found."""
    if given is None:
        if operator in WITH_NULL:
            return None
        raise _unfit(field, operator, "something to compare with", given)
    if kind is FieldKind.ITEM:
        return _of_an_item(field, operator, given)
    if kind in NUMBERS:
        if operator is Operator.LIKE:
            raise _unfit(field, operator, "another operator, for it is a number", given)
        return float(_number(field, operator, given))
    # `$like` sees a moment as text, as it is written in answers: "2026-01" is a month.
    if kind is FieldKind.MOMENT and operator is not Operator.LIKE:
        return _moment(field, operator, given)
    return _text(field, operator, given)


def _of_an_item(field: FieldPath, operator: Operator, given: JsonValue) -> Value:
    """It keeps its type, for only what has the same type is compared with it."""
    match given:
        case str():
            return _text(field, operator, given)
        case _ if operator is Operator.LIKE:
            raise _unfit(field, operator, "text", given)
        case bool() if operator in WITH_NULL:
            return given
        case bool():
            raise _unfit(field, operator, "a number or text, which have an order", given)
        case int() | float():
            return _number(field, operator, given)
        case _:
            raise _unfit(field, operator, "text, a number, true, false or null", given)


def _number(field: FieldPath, operator: Operator, given: JsonValue) -> float:
    # To Python a bool is a number.
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise _unfit(field, operator, "a number", given)
    try:
        fits = math.isfinite(float(given))
    except OverflowError:
        fits = False
    if not fits:
        raise _unfit(field, operator, "a number that a double can hold", given)
    return given


def _moment(field: FieldPath, operator: Operator, given: JsonValue) -> datetime:
    """Without an offset it is UTC; with one, the offset counts; a date is its first moment."""
    wanted = "a date or time like 2026-01-31T18:30:00+02:00"
    if not isinstance(given, str) or len(given) > TEXT_CHARACTERS_MAX:
        raise _unfit(field, operator, wanted, given)
    try:
        found = datetime.fromisoformat(given)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _unfit(field, operator, wanted, given) from None


def _text(field: FieldPath, operator: Operator, given: JsonValue) -> str:
    if not isinstance(given, str):
        raise _unfit(field, operator, "text", given)
    if len(given) > TEXT_CHARACTERS_MAX:
        raise _unfit(field, operator, f"at most {TEXT_CHARACTERS_MAX} characters", given)
    if not is_storable(given):
        raise _unfit(field, operator, "text without NUL and without half characters", given)
    return given


def _unfit(field: FieldPath, operator: Operator, wanted: str, given: JsonValue) -> Invalid:
    hint = " ($in takes a list)" if isinstance(given, list) else ""
    found = shown(given)
    return Invalid(
        f"{field} {operator}: wanted {wanted}, found {found}{hint}",
        {"wanted": wanted, "found": found},
    )
