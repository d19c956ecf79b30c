"""A job as a CSV table."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path

from evalbus.exporting.cells import Cells, as_bytes
from evalbus.exporting.columns import Columns
from evalbus.exporting.configs import CsvExportConfig
from evalbus.exporting.table import Line, in_table
from evalbus_schemas.exports import ExportHead

SLICE_GAP = "|"
"""Between the names of slices, which have none in them."""


def csv(
    head: ExportHead, pages: AsyncIterator[str], config: CsvExportConfig, *, folder: Path | None
) -> AsyncGenerator[bytes]:
    """A line for each answer (dataset, row, model, repeat), and one for a row that nobody was asked about.

    Columns: `x_uid`, `dataset`, `row_index`, `row_id`; the fields of the item under their own names; `model`, `repeat`
    (from 0), `failed`, `latency_seconds`, `output_text`; for each score `<metric>` (`<metric>.<score>` where it has
    several), and behind it as far as there are any `_label`, `_rationale`, `_agreement` (1.0 or 0.0), `_truth` and
    always `_error`; last `slices`, joined by `|`. A field that is called like one of ours has `item.` before its name.
    What is missing is an empty cell without quotes. Objects and lists are JSON.
    """
    cells = Cells(
        sep=config.sep,
        quotechar=config.quotechar,
        escapechar=config.escapechar,
        neutralise=config.neutralise,
    )

    def write(columns: Columns, batches: Iterator[list[Line]]) -> Iterator[bytes]:
        yield as_bytes([cells.line(column.name for column in columns.all)])
        for batch in batches:
            yield as_bytes(cells.line([*line[:-1], SLICE_GAP.join(line[-1])]) for line in batch)

    return in_table(head, pages, write, folder=folder)
