"""A table as its readers think of it: named columns, and cells that know how people want to see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

Cell = str | int | float | None

BAR_WIDTH: Final = 20
JOINERS: Final = "\u200c\u200d"
"""Between the parts of one sign, such as a family; they steer nothing."""


class Change(float):
    """A difference: people see its sign."""


class Bar(float):
    """A share from 0 to 1: people see its length."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Named columns; numbers are right-aligned, None is an empty place."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]

    def is_numeric(self, place: int) -> bool:
        """Whether a column has nothing but numbers that are read as such."""
        cells = [row[place] for row in self.rows if row[place] is not None]
        return bool(cells) and all(
            isinstance(cell, int | float) and not isinstance(cell, Bar) for cell in cells
        )

    def without(self, *columns: str) -> Self:
        kept = [place for place, column in enumerate(self.columns) if column not in columns]
        return type(self)(
            columns=tuple(self.columns[place] for place in kept),
            rows=[tuple(row[place] for place in kept) for row in self.rows],
        )

    def without_empty(self) -> Self:
        """No column in which nothing stands."""
        return self.without(
            *(
                column
                for place, column in enumerate(self.columns)
                if all(row[place] in (None, "") for row in self.rows)
            )
        )


def shown(cell: Cell) -> str:
    """A cell for people: four decimals, no control characters."""
    match cell:
        case None:
            return ""
        case Change():
            return f"{cell:+.4f}"
        case Bar():
            return bar(cell)
        case float():
            return f"{cell:.4f}"
        case int():
            return str(cell)
        case str():
            return printable(cell)


def bar(share: float) -> str:
    """Blocks on a track; whatever is not nothing has one, and only the whole has all."""
    full = round(share * BAR_WIDTH)
    if 0 < share < 1:
        full = min(max(full, 1), BAR_WIDTH - 1)
    return "█" * full + "░" * (BAR_WIDTH - full)


def printable(text: str) -> str:
    """Text that cannot steer a terminal or turn a line around, whoever wrote it."""
    return "".join(c if c.isprintable() or c in "\n\t" or c in JOINERS else "\ufffd" for c in text)
