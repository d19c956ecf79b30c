"""Scored rows in the binary format of COPY, built at once: half the work of handing them over value by value.

A row is the number of its fields, then each field behind its length in bytes; NULL is the length -1.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from itertools import chain, repeat
from operator import add

from evalbus.store.postgres.database import Connection

SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
END = struct.pack("!h", -1)
NULL = struct.pack("!i", -1)

POSTGRES_EPOCH = date(2000, 1, 1).toordinal()
FLOAT8_OID = 701

SCORE_COLUMNS = (
    "month",
    "job_no",
    "dataset_no",
    "model_no",
    "row_index",
    "repeat",
    "is_failed",
    "scores",
    "sample",
    "errors",
    "latency",
    "requests",
    "counts",
    "remarks",
    "truths",
)
NOT_ASKED = NULL + NULL
NOTHING_SAID = NULL + NULL


def score_rows(
    *,
    month: date,
    job_no: int,
    dataset_no: int,
    model_no: int,
    rows: Sequence[int],
    repeat_no: int,
    columns: Sequence[Sequence[float]],
    samples: Sequence[bytes],
    failed: AbstractSet[int],
    errors: Mapping[int, bytes],
    asked: Sequence[bytes] | None = None,
    counts: Mapping[int, bytes] | None = None,
    remarks: Mapping[int, bytes] | None = None,
    truths: Sequence[Sequence[float]] = (),
) -> Iterable[bytes]:
    """Rows of SCORE_COLUMNS, in pieces; `failed`, `errors`, `counts` and `remarks` go by the offset of a row. `truths`
    has a column for each score with a ground truth.

    `asked` has two fields of each, made by `asked_fields`; None: nobody was asked.
    """
    n_rows, n_scores = len(samples), len(columns)
    shared = struct.pack(
        *("!hiiiqihihi", len(SCORE_COLUMNS), 4, _days(month)),
        *(8, job_no, 2, dataset_no, 2, model_no, 8),
    )
    between = struct.pack("!ihi", 2, repeat_no, 1)
    array_head = _array_head(n_scores)
    own = struct.Struct(f"!q{len(between)}s?{len(array_head)}s" + "id" * n_scores + "i")
    owns = map(
        own.pack,
        rows,
        repeat(between),
        [offset in failed for offset in range(n_rows)],
        repeat(array_head),
        *chain.from_iterable((repeat(8), column) for column in columns),
        map(len, samples),
    )
    said = (
        map(add, _fields(counts or {}, n_rows), _fields(remarks or {}, n_rows))
        if counts or remarks
        else repeat(NOTHING_SAID)
    )
    reasons = _fields(errors, n_rows)
    return _interleaved(
        *(repeat(shared), owns, samples, reasons, asked or repeat(NOT_ASKED), said),
        _arrays(truths) if truths else repeat(NULL),
    )


def _array_head(n_values: int) -> bytes:
    """Of float8[] with its length: one dimension without a NULL, from 1 to n_values."""
    return struct.pack("!iiiiii", 20 + 12 * n_values, 1, 0, FLOAT8_OID, n_values, 1)


def _arrays(columns: Sequence[Sequence[float]]) -> Iterable[bytes]:
    """A field of each row, with its value of every column."""
    head = _array_head(len(columns))
    own = struct.Struct(f"!{len(head)}s" + "id" * len(columns))
    return map(
        own.pack, repeat(head), *chain.from_iterable((repeat(8), column) for column in columns)
    )


def _fields(texts: Mapping[int, bytes], n_rows: int) -> Iterable[bytes]:
    return [
        NULL if text is None else struct.pack("!i", len(text)) + text
        for text in map(texts.get, range(n_rows))
    ]


def asked_fields(latency: float | None, requests: bytes) -> bytes:
    """What was asked of a live model for one row: seconds of the call that was answered, and the log of all."""
    taken = NULL if latency is None else struct.pack("!id", 8, latency)
    return taken + struct.pack("!i", len(requests)) + requests


async def copy_scores(connection: Connection, rows: Iterable[bytes]) -> None:
    """All or nothing. Raises asyncpg.UniqueViolationError for a row that is there already."""
    # As a view, because the driver takes plain bytes for the name of a file.
    whole = memoryview(b"".join(chain((SIGNATURE,), rows, (END,))))
    await connection.copy_to_table(
        "score",
        source=whole,  # type: ignore[arg-type]  # the stubs forget what the driver documents
        columns=SCORE_COLUMNS,
        format="binary",
    )


def _interleaved(*pieces: Iterable[bytes]) -> Iterable[bytes]:
    # Without strict, for what is the same in every row has no end; the lengths were checked at the door.
    return chain.from_iterable(zip(*pieces, strict=False))


def _days(day: date) -> int:
    return day.toordinal() - POSTGRES_EPOCH
