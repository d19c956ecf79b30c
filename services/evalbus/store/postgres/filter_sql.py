"""A filter as a parameterized WHERE clause: no word of a caller ever becomes part of the text."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import assert_never

from evalbus.filters import And, Comparison, Expression, FieldKind, Fields, Not, Operator, Or
from evalbus.filters.expression import Value

OPERATORS = {
    Operator.LT: "<",
    Operator.LTE: "<=",
    Operator.GT: ">",
    Operator.GTE: ">=",
    Operator.EQ: "=",
}


class WhereClause:
    """Compiles expressions over the columns of one table; the parameters grow behind those that are there."""

    def __init__(
        self, fields: Fields, columns: Mapping[str, str], parameters: Sequence[object]
    ) -> None:
        self._fields = fields
        self._columns = columns
        self.parameters: list[object] = list(parameters)

    def of(self, expression: Expression) -> str:
        """Two-valued: never NULL, so that NOT turns a comparison with nothing into true."""
        match expression:
            case And(parts=parts):
                return _joined(" AND ", [self.of(part) for part in parts], "true")
            case Or(parts=parts):
                return _joined(" OR ", [self.of(part) for part in parts], "false")
            case Not(part=part):
                return f"NOT {self.of(part)}"
            case Comparison():
                return f"coalesce({self._comparison(expression)}, false)"
            case _:
                assert_never(expression)

    def _comparison(self, comparison: Comparison) -> str:
        kind = self._fields.kind(comparison.field)
        if comparison.operator is Operator.NIN:
            within = self._within(comparison, kind)
            return f"NOT coalesce({within}, false)"
        if comparison.operator is Operator.IN:
            return self._within(comparison, kind)
        (value,) = comparison.values
        return self._single(comparison, kind, value)

    def _within(self, comparison: Comparison, kind: FieldKind) -> str:
        equal = [
            f"coalesce({self._single(comparison, kind, value, Operator.EQ)}, false)"
            for value in comparison.values
        ]
        return _joined(" OR ", equal, "false")

    def _single(
        self,
        comparison: Comparison,
        kind: FieldKind,
        value: Value,
        operator: Operator | None = None,
    ) -> str:
        operator = operator or comparison.operator
        match kind:
            case FieldKind.TEXT | FieldKind.MOMENT | FieldKind.NUMBER:
                column = self._columns[comparison.field.name]
                return self._scalar(column, kind, operator, value)
            case FieldKind.TEXTS:
                return self._texts(self._columns[comparison.field.name], operator, value)
            case FieldKind.LABEL:
                return self._label(comparison, operator, value)
            case FieldKind.SCORE:
                return self._score(comparison, operator, value)
            case _:
                assert_never(kind)

    def _scalar(self, column: str, kind: FieldKind, operator: Operator, value: Value) -> str:
        if value is None:
            return f"{column} IS NULL"
        if operator is Operator.LIKE:
            return f"{column} ILIKE {self._bound(_contains(value), 'text')}"
        if kind is FieldKind.TEXT:
            # By code points, whatever the database's language.
            collation = "" if operator is Operator.EQ else ' COLLATE "C"'
            return f"{column}{collation} {OPERATORS[operator]} {self._bound(value, 'text')}"
        return f"{column} {OPERATORS[operator]} {self._bound(value, _type_of(value))}"

    def _texts(self, column: str, operator: Operator, value: Value) -> str:
        if value is None:
            return f"cardinality({column}) = 0"
        if operator is Operator.EQ:
            return f"{column} @> ARRAY[{self._bound(value, 'text')}]"
        one = self._scalar("one", FieldKind.TEXT, operator, value)
        return f"EXISTS (SELECT 1 FROM unnest({column}) AS one WHERE {one})"

    def _label(self, comparison: Comparison, operator: Operator, value: Value) -> str:
        column = self._columns[comparison.field.name]
        key = self._bound(comparison.field.rest, "text")
        if operator is Operator.EQ and value is not None:
            return f"{column} @> jsonb_build_object({key}, {self._bound(value, 'text')})"
        return self._scalar(f"({column} ->> {key})", FieldKind.TEXT, operator, value)

    def _score(self, comparison: Comparison, operator: Operator, value: Value) -> str:
        """True when one of the result's (dataset, model) pairs has such a value."""
        metric, _, statistic = comparison.field.rest.rpartition(".")
        names = [f"s.metric = result.workspace || '/' || {self._bound(metric, 'text')}"]
        for at, character in enumerate(metric):
            # A name may have dots in it: every way to cut the path into metric and score is looked up.
            if character == ".":
                names.append(
                    f"(s.metric = result.workspace || '/' || {self._bound(metric[:at], 'text')}"
                    f" AND s.score = {self._bound(metric[at + 1 :], 'text')})"
                )
        found = (
            "SELECT 1 FROM result_score AS s WHERE s.result_no = result.result_no"
            f" AND {_joined(' OR ', names, 'false')}"
        )
        if value is None:
            return f"NOT EXISTS ({found} AND s.{statistic} IS NOT NULL)"
        condition = self._scalar(f"s.{statistic}", FieldKind.NUMBER, operator, value)
        return f"EXISTS ({found} AND {condition})"

    def _bound(self, value: object, type: str) -> str:
        self.parameters.append(value)
        return f"${len(self.parameters)}::{type}"


def _joined(word: str, parts: Sequence[str], empty: str) -> str:
    return f"({word.join(parts)})" if parts else empty


def _type_of(value: Value) -> str:
    return "timestamptz" if isinstance(value, datetime) else "float8"


def _contains(value: Value) -> str:
    """The value literally, anywhere: its own % and _ mean nothing."""
    assert isinstance(value, str), "only text is compared so"
    escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
