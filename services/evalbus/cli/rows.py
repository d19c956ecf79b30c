"""Scored rows on standard output: lines of JSON or CSV, however many there are, or a table of the first ones."""

import json
from collections.abc import AsyncIterator, Callable, Iterable

from pydantic import JsonValue

from evalbus.cli.output import Cell, Style, Table, csv_writer, note, write_table, write_text
from evalbus_schemas.queries import Row, RowPage

Pages = AsyncIterator[RowPage]


async def write_json_lines(pages: Pages) -> None:
    """A document a line, as the rows come."""
    last: RowPage | None = None
    async for page in pages:
        for row in page.rows:
            write_text(row.model_dump_json())
        last = page
    _tell_the_rest(last)


async def write_csv(ask: Callable[[], Pages]) -> None:
    """The header names the fields of all rows, so they are gone through twice: memory holds fewer than a disk."""
    columns = RowColumns()
    async for page in ask():
        columns.note(page.rows)
    write_line = csv_writer()
    write_line(columns.names)
    last: RowPage | None = None
    async for page in ask():
        for row in page.rows:
            write_line(columns.line(row))
        last = page
    _tell_the_rest(last)


async def write_rows_table(pages: Pages, style: Style) -> None:
    found: list[Row] = []
    last: RowPage | None = None
    async for page in pages:
        found.extend(page.rows)
        last = page
    write_table(rows_table(found), style)
    _tell_the_rest(last)


def _tell_the_rest(last: RowPage | None) -> None:
    """Where the next row is when a limit left some, and that more may come when the job has not completed."""
    if last is None:
        return
    if last.next is not None:
        note(f"there are more rows: --after {last.next}")
    if last.partial:
        note("partial: the job has not completed")


def rows_table(rows: Iterable[Row]) -> Table:
    found = list(rows)
    columns = RowColumns()
    columns.note(found)
    return Table(columns=columns.names, rows=[columns.line(row) for row in found])


class RowColumns:
    """The item's fields, the answer, and a column for each score; grows with the rows it is shown."""

    def __init__(self) -> None:
        self._fields: dict[str, None] = {}
        self._scores: dict[tuple[str, str], None] = {}

    def note(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._fields |= dict.fromkeys(row.item)
            for metric, scores in row.metrics.items():
                self._scores |= dict.fromkeys((metric, score.name) for score in scores)

    @property
    def names(self) -> tuple[str, ...]:
        several = {
            metric
            for metric, _ in self._scores
            if sum(metric == other for other, _ in self._scores) > 1
        }
        scores = [
            f"{_name(metric)}:{score}" if metric in several else _name(metric)
            for metric, score in self._scores
        ]
        return ("dataset", "model", "row", *self._fields, "output", *scores, "failed", "why")

    def line(self, row: Row) -> tuple[Cell, ...]:
        values = {
            (metric, score.name): score.value
            for metric, scores in row.metrics.items()
            for score in scores
        }
        reasons = "; ".join(f"{metric}: {why}" for metric, why in (row.metric_errors or {}).items())
        return (
            _name(row.dataset),
            _name(row.model),
            row.row_id,
            *(_text(row.item.get(name)) for name in self._fields),
            _text(row.sample.get("output_text")),
            *(values.get(score) for score in self._scores),
            "yes" if row.failed else "",
            reasons,
        )


def _name(reference: str) -> str:
    return reference.partition("/")[2]


def _text(value: JsonValue) -> Cell:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
