"""Rows as a table: the item's fields, the answer, a column for each score, and why there is none."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from pydantic import JsonValue

from evalbus.characters import cut
from evalbus.writing.tables import Cell, Table
from evalbus_schemas.queries import Row

FIRST = ("dataset", "model", "row")
LAST = ("failed", "why")
OUTPUT = "output_text"
REST = "other fields"
CELL_CHARACTERS_MAX = 1000


@dataclass(frozen=True, kw_only=True)
class RowColumns:
    """The columns that some rows need; what other rows have beyond them comes as JSON in one more column."""

    fields: tuple[str, ...]
    scores: tuple[tuple[str, str], ...]
    """Metric and score, by name."""

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Self:
        named = ((m, s.name) for row in rows for m, scores in row.metrics.items() for s in scores)
        return cls(
            fields=tuple(dict.fromkeys(name for row in rows for name in row.item)),
            scores=tuple(dict.fromkeys(named)),
        )

    @property
    def header(self) -> tuple[str, ...]:
        metrics = [metric for metric, _ in self.scores]
        scores = [
            short(metric) if metrics.count(metric) == 1 else f"{short(metric)}:{score}"
            for metric, score in self.scores
        ]
        taken = {*FIRST, OUTPUT, *scores, *LAST, REST}
        fields = [f"item.{name}" if name in taken else name for name in self.fields]
        return (*FIRST, *fields, OUTPUT, *scores, *LAST)

    def line(self, row: Row) -> tuple[Cell, ...]:
        values = {(m, s.name): s.value for m, scores in row.metrics.items() for s in scores}
        reasons = "; ".join(f"{metric}: {why}" for metric, why in (row.metric_errors or {}).items())
        return (
            short(row.dataset),
            short(row.model),
            row.row_id,
            *(_text(row.item.get(name)) for name in self.fields),
            _text(row.sample.get(OUTPUT)),
            *(values.get(score) for score in self.scores),
            "yes" if row.failed else "",
            reasons,
        )

    def rest(self, row: Row) -> Cell:
        """The item's fields that have no column; None when there are none."""
        left = {name: value for name, value in row.item.items() if name not in self.fields}
        return _text(left) if left else None


def rows_table(rows: Sequence[Row]) -> Table:
    """To be looked at: long texts are cut, which lines of JSON and CSV have whole."""
    columns = RowColumns.of(rows)
    return Table(columns=columns.header, rows=[tuple(map(_cut, columns.line(row))) for row in rows])


def _cut(cell: Cell) -> Cell:
    return cut(cell, CELL_CHARACTERS_MAX) if isinstance(cell, str) else cell


def short(reference: str) -> str:
    """The name without its workspace."""
    return reference.partition("/")[2]


def _text(value: JsonValue) -> Cell:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
