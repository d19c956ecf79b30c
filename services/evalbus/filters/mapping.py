"""Filters as mappings: `{"name": "a"}`, `{"created_at": {"$gt": "2026-01-01"}}`, `{"$or": [{…}, {…}]}`."""

from collections.abc import Callable, Mapping

from pydantic import JsonValue

from evalbus.errors import Invalid, unknown
from evalbus.filters.building import Builder
from evalbus.filters.expression import And, Expression, Not, Operator, Or
from evalbus.filters.fields import Fields

LOGICAL = ("$and", "$or", "$not")
OPERATORS = {operator.value: operator for operator in Operator}


def parse(given: Mapping[str, JsonValue], fields: Fields, *, bare: Operator) -> Expression:
    return _Mapping(fields, bare).any(given, 0)


class _Mapping:
    def __init__(self, fields: Fields, bare: Operator) -> None:
        self._build = Builder(fields)
        self._bare = bare

    def any(self, given: JsonValue | Mapping[str, JsonValue], depth: int) -> Expression:
        """Several fields go together with `and`."""
        depth = self._build.deeper(depth)
        if not isinstance(given, Mapping):
            raise Invalid(f"a filter is an object, not {given!r:.60}")
        logical = [key for key in given if key in LOGICAL]
        if logical:
            if len(given) > 1:
                raise Invalid(f"{logical[0]} mixes a logical operator with sibling keys")
            return self._logical(logical[0], given[logical[0]], lambda part: self.any(part, depth))
        for key in given:
            if key.startswith("$"):
                raise unknown("operator", key, LOGICAL)
        return And(tuple(self._field(name, wanted, depth) for name, wanted in given.items()))

    def _field(self, name: str, wanted: JsonValue, depth: int) -> Expression:
        """A bare value, or operators that go together with `and`."""
        depth = self._build.deeper(depth)
        if not isinstance(wanted, dict):
            is_text = isinstance(wanted, str)
            return self._build.comparison(name, self._bare if is_text else Operator.EQ, wanted)
        parts: list[Expression] = []
        for key, value in wanted.items():
            if key in LOGICAL:
                if len(wanted) > 1:
                    raise Invalid(f"{name}: {key} mixes a logical operator with sibling keys")
                return self._logical(key, value, lambda part: self._field(name, part, depth))
            operator = OPERATORS.get(key)
            if operator is None:
                raise unknown("operator", key, [*OPERATORS, *LOGICAL], where=name)
            parts.append(self._build.comparison(name, operator, value))
        if not parts:
            raise Invalid(f"{name}: an empty object compares nothing")
        return And(tuple(parts))

    def _logical(
        self, operator: str, given: JsonValue, parse: Callable[[JsonValue], Expression]
    ) -> Expression:
        if operator == "$not":
            return Not(parse(given))
        if not isinstance(given, list):
            raise Invalid(f"{operator}: wanted a list of filters")
        parts = tuple(parse(part) for part in given)
        return And(parts) if operator == "$and" else Or(parts)
