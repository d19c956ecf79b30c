"""A report as Markdown that renders where it is pasted: nothing but headings, paragraphs, lists and tables."""

from collections.abc import Iterator
from typing import assert_never

from evalbus.reporting.parts import Columns, Figures, Heading, Part, Report, Sentences
from evalbus.writing.markdown import escaped, paragraph, table_lines
from evalbus.writing.tables import Bar, Cell, Table


def as_markdown(report: Report) -> str:
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {escaped(report.title)}"
    if report.notice:
        yield from ("", f"> **{escaped(report.notice)}**")
    for section in report.sections:
        yield from ("", f"## {escaped(section.title)}")
        for part in section.parts:
            yield ""
            yield from _part(part)


def _part(part: Part) -> Iterator[str]:
    match part:
        case Heading():
            yield f"### {escaped(part.text)}"
        case Sentences(texts=(text,)):
            yield paragraph(text)
        case Sentences():
            yield from (f"- {paragraph(text)}" for text in part.texts)
        case Figures():
            yield from _table(part.caption, part.table)
            if part.left_out:
                yield from ("", f"{part.left_out} more lines had no room.")
        case Columns():
            yield from _table(part.caption, _as_table(part))
        case _:
            assert_never(part)


def _table(caption: str, table: Table) -> Iterator[str]:
    yield from (f"**{escaped(caption)}**", "", *table_lines(table))


def _as_table(part: Columns) -> Table:
    """Lying on their side; empty ones at most between others, for a score of yes or no has but two."""
    counts = [column.count for column in part.columns]
    most = max(counts)
    full = [column for column in part.columns if column.count]
    rows: list[tuple[Cell, ...]] = [
        (column.label, Bar(column.count / most) if most else None, column.count)
        for column in (full if len(full) <= 2 else part.columns)
    ]
    return Table(columns=("values", "", "rows"), rows=rows)
