"""A filter over results as a parameterized condition: no word of a caller ever becomes part of the text."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, assert_never

import orjson

from evalbus.filters import And, Comparison, Expression, FieldKind, Fields, Not, Operator, Or
from evalbus.filters.expression import FieldPath, Value
from evalbus_schemas.names import reference

RESULT_COLUMNS: Final[Mapping[str, str]] = {
    "id": "result.result_id::text",
    "name": "result.name",
    "workspace": "result.workspace",
    "benchmark": "result.benchmark",
    "dataset": "result.datasets",
    "datasets": "result.datasets",
    "model": "result.models",
    "models": "result.models",
    "metric": "result.metrics",
    "metrics": "result.metrics",
    "created_at": "result.created_at",
    "updated_at": "result.updated_at",
    "started_at": "result.started_at",
    "finished_at": "result.finished_at",
    "created_by": "result.created_by",
    "rows": "result.n_rows",
    "failed_rows": "result.n_failed",
    "labels": "result.labels",
}

STATISTIC_COLUMNS: Final[Mapping[str, str]] = {
    "count": "s.count",
    "nan_count": "s.nan_count",
    "n_rows": "(s.count + s.nan_count)",
    "n_failed": "s.n_failed",
    "sum": "s.sum",
    "mean": "s.mean",
    "min": "s.min",
    "max": "s.max",
    "variance": "s.variance",
    "std_dev": "s.std_dev",
    "mean_failures_as_worst": "s.mean_failures_as_worst",
}

ORDERS: Final[Mapping[Operator, str]] = {
    Operator.LT: "<",
    Operator.LTE: "<=",
    Operator.GT: ">",
    Operator.GTE: ">=",
}

CONTAINMENTS_MAX: Final = 16

ResultKind = Literal[
    FieldKind.TEXT,
    FieldKind.TEXTS,
    FieldKind.MOMENT,
    FieldKind.NUMBER,
    FieldKind.LABEL,
    FieldKind.SCORE,
]
"""What the fields of results are."""

# As answers write it.
MOMENT_AS_TEXT = """to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


