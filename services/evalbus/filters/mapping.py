"""Filters as mappings: `{"name": "a"}`, `{"created_at": {"$gt": "2026-01-01"}}`, `{"$or": [{…}, {…}]}`.

Fields side by side go together with `and`, as do operators side by side. `$and`, `$or` and `$not` stand alone, around
whole filters or inside a field: `{"name": {"$not": {"$like": "old"}}}`.
"""

from collections.abc import Callable, Mapping

from pydantic import JsonValue

from evalbus.errors import Invalid, OverLimit, unknown
from evalbus.filters.building import Builder
from evalbus.filters.expression import And, Expression, Not, Operator, Or
from evalbus.filters.fields import Fields
from evalbus.filters.limits import COMPARISONS_MAX
from evalbus.filters.showing import sendable, shown

LOGICAL = ("$and", "$or", "$not")
OPERATORS = {operator.value: operator for operator in Operator}


def parse(
    given: JsonValue | Mapping[str, JsonValue], fields: Fields, *, bare: Operator
) -> Expression:
    """A bare text is compared with `bare`, any other bare value with `$eq`. Raises Invalid or OverLimit."""
    return _Mapping(Builder(fields), bare).filter(given, 0)


class _Mapping:
    def __init__(self, build: Builder, bare: Operator) -> None:
        self._build = build
        self._bare = bare

    def filter(self, given: JsonValue | Mapping[str, JsonValue], depth: int) -> Expression:
        inside = self._build.inside(depth)
        if not isinstance(given, Mapping):
            raise _unfit("a filter", "an object", given)
        logical = _lone_operator(given, "the filter")
        if logical is not None:
            return self._logical(
                logical, given[logical], logical, lambda part: self.filter(part, inside)
            )
        return _together([self._field(name, wanted, inside) for name, wanted in given.items()])

    def _field(self, name: str, wanted: JsonValue, depth: int) -> Expression:
        """A bare value, or operators."""
        if name.startswith("$"):
            raise unknown("operator", sendable(name), LOGICAL, where="the filter")
        field = self._build.field(name)
        if not isinstance(wanted, dict):
            operator = self._bare if isinstance(wanted, str) else Operator.EQ
            return self._build.comparison(field, operator, wanted)
        logical = _lone_operator(wanted, name)
        if logical is not None:
            inside = self._build.inside(depth)
            place = f"{name} {logical}"
            return self._logical(
                logical, wanted[logical], place, lambda part: self._field(name, part, inside)
            )
        if not wanted:
            raise Invalid(f"{name}: an empty object compares nothing")
        return _together(
            [
                self._build.comparison(field, _operator(key, name), value)
                for key, value in wanted.items()
            ]
        )

    def _logical(
        self, operator: str, given: JsonValue, place: str, parse: Callable[[JsonValue], Expression]
    ) -> Expression:
        if operator == "$not":
            return Not(parse(given))
        if not isinstance(given, list):
            raise _unfit(place, "a list", given)
        parts = tuple(parse(part) for part in given)
        return And(parts) if operator == "$and" else Or(parts)


def _lone_operator(given: Mapping[str, JsonValue], place: str) -> str | None:
    """The logical operator that it consists of, if it has one; raises Invalid if anything stands beside it."""
    if len(given) > COMPARISONS_MAX:
        raise OverLimit(f"{place} has at most {COMPARISONS_MAX} comparisons")
    for key in given:
        # A mapping made by a program may have any keys, whatever its type says.
        if not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise _unfit(place, "keys that are text", key)
    for operator in LOGICAL:
        if operator in given:
            if len(given) > 1:
                raise Invalid(f"{place} mixes a logical operator with sibling keys: {operator}")
            return operator
    return None


def _operator(key: str, field: str) -> Operator:
    if key not in OPERATORS:
        raise unknown("operator", sendable(key), [*OPERATORS, *LOGICAL], where=field)
    return OPERATORS[key]


def _together(parts: list[Expression]) -> Expression:
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _unfit(place: str, wanted: str, given: object) -> Invalid:
    found = shown(given)
    return Invalid(f"{place}: wanted {wanted}, found {found}", {"wanted": wanted, "found": found})
