"""Making the parts of a filter and counting them, so that a bomb is refused while its fuse still burns."""

from collections.abc import Sequence

from pydantic import JsonValue

from evalbus.errors import Invalid, OverLimit
from evalbus.filters.expression import Comparison, FieldPath, Operator
from evalbus.filters.fields import FieldKind, Fields
from evalbus.filters.limits import COMPARISONS_MAX, DEPTH_MAX, PARTS_MAX, VALUES_MAX
from evalbus.filters.showing import shown
from evalbus.filters.values import typed


class Builder:
    """For one filter, whichever way it is spelt."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._parts = 0
        self._comparisons = 0
        self._values = 0

    def inside(self, depth: int) -> int:
        """The depth of what stands inside; raises OverLimit."""
        if depth >= DEPTH_MAX:
            raise OverLimit(f"a filter is nested at most {DEPTH_MAX} deep")
        self._parts += 1
        if self._parts > PARTS_MAX:
            raise OverLimit(f"a filter has at most {PARTS_MAX} parts")
        return depth + 1

    def field(self, text: str) -> FieldPath:
        """Raises Invalid that lists the known ones."""
        return self._fields.find(text)

    def kind(self, field: FieldPath) -> FieldKind:
        return self._fields.kind(field)

    def comparison(self, field: FieldPath, operator: Operator, given: JsonValue) -> Comparison:
        """Raises Invalid for a value that cannot be, OverLimit for one too many."""
        self._comparisons += 1
        if self._comparisons > COMPARISONS_MAX:
            raise OverLimit(f"a filter has at most {COMPARISONS_MAX} comparisons")
        kind = self._fields.kind(field)
        values = self._listed(field, operator, given)
        return Comparison(
            field=field,
            operator=operator,
            values=tuple(typed(field, kind, operator, value) for value in values),
        )

    def _listed(
        self, field: FieldPath, operator: Operator, given: JsonValue
    ) -> Sequence[JsonValue]:
        if operator not in (Operator.IN, Operator.NIN):
            return (given,)
        if not isinstance(given, list):
            raise Invalid(
                f"{field} {operator}: wanted a list, found {shown(given)}",
                {"wanted": "a list", "found": shown(given)},
            )
        self._values += len(given)
        if self._values > VALUES_MAX:
            raise OverLimit(f"the lists of a filter have at most {VALUES_MAX} values together")
        return given
