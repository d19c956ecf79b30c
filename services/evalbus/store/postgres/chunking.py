"""Cutting rows into chunks: what one evaluator is handed at a time, for each model and repeat."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import repeat
from math import ceil

from evalbus.store.fairness import calls_per_chunk
from evalbus.store.ports import Lease, Stretch

LIVE_CHUNK_SECONDS = 1500.0
"""Even if every row of it takes as long as it may, a chunk is done before the broker takes it back (30 minutes)."""

CHUNK_COLUMNS = (
    "job_no",
    "chunk_no",
    "dataset_no",
    "model_no",
    "first_row",
    "n_rows",
    "rows",
    "repeat",
    "is_live",
    "is_given",
)


@dataclass(frozen=True, kw_only=True)
class ChunkRows:
    """Rows of one dataset, in their order, for one model and repeat."""

    dataset_no: int
    model_no: int
    repeat: int
    is_live: bool
    is_given: bool = False
    """The samples come from the job that this one is derived from."""
    rows: Sequence[int]


@dataclass(frozen=True, kw_only=True)
class SizedRow:
    """A row that some model has still to answer or some metric to score."""

    model_no: int
    repeat: int
    row_index: int
    is_given: bool
    """It has a sample, which only has to be scored."""
    size: int
    """Bytes of its line in a message."""

    @property
    def kind(self) -> tuple[int, int, bool]:
        """What rows of one chunk have in common."""
        return (self.model_no, self.repeat, self.is_given)


def live_rows_max(lease: Lease) -> int:
    """How many rows a chunk has at most that waits for somebody outside: first for answers, then for what is said of
    them. A single row that may take longer stands alone."""
    params, limits = lease.benchmark.params, lease.limits
    calls = calls_per_chunk(params.parallelism, limits.endpoint_parallelism)

    def seconds(rows: int) -> float:
        questions = ((rows * one.is_live, rows * len(one.metric_endpoints)) for one in lease.models)
        rounds = (
            ceil(to_model / calls) + ceil(to_others / calls) for to_model, to_others in questions
        )
        return params.row_timeout * max(rounds)

    sizes = range(1, limits.live_chunk_rows + 1)
    return max((rows for rows in sizes if seconds(rows) <= LIVE_CHUNK_SECONDS), default=1)


def chunks_of_stretches(lease: Lease, stretches: Sequence[Stretch]) -> list[ChunkRows]:
    """Every model in turn for each stretch, so that all of them advance together."""
    params = lease.benchmark.params
    live_max = live_rows_max(lease)
    return [
        ChunkRows(
            dataset_no=stretch.dataset_no,
            model_no=model_no,
            repeat=repeat,
            is_live=lease.waits(model_no),
            rows=piece,
        )
        for stretch in stretches
        for model_no, model in enumerate(lease.models)
        for piece in _pieces(stretch, live_max if lease.waits(model_no) else len(stretch.rows))
        for repeat in range(params.repeats if model.is_live else 1)
    ]


def chunks_of_rows(lease: Lease, dataset_no: int, rows: Iterable[SizedRow]) -> list[ChunkRows]:
    """The same for single rows, which come in the order of their kind."""
    limits = lease.limits
    live_max = live_rows_max(lease)
    found: list[ChunkRows] = []
    held: list[SizedRow] = []
    size = 0

    def cut() -> None:
        if held:
            found.append(
                ChunkRows(
                    dataset_no=dataset_no,
                    model_no=held[0].model_no,
                    repeat=held[0].repeat,
                    is_live=_waits(lease, held[0]),
                    is_given=held[0].is_given,
                    rows=[row.row_index for row in held],
                )
            )
            held.clear()

    for row in rows:
        rows_max = live_max if _waits(lease, row) else limits.chunk_rows
        is_other = bool(held) and held[0].kind != row.kind
        if is_other or len(held) >= rows_max or size + row.size > limits.chunk_bytes:
            cut()
            size = 0
        held.append(row)
        size += row.size
    cut()
    return found


def records(lease: Lease, chunks: Sequence[ChunkRows]) -> "list[tuple[object, ...]]":
    """Rows of CHUNK_COLUMNS, numbered from the lease's next chunk on."""
    return [
        (
            lease.job_no,
            chunk_no,
            chunk.dataset_no,
            chunk.model_no,
            chunk.rows[0],
            len(chunk.rows),
            None if _follow_one_another(chunk.rows) else list(chunk.rows),
            chunk.repeat,
            chunk.is_live,
            chunk.is_given,
        )
        for chunk_no, chunk in enumerate(chunks, lease.next_chunk)
    ]


def items(
    lease: Lease, stretches: Sequence[Stretch]
) -> "list[tuple[date, int, int, int, str, str, int]]":
    return [
        (lease.month, lease.job_no, stretch.dataset_no, row_index, row_id, item.decode(), slices)
        for stretch in stretches
        for row_index, ((row_id, item), slices) in enumerate(
            zip(stretch.rows, stretch.slices or repeat(0), strict=False), stretch.first_row
        )
    ]


def _waits(lease: Lease, row: SizedRow) -> bool:
    return lease.waits(row.model_no, is_given=row.is_given)


def _follow_one_another(rows: Sequence[int]) -> bool:
    return rows[-1] - rows[0] == len(rows) - 1


def _pieces(stretch: Stretch, rows_max: int) -> Iterator[range]:
    end = stretch.first_row + len(stretch.rows)
    for first in range(stretch.first_row, end, rows_max):
        yield range(first, min(first + rows_max, end))
