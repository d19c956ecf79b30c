"""Values come out of arrays as the server sends them bit by bit."""

import math
import struct
from collections.abc import Sequence

import pytest

from evalbus.store.postgres.packed import columns_of

FLOAT8_OID = 701
VALUES = [0.0, -0.0, 0.1, -2 / 3, 1e308, 5e-324, math.inf, -math.inf, math.nan]


def sent(rows: Sequence[Sequence[float]]) -> bytes:
    """What array_send gives for each row."""
    return b"".join(
        struct.pack("!iiiii", 1, 0, FLOAT8_OID, len(row), 1)
        + b"".join(struct.pack("!id", 8, value) for value in row)
        for row in rows
    )


@pytest.mark.parametrize("n_columns", [1, 2, 3, 7])
def test_every_column_has_the_values_of_every_row(n_columns: int) -> None:
    rows = [[value] * (n_columns - 1) + [float(i)] for i, value in enumerate(VALUES)]

    columns = columns_of(sent(rows), n_columns)

    assert [list(map(repr, column)) for column in columns] == [
        list(map(repr, column)) for column in zip(*rows, strict=True)
    ]


def test_no_rows_give_empty_columns() -> None:
    assert [list(column) for column in columns_of(b"", 2)] == [[], []]
