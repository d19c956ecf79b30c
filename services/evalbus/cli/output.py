"""Data to standard output: as a table for people, Markdown, CSV, or one JSON document. Everything else to standard error."""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Annotated, Any, assert_never

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from evalbus.cli.exits import Exit
from evalbus.exporting.cells import neutralised
from evalbus.writing.markdown import as_markdown
from evalbus.writing.tables import Cell, Table, printable, shown

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON document.")]
MarkdownFlag = Annotated[bool, typer.Option("--md", help="A Markdown table.")]
CsvFlag = Annotated[bool, typer.Option("--csv", help="Comma-separated, with a header.")]

WIDE = 100_000


class Style(Enum):
    TABLE = "table"
    JSON = "json"
    MARKDOWN = "md"
    CSV = "csv"


def chosen(*, as_json: bool = False, as_markdown: bool = False, as_csv: bool = False) -> Style:
    """The one that was asked for; asking for two is a wrong argument."""
    flags = {Style.JSON: as_json, Style.MARKDOWN: as_markdown, Style.CSV: as_csv}
    asked = [style for style, flag in flags.items() if flag]
    if len(asked) > 1:
        raise typer.BadParameter("choose one of --json, --md and --csv")
    return asked[0] if asked else Style.TABLE


def note(text: str) -> None:
    """A sentence for the person at the terminal."""
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def error_note(text: str) -> None:
    note(f"evalbus: {text}")


def write_text(text: str) -> None:
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def write_document(document: object) -> None:
    """One JSON document; models and their fields as on the wire."""
    write_text(json.dumps(document, default=_as_json, ensure_ascii=False, indent=2))


def write_line(document: object) -> None:
    """One JSON document on a line of its own, seen at once."""
    write_text(json.dumps(document, default=_as_json, ensure_ascii=False))
    sys.stdout.flush()


def write_table(table: Table, style: Style) -> None:
    match style:
        case Style.TABLE:
            _write_terminal(table)
        case Style.MARKDOWN:
            write_text(as_markdown(table))
        case Style.CSV:
            write_csv([table.columns, *table.rows])
        case Style.JSON:
            write_document([dict(zip(table.columns, row, strict=True)) for row in table.rows])
        case _:
            assert_never(style)


def write_csv(rows: Iterable[Sequence[Cell]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerows([_csv_cell(cell) for cell in row] for row in rows)


def _as_json(value: object) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} in a document")


def _write_terminal(table: Table) -> None:
    # A pipe has no width: cutting names to 80 columns would lose data.
    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    drawn = RichTable(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(table.columns):
        is_number = table.is_numeric(place)
        # As Text: a plain string would be read as markup, and a column may be called what a dataset's author likes.
        header = Text(printable(column))
        drawn.add_column(header, justify="right" if is_number else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(shown(cell)) for cell in row))
    console.print(drawn)


def _csv_cell(cell: Cell) -> Cell:
    return neutralised(cell) if isinstance(cell, str) else cell


def leave(code: Exit) -> None:
    """End the command with this exit code; nothing follows when it is OK."""
    if code is not Exit.OK:
        raise typer.Exit(code)
