"""Tables as pandas has them; pandas is loaded by whoever asks for one."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from evalbus.client.job_lines import HEAD, ITEM_PREFIX, TAIL, Line
from evalbus.client.opening import needs

if TYPE_CHECKING:
    import pandas as pd


def frame(lines: Sequence[Mapping[str, object]], columns: Sequence[str]) -> "pd.DataFrame":
    """A line is a row; None is NaN, so that a column of numbers is one. `columns` come first, and stay without lines."""
    with needs("server", "a DataFrame"):
        import pandas as pd  # takes a second to load
    found = dict.fromkeys([*columns, *(name for line in lines for name in line)])
    columns_of_values = {name: [line.get(name) for line in lines] for name in found}
    return pd.DataFrame(
        {
            # Whole numbers with gaps would become floats, and long ones other numbers.
            name: pd.Series(values, dtype="object" if _has_gaps_between_integers(values) else None)
            if any(value is not None for value in values)
            else pd.Series([math.nan] * len(values), dtype="float64")
            for name, values in columns_of_values.items()
        },
        columns=list(found),
    )


def frame_of_lines(lines: Iterable[Line], *, score_columns: Sequence[str]) -> "pd.DataFrame":
    """The same columns as in the CSV, each value in its own type; `score_columns` are those of a table without lines."""
    found = list(lines)
    scores = list(found[0].scores) if found else list(score_columns)
    fields = dict.fromkeys(field for line in found for field in line.item)
    columns = [*HEAD, *scores, *TAIL, *(f"{ITEM_PREFIX}{field}" for field in fields)]
    cells = [
        dict(
            zip(
                columns,
                [
                    *line.head,
                    *line.scores.values(),
                    *line.tail,
                    *(line.item.get(field) for field in fields),
                ],
                strict=True,
            )
        )
        for line in found
    ]
    return frame(cells, columns)


def _has_gaps_between_integers(values: Sequence[object]) -> bool:
    return None in values and any(isinstance(value, int) for value in values)
