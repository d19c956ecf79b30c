"""Columns out of arrays as Postgres sends them, without an object for every value."""

import sys
from array import array
from collections.abc import Sequence

# An array is a head of five words (dimensions, nulls, type, size, first index), then the values, each behind its length.
HEAD_WORDS = 5
VALUE_WORDS = 3


def columns_of(packed: bytes, n_columns: int) -> "Sequence[array[float]]":
    """The values of `n_columns` float8 columns, out of array_send() of row after row; NULL is not among them."""
    words = array("I")
    assert words.itemsize == 4, "as on every platform that CPython supports"
    words.frombytes(packed)
    width = HEAD_WORDS + VALUE_WORDS * n_columns
    return [
        _column(words, HEAD_WORDS + VALUE_WORDS * column + 1, width) for column in range(n_columns)
    ]


def _column(words: "array[int]", first: int, width: int) -> "array[float]":
    """The two halves of a value stand at `first` and behind it in every `width` words."""
    halves = array("I", bytes(8 * (len(words) // width)))
    halves[0::2] = words[first::width]
    halves[1::2] = words[first + 1 :: width]
    values = array("d")
    values.frombytes(halves.tobytes())
    if sys.byteorder == "little":
        values.byteswap()
    return values
