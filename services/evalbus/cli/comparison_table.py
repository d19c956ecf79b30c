"""A comparison as tables: side by side for people, and a line for each cell for programs."""

from collections.abc import Sequence
from typing import Final

from evalbus.writing.tables import Cell, Change, Table
from evalbus_schemas.benchmark import ScoreDirection
from evalbus_schemas.queries import ComparedCell, ComparedScore, Comparison

ARROWS: Final[dict[ScoreDirection, str]] = {"higher": "↑", "lower": "↓", "none": ""}
ABSENT: Final = "–"
OUTCOMES: Final = "better/worse/equal"


def comparison_table(comparison: Comparison) -> Table:
    """A line for each score: the means, then how each column differs from the baseline, then how many rows stand behind."""
    titles = column_titles(comparison)
    others = [place for place in range(len(titles)) if place != comparison.baseline]
    has_unpaired = any(
        _is_unpaired(score, comparison.baseline, place)
        for score in comparison.scores
        for place in others
    )
    means = [
        f"{title} (baseline)" if place == comparison.baseline else title
        for place, title in enumerate(titles)
    ]
    differences: list[str] = []
    for place in others:
        # With one column beside the baseline there is no doubt whose difference it is.
        of = f" {titles[place]}" if len(others) > 1 else ""
        differences += [f"Δ{of}", f"{OUTCOMES}{of}", *([f"paired{of}"] if has_unpaired else [])]
    names = _names(comparison)
    rows = [
        (
            _short(score.dataset),
            name,
            ARROWS[score.direction],
            *(cell.mean if cell else None for cell in score.cells),
            *(
                cell
                for place in others
                for cell in _difference(score.cells[place], has_unpaired=has_unpaired)
            ),
            _together([cell.count if cell else None for cell in score.cells]),
            _together([cell.n_failed if cell else None for cell in score.cells]),
        )
        for score, name in zip(comparison.scores, names, strict=True)
    ]
    return Table(
        columns=("dataset", "metric", "↑↓", *means, *differences, "n", "failed"), rows=rows
    )


LINE_COLUMNS: Final = (
    *("dataset", "metric", "score", "direction", "result", "model", "is_baseline"),
    *("mean", "count", "nan_count", "n_failed", "delta", "n_paired"),
    *("only_in_baseline", "only_in_this", "better", "worse", "equal"),
)


def comparison_lines(comparison: Comparison) -> Table:
    """A line for each cell, everything in columns of its own."""
    rows: list[tuple[Cell, ...]] = []
    for score in comparison.scores:
        for place, (column, cell) in enumerate(zip(comparison.columns, score.cells, strict=True)):
            if cell is None:
                continue
            is_baseline = "yes" if place == comparison.baseline else "no"
            rows.append(
                (
                    *(score.dataset, score.metric, score.score, score.direction),
                    *(column.result, column.model, is_baseline),
                    *(cell.mean, cell.count, cell.nan_count, cell.n_failed),
                    *(cell.delta, cell.n_paired, cell.only_in_baseline, cell.only_in_this),
                    *(cell.better, cell.worse, cell.equal),
                )
            )
    return Table(columns=LINE_COLUMNS, rows=rows)


def column_titles(comparison: Comparison) -> list[str]:
    """As short as tells them apart: the models of one result, results of one model, or both."""
    columns = comparison.columns
    models = [_short(column.model) for column in columns]
    if len({column.result for column in columns}) == 1:
        return models
    if len(set(models)) == 1:
        return [column.result for column in columns]
    return [f"{column.result}:{model}" for column, model in zip(columns, models, strict=True)]


def _difference(cell: ComparedCell | None, *, has_unpaired: bool) -> list[Cell]:
    delta = None if cell is None or cell.delta is None else Change(cell.delta)
    is_paired = cell is not None and cell.n_paired is not None
    outcomes = f"{cell.better}/{cell.worse}/{cell.equal}" if cell and is_paired else None
    paired = [cell.n_paired if cell else None] if has_unpaired else []
    return [delta, outcomes, *paired]


def _is_unpaired(score: ComparedScore, baseline: int, place: int) -> bool:
    before, this = score.cells[baseline], score.cells[place]
    if before is None or this is None or this.n_paired is None:
        return False
    return not this.n_paired == before.count == this.count


def _together(counts: Sequence[int | None]) -> Cell:
    """One number when it is the same for all columns, else each in their order."""
    if len(set(counts)) == 1:
        return counts[0]
    return " / ".join(ABSENT if count is None else str(count) for count in counts)


def _names(comparison: Comparison) -> list[str]:
    """The metric alone where it has only one score."""
    scores: dict[tuple[str, str], int] = {}
    for score in comparison.scores:
        key = (score.dataset, score.metric)
        scores[key] = scores.get(key, 0) + 1
    return [
        _short(score.metric)
        if scores[score.dataset, score.metric] == 1
        else f"{_short(score.metric)}:{score.score}"
        for score in comparison.scores
    ]


def _short(reference: str) -> str:
    """Without the workspace, which all that can be compared have in common."""
    return reference.partition("/")[2]
