"""Tests whose p-values are counted out, and the correction for having looked many times."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Numbers = NDArray[np.float64]

TOLERANCE = 1e-7
"""Two tables as likely as each other may differ by this much, as floats."""


def fisher(*, both: int, first: int, second: int, count: int) -> float:
    """Two-sided, of `count` rows of which `first` have one trait, `second` another and `both` the two (Fisher 1935).

    The sum of the chances of all tables that are no more likely than this one.
    """
    import numpy as np

    least, most = max(0, first + second - count), min(first, second)
    common = np.arange(least, most + 1)
    chances = _log_choose(first, common) + _log_choose(count - first, second - common)
    chances = np.exp(chances - chances.max())
    rare = chances <= chances[both - least] * (1 + TOLERANCE)
    return min(float(chances[rare].sum() / chances.sum()), 1.0)


def sign_test(*, more: int, less: int) -> float:
    """Two-sided, the chance of such a split or a more uneven one if both were as likely."""
    import numpy as np

    count, fewer = more + less, min(more, less)
    if not count:
        return 1.0
    chances = np.exp(_log_choose(count, np.arange(fewer + 1)) - count * math.log(2))
    return min(2 * float(chances.sum()), 1.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted so that the chance of any false finding among them all stays below the level (Holm 1979)."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for before, place in enumerate(order):
        highest = max(highest, min(p_values[place] * (len(p_values) - before), 1.0))
        adjusted[place] = highest
    return adjusted


def _log_choose(whole: int, parts: "Integers") -> "Numbers":
    logs = _log_factorials(1 << whole.bit_length())
    found: Numbers = logs[whole] - logs[parts] - logs[whole - parts]
    return found


@lru_cache(maxsize=4)
def _log_factorials(largest: int) -> "Numbers":
    """Of 0 to `largest`, which is a power of two, so that few tables do for all."""
    import numpy as np

    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, largest + 1)))])
