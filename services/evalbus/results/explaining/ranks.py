"""Correlation of ranks, and how likely chance gives as much.

The p-value is that of the permutation distribution of the correlation, whose variance is 1 / (n - 1) whatever the ties,
taken for normal (Pitman 1937): for two groups it is the test of Mann and Whitney, for two columns of numbers that of
Spearman. Where both sides have two values it is exact (Fisher), and where more than half of the values are the same it
is no smaller than the exact one of these against all others: there the tails of the normal are too light.
"""

import math
from typing import TYPE_CHECKING, NamedTuple

from evalbus.results.explaining.exact_tests import fisher

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evalbus.results.exact import Numbers

    Chosen = NDArray[np.bool_]


class Usual(NamedTuple):
    """The most frequent of some values, the least of them among equals, and how many different ones there are."""

    value: float
    n_rows: int
    n_levels: int


def usual_of(values: "Numbers") -> Usual:
    """Of at least one."""
    import numpy as np

    levels, counts = np.unique(values, return_counts=True)
    most = int(counts.argmax())
    return Usual(value=float(levels[most]), n_rows=int(counts[most]), n_levels=len(levels))


def ranks(values: "Numbers") -> "Numbers":
    """From 1, equal values having the mean of their ranks."""
    import numpy as np

    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    found: Numbers = (last - (counts - 1) / 2)[places]
    return found


def centred(values: "Numbers") -> "Numbers | None":
    """With mean 0 and length 1, so that the product of two such is their correlation; None for a constant."""
    import numpy as np

    moved = values - values.mean()
    length = math.sqrt(float(np.square(moved).sum()))
    # A rounding error is no variation.
    if length <= 1e-9 * max(float(np.abs(values).max(initial=0.0)), 1e-300):
        return None
    found: Numbers = moved / length
    return found


def correlation(xs: "Numbers", ys: "Numbers") -> float:
    """Of two centred columns."""
    return min(max(float((xs * ys).sum()), -1.0), 1.0)


def p_of_correlation(rho: float, count: int) -> float:
    return math.erfc(abs(rho) * math.sqrt(max(count - 1, 0) / 2))


def p_of_groups(rho: float, inside: "Chosen", values: "Numbers", usual: Usual) -> float:
    """Two-sided; `rho` is the correlation of being inside and the ranks of the values."""
    p = p_of_correlation(rho, len(values))
    if usual.n_rows * 2 <= len(values) and usual.n_levels > 2:
        return p
    is_usual = values == usual.value
    exact = fisher(
        both=int((inside & is_usual).sum()),
        first=int(inside.sum()),
        second=usual.n_rows,
        count=len(values),
    )
    return exact if usual.n_levels == 2 else max(p, exact)
