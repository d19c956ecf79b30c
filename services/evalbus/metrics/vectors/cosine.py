"""The cosine of the angle between two vectors, and reading vectors that other people wrote."""

import math
from collections.abc import Sequence
from operator import mul
from typing import Final, cast

import orjson

from evalbus.metrics.base import NON_FINITE, UNPARSABLE, Note

ZERO_VECTOR: Final = "zero_vector"

Vector = tuple[float, ...]


def read_vector(given: object, *, name: str) -> Vector | Note:
    """A list of numbers, or a text that is one as JSON; `name` says in the note whose vector it is."""
    found = given
    if isinstance(given, str):
        try:
            found = orjson.loads(given)
        except orjson.JSONDecodeError:
            found = None
    if not isinstance(found, list) or not all(
        type(part) in (int, float) for part in cast("list[object]", found)
    ):
        return Note(code=UNPARSABLE, message=f"{name} is no list of numbers")
    try:
        vector = tuple(map(float, cast("list[float]", found)))
    except OverflowError:  # an integer beyond all floats
        vector = (math.inf,)
    if not all(map(math.isfinite, vector)):
        return Note(code=NON_FINITE, message=f"{name} has a number in it that is not finite")
    return vector


def cosine(left: Vector, right: Vector) -> float | Note:
    """From -1 to 1; exactly 1 for a vector and itself. Zero vectors have no direction.

    Products are added exactly, so that the order of the dimensions does not matter.
    """
    if len(left) != len(right):
        said = f"vectors of different length: {len(left)} and {len(right)}"
        return Note(code=UNPARSABLE, message=said)
    if not any(left) or not any(right):
        return Note(code=ZERO_VECTOR, message="a vector of zeros has no direction")
    one, other = _scaled(left), _scaled(right)
    # One root of both squares: that of a number times itself is exact.
    lengths = math.sqrt(_product(one, one) * _product(other, other))
    return min(1.0, max(-1.0, _product(one, other) / lengths))


def _product(left: Sequence[float], right: Sequence[float]) -> float:
    return math.fsum(map(mul, left, right))


def _scaled(vector: Vector) -> Vector:
    """Times a power of two, which rounds nothing, so that no square is too large or too small for a float."""
    exponent = math.frexp(max(map(abs, vector)))[1]
    return tuple(math.ldexp(part, -exponent) for part in vector)
