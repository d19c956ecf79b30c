"""The scores of each slice, and how they agree with what people said of its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from evalbus.reporting.lines import Directions, Line, bars, score_lines
from evalbus.reporting.parts import Part, figures, sentences
from evalbus.reporting.scores import mean_or_value
from evalbus.writing.tables import Cell, Table
from evalbus_schemas.queries import SliceScores
from evalbus_schemas.scores import Agreement

AGREEMENT_COLUMNS: Final = {
    "compared": "count",
    "agreement": "raw",
    "kappa": "kappa",
    "weighted kappa": "weighted_kappa",
    "alpha": "alpha",
    "Pearson": "pearson",
    "Spearman": "spearman",
    "bias": "mean_difference",
    "mean abs. diff.": "mean_absolute_difference",
}
"""Of an agreement, by what people call it."""

MEASURES: Final = (
    "agreement is the share of rows where the score says what people said; kappa (Cohen) and alpha (Krippendorff) are"
    " 1 for perfect agreement and 0 for what chance would give; weighted kappa counts far misses more than near ones;"
    " bias is the score less what people said."
)


@dataclass(frozen=True, kw_only=True)
class SliceLine:
    slice: str
    line: Line


def slices_table(slices: Sequence[SliceScores], directions: Directions | None = None) -> Table:
    """A line for each slice and score; columns that say nothing are left out."""
    return _table(slice_lines(slices, directions or {}), has_bars=False)


def slice_lines(slices: Sequence[SliceScores], directions: Directions) -> list[SliceLine]:
    """All slices of a score and model under one another, so that they can be compared."""
    found = [
        SliceLine(slice=each.slice, line=line)
        for each in slices
        for line in score_lines(each.results, directions)
    ]
    keys = dict.fromkeys((each.line.key, each.line.model) for each in found)
    order = {key: place for place, key in enumerate(keys)}
    return sorted(found, key=lambda each: order[each.line.key, each.line.model])


def by_slice(slices: Sequence[SliceScores], directions: Directions) -> Sequence[Part]:
    """Nothing where all rows are the only slice: the scores have said it."""
    if len(slices) < 2:
        return []
    rows = [(each.slice, each.description, each.rows, each.failed_rows) for each in slices]
    counts = Table(columns=("slice", "description", "rows", "failed"), rows=rows)
    return [
        *figures("Slices, with their rows counted once for each model", counts.without_empty()),
        *figures("Scores by slice", _table(slice_lines(slices, directions), has_bars=True)),
    ]


def agreement(slices: Sequence[SliceScores], directions: Directions) -> Sequence[Part]:
    """Nothing where no metric has a ground truth."""
    found = [each for each in slice_lines(slices, directions) if each.line.score.agreement]
    return [
        *figures("How scores agree with what people said", _agreement_table(found)),
        *(sentences(MEASURES) if found else []),
    ]


def _table(found: Sequence[SliceLine], *, has_bars: bool) -> Table:
    """With bars for people who look, with agreement for those who have no table of that."""
    rows: list[tuple[Cell, ...]] = [
        (
            *(each.line.title, each.line.dataset, each.line.model, each.slice, each.line.rows),
            _per_cent(each.line.score.n_failed, each.line.rows),
            each.line.score.mean,
            bar if has_bars else None,
            each.line.unscored or None,
            *_measures(None if has_bars else each.line.score.agreement),
        )
        for each, bar in zip(found, _bars(found), strict=True)
    ]
    lines = [each.line for each in found]
    table = Table(
        columns=(
            *("score", "dataset", "model", "slice", "rows", "failed %"),
            *(mean_or_value(lines), "", "no value", *AGREEMENT_COLUMNS),
        ),
        rows=rows,
    )
    return table.without_empty().without(*_needless(lines))


def _needless(lines: Sequence[Line]) -> Sequence[str]:
    return [] if len({line.dataset for line in lines}) > 1 else ["dataset"]


def _bars(found: Sequence[SliceLine]) -> list[Cell]:
    """On one scale for all slices and models of a score."""
    drawn: list[Cell] = [None] * len(found)
    places: dict[object, list[int]] = {}
    for place, each in enumerate(found):
        places.setdefault(each.line.key, []).append(place)
    for together in places.values():
        values = [found[place].line.score.mean for place in together]
        for place, bar in zip(together, bars(values), strict=True):
            drawn[place] = bar
    return drawn


def _agreement_table(found: Sequence[SliceLine]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            *(each.line.title, each.line.dataset, each.line.model, each.slice),
            *_measures(each.line.score.agreement),
        )
        for each in found
    ]
    table = Table(
        columns=("score", "dataset", "model", "slice", *AGREEMENT_COLUMNS), rows=rows
    ).without_empty()
    needless = _needless([each.line for each in found])
    return table.without(*needless, *([] if len({each.slice for each in found}) > 1 else ["slice"]))


def _measures(agreement: Agreement | None) -> list[Cell]:
    if agreement is None:
        return [None] * len(AGREEMENT_COLUMNS)
    return [getattr(agreement, field) for field in AGREEMENT_COLUMNS.values()]


def _per_cent(part: int | None, whole: int) -> float | None:
    return (part or 0) * 100 / whole if whole else None
