"""Results as tables: one line for each, or one for each of their scores."""

import json
from collections.abc import Sequence

from pydantic import BaseModel

from evalbus.writing.names import names_in
from evalbus.writing.tables import Cell, Table
from evalbus.writing.times import moment
from evalbus_schemas.queries import AggregateField, Result
from evalbus_schemas.scores import ScoreStatistics

COLUMNS = ("result", "benchmark", "dataset", "model", "rows", "failed", "created")


def results_table(results: Sequence[Result]) -> Table:
    return Table(columns=COLUMNS, rows=[_line(result) for result in results])


def fields_of_scores_table(results: Sequence[Result], fields: Sequence[AggregateField]) -> Table:
    """A line for each score of each result, with the statistics that were asked for."""
    rows: list[tuple[Cell, ...]] = []
    for result in results:
        names = names_in(result.results)
        for entry in result.results:
            for score in entry.scores:
                rows.append(
                    (
                        result.name,
                        _short(entry.dataset, result),
                        _short(entry.model, result),
                        names[entry.metric, score.name],
                        score.count,
                        *(_statistic(score, field) for field in fields),
                    )
                )
    return Table(columns=("result", "dataset", "model", "metric", "n", *fields), rows=rows)


def _statistic(score: ScoreStatistics, field: AggregateField) -> Cell:
    value = getattr(score, field)
    match value:
        case None | str() | int() | float():
            return value
        case BaseModel():
            return value.model_dump_json()
        case _:
            return json.dumps([each.model_dump() for each in value], ensure_ascii=False)


def _line(result: Result) -> tuple[Cell, ...]:
    return (
        result.name,
        result.benchmark,
        ", ".join(_short(dataset, result) for dataset in result.datasets),
        ", ".join(_short(model, result) for model in result.models),
        result.rows,
        result.failed_rows,
        moment(result.created_at),
    )


def _short(reference: str, result: Result) -> str:
    return reference.removeprefix(f"{result.workspace}/")
