"""What the rows say about the scores: sentences first, then the rows and figures behind them."""

from collections.abc import Sequence
from typing import Final

from evalbus.characters import cut
from evalbus.reporting.parts import Heading, Part, figures, sentences
from evalbus.writing.names import bare
from evalbus.writing.tables import Cell, Change, Table
from evalbus_schemas.explanations import (
    DatasetExplanation,
    Disagreements,
    Driver,
    Drivers,
    ErrorCategory,
    Explanations,
    ModelsCompared,
    RowShown,
    ScoreExplanation,
    WorstRows,
)

TEXT_MAX: Final = 200


def findings(explanations: Explanations) -> Sequence[Part]:
    """For each score what goes with it, how the models differ, and which rows to look at first."""
    parts = list(sentences(*summary_of(explanations)))
    for each in explanations.metric_dependent:
        parts += [Heading(text=each.score_id), *_of_score(each)]
    return parts


def summary_of(explanations: Explanations) -> Sequence[str]:
    """What was looked at, and for what there was no room."""
    if not explanations.left_out:
        return [explanations.text]
    left_out = f"There was no room for {explanations.left_out} more datasets or scores."
    return [explanations.text, left_out]


def said(driver: Driver) -> str:
    return f"{driver.text} Much the same: {', '.join(driver.also)}." if driver.also else driver.text


def left_out_of(drivers: Drivers) -> str:
    """Empty where all are listed."""
    return f"Weaker ones are left out: {drivers.left_out}." if drivers.left_out else ""


def rows_table(rows: Sequence[tuple[str, RowShown]], *, text_max: int) -> Table:
    """Of each row what the model made of it, and what people said where they said something."""
    cells: list[tuple[Cell, ...]] = [
        (
            *(bare(model), row.row_id, row.value, row.truth),
            *(cut(row.item, text_max), cut(row.answer, text_max)),
        )
        for model, row in rows
    ]
    columns = ("model", "row", "value", "truth", "item", "answer")
    return Table(columns=columns, rows=cells).without_empty()


def errors(explanations: Explanations) -> Sequence[Part]:
    rows = [
        _error(each.score_id, category)
        for each in explanations.metric_dependent
        for category in each.errors.categories
    ]
    columns = ("score", "model", "stage", "code", "rows", "share %", "for example", "which says")
    return figures("Rows without a value, by why", Table(columns=columns, rows=rows))


def data(explanations: Explanations) -> Sequence[Part]:
    """What the datasets and the answers are like, whatever the metrics."""
    has_several = len(explanations.metric_independent) > 1
    parts: list[Part] = []
    for each in explanations.metric_independent:
        if has_several:
            parts.append(Heading(text=bare(each.dataset)))
        parts += _of_dataset(each)
    return parts


def _of_dataset(of: DatasetExplanation) -> Sequence[Part]:
    return sentences(
        *(of.rows.text, of.fields.text, of.lengths.text, of.duplicates.text, of.scripts.text),
        *(of.answers.text, *(model.text for model in of.answers.models)),
    )


def _of_score(of: ScoreExplanation) -> Sequence[Part]:
    return [
        *sentences(
            *(of.summary.text, of.drivers.text, *map(said, of.drivers.found)),
            *(left_out_of(of.drivers), of.models.text, *(pair.text for pair in of.models.pairs)),
            *map(said, of.models.where),
        ),
        *figures("What goes with the score", _drivers([*of.drivers.found, *of.models.where])),
        *figures("Models, row by row", _pairs(of.models)),
        *figures("Rows to look at first", _worst(of.worst_rows)),
        *figures("Where the models are furthest apart", _between_models(of.disagreements, of)),
        *figures("Where people said otherwise", _with_people(of.disagreements)),
    ]


def _drivers(found: Sequence[Driver]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            driver.feature,
            bare(driver.model) + (f" less {bare(driver.against)}" if driver.against else ""),
            driver.inside.mean,
            driver.inside.count,
            driver.outside.mean,
            driver.outside.count,
            Change(driver.difference),
            _interval(driver.interval_of_all),
            driver.cohens_d,
            f"{driver.p_adjusted:.2g}",
        )
        for driver in found
    ]
    columns = (
        *("what", "model", "mean with it", "rows", "mean without", "rows without", "difference"),
        *("95 % of all looks", "Cohen's d", "p adjusted"),
    )
    return Table(columns=columns, rows=rows)


def _pairs(compared: ModelsCompared) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            f"{bare(pair.model)} less {bare(pair.against)}",
            Change(pair.difference),
            _interval(pair.interval),
            *(pair.better, pair.worse, pair.equal),
            f"{pair.p_adjusted:.2g}",
        )
        for pair in compared.pairs
    ]
    columns = ("models", "difference", "95 %", "better", "worse", "equal", "p adjusted")
    return Table(columns=columns, rows=rows)


def _worst(worst: WorstRows) -> Table:
    rows = [(of.model, row) for of in worst.models for row in of.rows]
    return rows_table(rows, text_max=TEXT_MAX)


def _with_people(of: Disagreements) -> Table:
    return rows_table([(each.model, each.row) for each in of.with_people], text_max=TEXT_MAX)


def _between_models(disagreements: Disagreements, of: ScoreExplanation) -> Table:
    models = [bare(each.model) for each in of.summary.models]
    rows: list[tuple[Cell, ...]] = [
        (each.row_id, *each.values, each.spread, _text(each.item))
        for each in disagreements.between_models
    ]
    return Table(columns=("row", *models, "apart", "item"), rows=rows)


def _error(score: str, category: ErrorCategory) -> tuple[Cell, ...]:
    first = category.examples[0] if category.examples else None
    return (
        *(score, bare(category.model), category.stage, category.code, category.rows),
        category.share * 100,
        first.row_id if first else None,
        _text(first.message) if first else None,
    )


def _interval(ends: tuple[float, float]) -> str:
    return f"{ends[0]:+.4f} to {ends[1]:+.4f}"


def _text(text: str) -> str:
    return cut(text, TEXT_MAX)
