"""Rows of an Arrow file or stream, a record batch at a time; a feather file is one."""

from collections.abc import Iterator
from typing import Any

from evalbus.datasets.columnar import EXTRA, Batch, Columnar
from evalbus.extras import imported

FILE_MARK = b"ARROW1"
OLD_FEATHER_MARK = b"FEA1"


class Arrow(Columnar):
    """A record batch is read whole; the first version of feather, which nobody writes any more, is refused."""

    def batches(self, file: Any, *, rows_before: int) -> Iterator[Batch]:
        first_row = 0
        for rows in _record_batches(file):
            # It was written by whom one likes, and is otherwise believed: lengths and offsets in it as well.
            rows.validate(full=True)
            yield Batch(first_row, rows)
            first_row += rows.num_rows


def _record_batches(file: Any) -> Iterator[Any]:
    ipc = imported("pyarrow.ipc", extra=EXTRA, what="reading arrow")
    mark: bytes = file.read(len(FILE_MARK))
    file.seek(0)
    if mark.startswith(OLD_FEATHER_MARK):
        raise ValueError("this is feather version 1; write it again as version 2")
    if mark != FILE_MARK:
        yield from ipc.open_stream(file)
        return
    opened = ipc.open_file(file)
    for number in range(opened.num_record_batches):
        yield opened.get_batch(number)
