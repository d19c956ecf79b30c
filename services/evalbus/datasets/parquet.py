"""Rows of a parquet file, a few of one row group at a time."""

from collections.abc import Iterator
from typing import Any

from evalbus.datasets.columnar import EXTRA, SLICE_BYTES, SLICE_ROWS, Batch, Columnar
from evalbus.extras import imported

BUFFER_BYTES = 1024 * 1024


class Parquet(Columnar):
    """A row group that was read already is passed over unread; no more of one is kept than a batch needs."""

    def batches(self, file: Any, *, rows_before: int) -> Iterator[Batch]:
        parquet = imported("pyarrow.parquet", extra=EXTRA, what="reading parquet")
        metadata = parquet.read_metadata(file)
        opened = parquet.ParquetFile(
            file,
            metadata=metadata,
            # A page may say the same long text a million times: it stays one until it is unfolded.
            read_dictionary=_columns_of_bytes(metadata),
            buffer_size=BUFFER_BYTES,
            pre_buffer=False,
        )
        first_row = 0
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            if first_row + group.num_rows <= rows_before:
                first_row += group.num_rows
                continue
            row_bytes = group.total_byte_size // max(1, group.num_rows)
            batch_rows = max(1, min(SLICE_ROWS, SLICE_BYTES // max(1, row_bytes)))
            for rows in opened.iter_batches(batch_rows, row_groups=[number], use_threads=False):
                yield Batch(first_row, rows)
                first_row += rows.num_rows


def _columns_of_bytes(metadata: Any) -> list[str]:
    columns = [metadata.schema.column(number) for number in range(metadata.num_columns)]
    return [
        column.path
        for column in columns
        if column.physical_type == "BYTE_ARRAY" and column.logical_type.type in ("STRING", "NONE")
    ]
