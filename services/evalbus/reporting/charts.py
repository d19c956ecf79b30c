"""Where the columns of a histogram stand on a drawing of a given size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from evalbus.reporting.parts import Columns

WIDTH: Final = 360
HEIGHT: Final = 150
BASE: Final = 120
TOP: Final = 18
GAP: Final = 4


@dataclass(frozen=True, kw_only=True)
class Rectangle:
    """One column; `count` is written above it."""

    x: float
    y: float
    width: float
    height: float
    label: str
    count: int

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


def rectangles(chart: Columns) -> Sequence[Rectangle]:
    """As high as there are rows, the highest up to the top; what is not nothing can be seen."""
    most = max((column.count for column in chart.columns), default=0)
    step = WIDTH / max(len(chart.columns), 1)
    heights = [
        max((BASE - TOP) * column.count / most, 1.0) if column.count else 0.0
        for column in chart.columns
    ]
    return [
        Rectangle(
            x=round(place * step + GAP / 2, 2),
            y=round(BASE - height, 2),
            width=round(step - GAP, 2),
            height=round(height, 2),
            label=column.label,
            count=column.count,
        )
        for place, (column, height) in enumerate(zip(chart.columns, heights, strict=True))
    ]


def ends(chart: Columns) -> tuple[str, str]:
    """What is written below the first and the last column."""
    first, last = chart.columns[0].label, chart.columns[-1].label
    return first.partition(" – ")[0], last.rpartition(" – ")[2]


def told(chart: Columns) -> str:
    """The same for those who do not see it."""
    return "; ".join(f"{column.label}: {column.count} rows" for column in chart.columns)
