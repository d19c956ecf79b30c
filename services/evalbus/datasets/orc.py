"""Rows of an ORC file, a stripe at a time."""

from collections.abc import Iterator
from typing import Any

from evalbus.datasets.columnar import EXTRA, Batch, Columnar
from evalbus.extras import imported


class Orc(Columnar):
    """A stripe is read whole: whoever writes the file says how large they are (64 MiB is usual)."""

    def batches(self, file: Any, *, rows_before: int) -> Iterator[Batch]:
        orc = imported("pyarrow.orc", extra=EXTRA, what="reading orc")
        opened = orc.ORCFile(file)
        first_row = 0
        for number in range(opened.nstripes):
            rows = opened.read_stripe(number)
            yield Batch(first_row, rows)
            first_row += rows.num_rows
