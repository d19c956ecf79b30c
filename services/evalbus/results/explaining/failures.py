"""Why rows have no value: by model and code, with examples."""

from collections.abc import Sequence
from typing import Final

from evalbus.results.explaining.columns import DatasetColumns
from evalbus.results.explaining.words import counted, rounded, share
from evalbus.writing.names import bare
from evalbus_schemas.explanations import ErrorCategory, ErrorExample, Errors

CATEGORIES_MAX: Final = 20


def errors_of(columns: DatasetColumns, models: Sequence[str], metric: str) -> Errors:
    """Rows that got no sample, and those that the metric gave no value; the most frequent first."""
    found = [
        _category(
            columns, model, kind, of=given.n_answers, rows=error.n_rows, examples=error.examples
        )
        for model, given in zip(models, columns.models, strict=True)
        for kind, error in given.errors.items()
        if kind[0] in (None, metric)
    ]
    # Sorting keeps the order of the models among equals.
    found.sort(key=lambda one: (-one.rows, one.stage, one.code))
    rows = sum(one.rows for one in found)
    text = (
        f"{counted(rows, 'answer')} without a value, for {counted(len(found), 'reason')}."
        if found
        else "Every answer has a value."
    )
    return Errors(categories=tuple(found[:CATEGORIES_MAX]), text=text)


def _category(
    columns: DatasetColumns,
    model: str,
    kind: tuple[str | None, str],
    *,
    of: int,
    rows: int,
    examples: Sequence[tuple[int, str]],
) -> ErrorCategory:
    metric, code = kind
    what = "no sample" if metric is None else "no value"
    first = examples[0][1]
    return ErrorCategory(
        model=model,
        stage="sample" if metric is None else "metric",
        code=code,
        rows=rows,
        share=rounded(rows / of),
        examples=tuple(
            ErrorExample(
                row_index=columns.row_indexes[place],
                row_id=columns.row_ids[place],
                message=message,
            )
            for place, message in examples
        ),
        text=f"{bare(model)}: {what} for {counted(rows, 'row')} ({share(rows, of)}), {code}: {first}",
    )
