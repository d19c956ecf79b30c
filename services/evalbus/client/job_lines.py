"""The rows of a job as lines of a table: what was scored, how, and what the row itself says."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from evalbus.client.job_report import DATASET, MODEL
from evalbus.writing.names import score_names
from evalbus_schemas.queries import Row

SUCCESS = "Model_success"
HEAD = (MODEL, DATASET, "Row", "Row_id", "Repeat", SUCCESS)
TAIL = ("Errors", "Output")
ITEM_PREFIX = "Item."
"""Names of metrics have no capital letters, so no field of an item can be taken for a score."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row answered by one model: fixed columns, a value for each score (NaN: none), and the item's fields."""

    head: tuple[str | int | bool, ...]
    scores: Mapping[str, float]
    tail: tuple[object, ...]
    item: Mapping[str, object]


def lines(rows: Iterable[Row], labels: Mapping[str, str]) -> Iterator[Line]:
    """`labels` says what a model is called, by its reference."""
    for row in rows:
        names = score_names(
            {m: [score.name for score in given] for m, given in row.metrics.items()}
        )
        yield Line(
            head=(
                labels.get(row.model, row.model),
                row.dataset.rpartition("/")[2],
                row.row_index,
                row.row_id,
                row.repeat,
                not row.failed,
            ),
            scores={
                names[metric, score.name]: math.nan if score.value is None else score.value
                for metric, given in row.metrics.items()
                for score in given
            },
            tail=(_errors(row), row.sample.get("output_text")),
            item=row.item,
        )


def _errors(row: Row) -> str | None:
    """What went wrong with it, failed or not, in one cell."""
    if not row.metric_errors:
        return None
    return "; ".join(
        f"{where.rpartition('/')[2]}: {what}" for where, what in row.metric_errors.items()
    )
