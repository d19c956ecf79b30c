"""A job as a Parquet table: the columns of the CSV, each with one type for the whole file."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, assert_never

from pydantic_core import to_json

from evalbus.exporting.columns import Column, Columns
from evalbus.exporting.heads import benchmark_metadata, execution_metadata, slices
from evalbus.exporting.kinds import ColumnType
from evalbus.exporting.table import Line, in_table
from evalbus.extras import imported
from evalbus_schemas.exports import ExportHead

ROW_GROUP_BYTES = 64 * 1024 * 1024
ROW_GROUP_LINES = 128 * 1024
METADATA_KEY = "evalbus"


def parquet(
    head: ExportHead, pages: AsyncIterator[str], *, folder: Path | None
) -> AsyncGenerator[bytes]:
    """Integers are int64, numbers double, slices a list of texts; what is missing is null.

    A field with values of several kinds, or with objects and lists, is JSON in a text. What the JSON export says
    beside the datapoints is JSON in the file's metadata, under METADATA_KEY. Raises Invalid without pyarrow.
    """
    # Before anything is read: whoever lacks it need not wait.
    pa = imported("pyarrow", extra="parquet", what="a Parquet file")
    pq = imported("pyarrow.parquet", extra="parquet", what="a Parquet file")

    def write(columns: Columns, batches: Iterator[list[Line]]) -> Iterator[bytes]:
        types = [(column.name, _arrow_type(pa, column.type)) for column in columns.all]
        schema = pa.schema(types, _metadata(head))
        written = _Written()
        with pq.ParquetWriter(written, schema, compression="zstd") as writer:
            for table in _row_groups(pa, columns.all, schema, batches):
                writer.write_table(table, row_group_size=table.num_rows)
                yield written.taken()
        yield written.taken()

    return in_table(head, pages, write, folder=folder)


def _metadata(head: ExportHead) -> dict[str, bytes]:
    said = {
        "benchmark_metadata": benchmark_metadata(head),
        "execution_metadata": execution_metadata(head),
        "slices": slices(head),
    }
    return {METADATA_KEY: to_json(said)}


def _row_groups(
    pa: Any, columns: Sequence[Column], schema: Any, batches: Iterator[list[Line]]
) -> Iterator[Any]:
    """Tables of about ROW_GROUP_BYTES: what is held in memory, and what a reader reads at once."""
    held: list[Any] = []
    for batch in batches:
        arrays = [
            pa.array(_values(column, cells), field.type)
            for column, field, cells in zip(columns, schema, zip(*batch, strict=True), strict=True)
        ]
        held.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
        if _is_full(held):
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def _is_full(held: Sequence[Any]) -> bool:
    size: int = sum(batch.nbytes for batch in held)
    lines: int = sum(batch.num_rows for batch in held)
    return size >= ROW_GROUP_BYTES or lines >= ROW_GROUP_LINES


def _values(column: Column, cells: Sequence[Any]) -> Sequence[Any]:
    if column.type != "json":
        return cells
    return [None if cell is None else json.dumps(cell, ensure_ascii=False) for cell in cells]


def _arrow_type(pa: Any, type: ColumnType) -> Any:
    match type:
        case "text" | "json":
            return pa.string()
        case "integer":
            return pa.int64()
        case "number":
            return pa.float64()
        case "boolean":
            return pa.bool_()
        case "texts":
            return pa.list_(pa.string())
        case _:
            assert_never(type)


class _Written:
    """A file as far as pyarrow needs one to write to: what it was given, until it is taken."""

    closed = False

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, data: Any) -> int:
        self._chunks.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        chunks, self._chunks = self._chunks, []
        return b"".join(chunks)

    def flush(self) -> None:
        """Everything is at hand already."""

    def close(self) -> None:
        """Nothing is open."""
