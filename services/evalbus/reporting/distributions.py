"""How the values of each score are spread over its rows: a histogram, or how many rows got each label."""

from collections.abc import Iterator, Sequence
from typing import Final

from evalbus.reporting.lines import Line
from evalbus.reporting.parts import Column, Columns, Part, figures, sentences
from evalbus.writing.tables import Bar, Cell, Table
from evalbus_schemas.scores import Histogram, RubricCount

SHOWN_MAX: Final = 24


def distributions(lines: Sequence[Line]) -> Sequence[Part]:
    shown: list[Part] = []
    found = list(_parts(lines))
    for parts in found[:SHOWN_MAX]:
        shown += parts
    more = len(found) - SHOWN_MAX
    return [*shown, *sentences(f"There are {more} more, for which there was no room." * (more > 0))]


def _parts(lines: Sequence[Line]) -> Iterator[Sequence[Part]]:
    has_several = len({line.dataset for line in lines}) > 1
    for line in lines:
        of = f"{line.name}, {line.model}" + (f", {line.dataset}" if has_several else "")
        if line.score.rubric_distribution:
            yield figures(f"Labels of {of}", _labels(line.score.rubric_distribution))
        elif line.score.histogram and line.score.histogram.bins:
            yield [Columns(caption=f"Rows by {of}", columns=_columns(line.score.histogram))]


def _labels(rubric: Sequence[RubricCount]) -> Table:
    total = sum(label.count for label in rubric)
    rows: list[tuple[Cell, ...]] = [
        (label.label, label.value, Bar(label.count / total) if total else None, label.count)
        for label in rubric
    ]
    return Table(columns=("label", "value", "", "rows"), rows=rows)


def _columns(histogram: Histogram) -> tuple[Column, ...]:
    if len(histogram.bins) == 1:
        return (Column(label=f"{histogram.bins[0].lower_bound:g}", count=histogram.bins[0].count),)
    return tuple(
        Column(label=f"{each.lower_bound:.4g} – {each.upper_bound:.4g}", count=each.count)
        for each in histogram.bins
    )
