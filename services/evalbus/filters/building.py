"""Counting while an expression is built, so that a filter bomb is refused at its fuse."""

from collections.abc import Sequence

from pydantic import JsonValue

from evalbus.errors import Invalid, OverLimit
from evalbus.filters.expression import Comparison, Operator
from evalbus.filters.fields import Fields
from evalbus.filters.limits import COMPARISONS_MAX, DEPTH_MAX, VALUES_MAX


class Builder:
    """Makes the comparisons of one filter."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._comparisons = 0

    def deeper(self, depth: int) -> int:
        if depth >= DEPTH_MAX:
            raise OverLimit(f"a filter is nested at most {DEPTH_MAX} deep")
        return depth + 1

    def comparison(self, field: str, operator: Operator, given: JsonValue) -> Comparison:
        """Raises Invalid for a field or value that cannot be, OverLimit for too many."""
        self._comparisons += 1
        if self._comparisons > COMPARISONS_MAX:
            raise OverLimit(f"a filter has at most {COMPARISONS_MAX} comparisons")
        path = self._fields.find(field)
        values = _listed(field, operator, given)
        return Comparison(
            field=path,
            operator=operator,
            values=tuple(self._fields.value(path, operator, value) for value in values),
        )


def _listed(field: str, operator: Operator, given: JsonValue) -> Sequence[JsonValue]:
    if operator not in (Operator.IN, Operator.NIN):
        return (given,)
    if not isinstance(given, list):
        raise Invalid(f"{field} {operator}: wanted a list", {"wanted": "a list"})
    if len(given) > VALUES_MAX:
        raise OverLimit(f"{field} {operator}: at most {VALUES_MAX} values")
    return given
