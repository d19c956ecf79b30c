"""Markdown as GitHub and its likes read it; no text becomes markup, whoever wrote it."""

import re
from collections.abc import Iterable
from typing import Final

from evalbus.writing.tables import Table, printable, shown

SIGNS: Final = str.maketrans(
    {sign: f"\\{sign}" for sign in "\\|`*<[]~&$"}
    # A word joiner, which nobody sees: no escape keeps a name behind an @ from being told of it.
    | {"\n": " ", "\r": " ", "\t": " ", "@": "@\u2060"}
)
"""What would end a cell or be taken for markup, a backslash included: it would undo the escape that follows."""
EMPHASIS: Final = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
"""Inside of a word it is an underscore."""
BEGINNINGS: Final = re.compile(r"^(\s*)(?:([#>+=-])|(\d+)([.)]))")
"""What makes a line a heading, a quotation, a rule or an entry of a list."""


def escaped(text: str) -> str:
    """Text for a cell, or for the middle of a line, as it is read."""
    return EMPHASIS.sub(r"\\_", printable(text).translate(SIGNS))


def paragraph(text: str) -> str:
    """The same for a line of its own."""
    return BEGINNINGS.sub(
        lambda found: (
            rf"{found[1]}\{found[2]}" if found[2] else rf"{found[1]}{found[3]}\{found[4]}"
        ),
        escaped(text),
    )


def table_lines(table: Table) -> list[str]:
    right = [table.is_numeric(place) for place in range(len(table.columns))]
    return [
        _line(table.columns),
        "|" + "|".join(" ---: " if each else " --- " for each in right) + "|",
        *(_line(shown(cell) for cell in row) for row in table.rows),
    ]


def as_markdown(table: Table) -> str:
    return "\n".join(table_lines(table))


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(escaped(cell) for cell in cells) + " |"
