"""Scored rows on standard output: lines of JSON or CSV, however many there are, or a table of the first ones."""

from collections.abc import AsyncIterator

from evalbus.cli.output import Style, note, write_csv, write_table, write_text
from evalbus.cli.row_table import REST, RowColumns, rows_table
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


async def write_csv_lines(pages: Pages) -> None:
    """As the rows come, therefore with the columns of the first page and one for whatever comes later."""
    columns: RowColumns | None = None
    last: RowPage | None = None
    async for page in pages:
        if columns is None:
            columns = RowColumns.of(page.rows)
            write_csv([(*columns.header, REST)])
        write_csv([(*columns.line(row), columns.rest(row)) for row in page.rows])
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
