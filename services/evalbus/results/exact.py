"""Sums of floats as they are, without a rounding error: the same whatever the order, and never out of range."""

from fractions import Fraction
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers: TypeAlias = NDArray[np.float64]

MANTISSA_BITS: Final = 53
HALF_BITS: Final = 26
# Sums of halves of so many mantissas stay below 2**53, where floats count without a gap.
PIECE: Final = 2**24
# Dekker 1971: times this, a float falls into two halves whose products have no rounding error.
SPLITTER: Final = 2.0**27 + 1


def exact_sum(values: "Numbers") -> Fraction:
    """Of finite values."""
    return sum(
        (_piece_sum(values[at : at + PIECE]) for at in range(0, len(values), PIECE)), Fraction(0)
    )


def exact_sum_of_squares(values: "Numbers") -> Fraction:
    """Of values between -1 and 1; what lies below the smallest float is lost."""
    return exact_sum_of_products(values, values)


def exact_sum_of_products(left: "Numbers", right: "Numbers") -> Fraction:
    """Of pairs of values between -1 and 1; what lies below the smallest float is lost."""
    products = left * right
    left_high, left_low = _halves(left)
    right_high, right_low = (left_high, left_low) if right is left else _halves(right)
    errors = (
        (left_high * right_high - products) + left_high * right_low + left_low * right_high
    ) + left_low * right_low
    return exact_sum(products) + exact_sum(errors)


def _halves(values: "Numbers") -> "tuple[Numbers, Numbers]":
    raised = values * SPLITTER
    high = raised - (raised - values)
    return high, values - high


def rounded(number: Fraction) -> float | None:
    """The nearest float; None beyond the largest."""
    try:
        return float(number)
    except OverflowError:
        return None


def _piece_sum(values: "Numbers") -> Fraction:
    """Values of one exponent are whole numbers of one size: these are added up, then the exponents' sums."""
    import numpy as np

    if not len(values):
        return Fraction(0)
    fractions, exponents = np.frexp(values)
    mantissas = np.ldexp(fractions, MANTISSA_BITS).astype(np.int64)
    least = int(exponents.min())
    places = exponents - least
    highs = np.bincount(places, weights=mantissas >> HALF_BITS).tolist()
    lows = np.bincount(places, weights=mantissas & (2**HALF_BITS - 1)).tolist()
    total = sum(
        ((int(high) << HALF_BITS) + int(low)) << place
        for place, (high, low) in enumerate(zip(highs, lows, strict=True))
    )
    return Fraction(total) * Fraction(2) ** (least - MANTISSA_BITS)