class WhereClause:
    """Compiles expressions over the table `result`; what they compare with is appended to `parameters`."""

    def __init__(
        self,
        fields: Fields,
        columns: Mapping[str, str],
        parameters: Sequence[object],
        *,
        workspace: str,
    ) -> None:
        self._fields = fields
        self._columns = columns
        self._workspace = workspace
        self.parameters: list[object] = list(parameters)

    def of(self, expression: Expression) -> str:
        """A condition in parentheses; it may be NULL for false, as WHERE takes it."""
        match expression:
            case And(parts=parts):
                return _joined(" AND ", [self.of(part) for part in parts], "true")
            case Or(parts=parts):
                return _joined(" OR ", [self.of(part) for part in parts], "false")
            case Not(part=part):
                return _not(self.of(part))
            case Comparison():
                return f"({self._comparison(expression)})"
            case _:
                assert_never(expression)

    def _comparison(self, comparison: Comparison) -> str:
        field, values = comparison.field, comparison.values
        match comparison.operator:
            case Operator.EQ | Operator.IN:
                return self._within(field, values)
            case Operator.NIN:
                return _not(self._within(field, values))
            case Operator.LIKE | Operator.LT | Operator.LTE | Operator.GT | Operator.GTE:
                (value,) = values
                return self._compared(field, comparison.operator, value)
            case _:
                assert_never(comparison.operator)

    def _kind(self, field: FieldPath) -> ResultKind:
        kind = self._fields.kind(field)
        assert kind is not FieldKind.ITEM, "items are matched where they are read"
        return kind

    def _within(self, field: FieldPath, values: Sequence[Value]) -> str:
        there = [value for value in values if value is not None]
        parts = [self._equal(field, there)] if there else []
        if len(there) < len(values):
            parts.append(self._absent(field))
        return _joined(" OR ", parts, "false")

    def _absent(self, field: FieldPath) -> str:
        match self._kind(field):
            case FieldKind.TEXT | FieldKind.MOMENT | FieldKind.NUMBER:
                return f"{self._columns[field.name]} IS NULL"
            case FieldKind.TEXTS:
                return f"cardinality({self._columns[field.name]}) = 0"
            case FieldKind.LABEL:
                return f"{self._label(field)} IS NULL"
            case FieldKind.SCORE:
                return f"NOT {self._has_score(field, _statistic(field) + ' IS NOT NULL')}"

    def _equal(self, field: FieldPath, values: Sequence[Value]) -> str:
        match self._kind(field):
            case FieldKind.TEXT | FieldKind.MOMENT | FieldKind.NUMBER as kind:
                return self._one_of(self._columns[field.name], kind, values)
            case FieldKind.TEXTS:
                return f"{self._columns[field.name]} && {self._bound(values, 'text[]')}"
            case FieldKind.LABEL:
                return self._has_label(field, values)
            case FieldKind.SCORE as kind:
                return self._has_score(field, self._one_of(_statistic(field), kind, values))

    def _compared(self, field: FieldPath, operator: Operator, value: Value) -> str:
        match self._kind(field):
            case FieldKind.TEXT | FieldKind.MOMENT | FieldKind.NUMBER as kind:
                return self._ordered(self._columns[field.name], kind, operator, value)
            case FieldKind.TEXTS:
                one = self._ordered("one", FieldKind.TEXT, operator, value)
                column = self._columns[field.name]
                return f"EXISTS (SELECT 1 FROM unnest({column}) AS one WHERE {one})"  # noqa: S608 - columns and parameters
            case FieldKind.LABEL as kind:
                return self._ordered(self._label(field), kind, operator, value)
            case FieldKind.SCORE as kind:
                return self._has_score(
                    field, self._ordered(_statistic(field), kind, operator, value)
                )

    def _one_of(self, column: str, kind: ResultKind, values: Sequence[Value]) -> str:
        sql_type = _type(kind)
        if len(values) == 1:
            return f"{column} = {self._bound(values[0], sql_type)}"
        return f"{column} = ANY({self._bound(values, f'{sql_type}[]')})"

    def _ordered(self, column: str, kind: ResultKind, operator: Operator, value: Value) -> str:
        if operator is Operator.LIKE:
            if kind is FieldKind.MOMENT:
                column = MOMENT_AS_TEXT.format(column=column)
            return f"{column} ILIKE {self._bound(_anywhere(value), 'text')}"
        sql_type = _type(kind)
        # Texts by code points, whatever the language of the database.
        collation = ' COLLATE "C"' if sql_type == "text" else ""
        return f"{column}{collation} {ORDERS[operator]} {self._bound(value, sql_type)}"

    def _label(self, field: FieldPath) -> str:
        return f"({self._columns[field.name]} ->> {self._bound(field.rest, 'text')})"

    def _has_label(self, field: FieldPath, values: Sequence[Value]) -> str:
        """Only containment is found by the index, but one after another it is slow where nothing is found by it."""
        if len(values) > CONTAINMENTS_MAX:
            return self._one_of(self._label(field), FieldKind.LABEL, values)
        column = self._columns[field.name]
        labels = [orjson.dumps({field.rest: value}).decode() for value in values]
        held = [f"{column} @> {self._bound(label, 'jsonb')}" for label in labels]
        return _joined(" OR ", held, "false")

    def _has_score(self, field: FieldPath, condition: str) -> str:
        """True when one of the result's (dataset, model) pairs has such a value.

        A metric's name may have dots in it, so a path with dots can be cut into metric and score in several ways:
        the metrics that it can be about are looked up, and the whole decides.
        """
        path, _, _ = field.rest.rpartition(".")
        metrics = [
            self._qualified(path[:place])
            for place, character in enumerate(path)
            if character == "."
        ]
        whole = self._bound(self._qualified(path), "text")
        named = f"s.metric = {whole}"
        if metrics:
            one = self._bound([*metrics, self._qualified(path)], "text[]")
            named = f"s.metric = ANY({one}) AND ({named} OR s.metric || '.' || s.score = {whole})"
        found = f"SELECT s.result_no FROM result_score AS s WHERE {named} AND {condition}"  # noqa: S608 - columns and parameters
        return f"result.result_no IN ({found})"

    def _qualified(self, metric: str) -> str:
        """A metric can be named as it is inside the workspace, or as it stands in results."""
        return metric if "/" in metric else reference(self._workspace, metric)

    def _bound(self, value: object, type: str) -> str:
        self.parameters.append(value)
        return f"${len(self.parameters)}::{type}"


def _statistic(field: FieldPath) -> str:
    # Out of a closed set, for it becomes part of the text.
    return STATISTIC_COLUMNS[field.rest.rpartition(".")[2]]


def _joined(word: str, parts: Sequence[str], empty: str) -> str:
    return f"({word.join(parts)})" if parts else f"({empty})"


def _not(condition: str) -> str:
    """False and NULL alike become true."""
    return f"({condition} IS NOT TRUE)"


def _type(kind: ResultKind) -> str:
    match kind:
        case FieldKind.TEXT | FieldKind.TEXTS | FieldKind.LABEL:
            return "text"
        case FieldKind.MOMENT:
            return "timestamptz"
        case FieldKind.NUMBER | FieldKind.SCORE:
            return "float8"
        case _:
            assert_never(kind)


def _anywhere(value: Value) -> str:
    """The value literally: its own % and _ mean nothing."""
    assert isinstance(value, str), "only text is looked for so"
    escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
