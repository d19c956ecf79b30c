"""What a report is made of, before anybody decides how it looks: sections of sentences, tables and columns.

Every text is plain: who writes it down as Markdown or HTML sees to it that it stays that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from evalbus.writing.tables import Table

LINES_MAX: Final = 200
"""Of one table; whoever wants all of them asks for JSON or CSV."""


@dataclass(frozen=True, kw_only=True)
class Heading:
    """Of what follows, inside of a section."""

    kind: ClassVar = "heading"
    text: str


@dataclass(frozen=True, kw_only=True)
class Sentences:
    """One is a paragraph, several are a list."""

    kind: ClassVar = "sentences"
    texts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A table and what it shows; `left_out` lines had no room."""

    kind: ClassVar = "figures"
    caption: str
    table: Table
    left_out: int = 0

    @classmethod
    def of(cls, caption: str, table: Table) -> Self:
        return cls(
            caption=caption,
            table=Table(columns=table.columns, rows=table.rows[:LINES_MAX]),
            left_out=max(0, len(table.rows) - LINES_MAX),
        )


@dataclass(frozen=True, kw_only=True)
class Column:
    """How many rows lie between two values."""

    label: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Columns:
    """How the values of one score are spread."""

    kind: ClassVar = "columns"
    caption: str
    columns: tuple[Column, ...]


Part = Heading | Sentences | Figures | Columns


@dataclass(frozen=True, kw_only=True)
class Section:
    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """`notice` stands above everything else, where this is not all that there is to say."""

    title: str
    notice: str | None
    sections: tuple[Section, ...]


def sentences(*texts: str) -> Sequence[Part]:
    """None where nobody has anything to say."""
    said = tuple(text for text in texts if text)
    return [Sentences(texts=said)] if said else []


def figures(caption: str, table: Table) -> Sequence[Part]:
    """None for a table without lines."""
    return [Figures.of(caption, table)] if table.rows else []
