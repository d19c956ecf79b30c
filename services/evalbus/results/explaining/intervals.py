"""Confidence intervals of a difference and of a correlation."""

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

from evalbus_schemas.explanations import Interval

if TYPE_CHECKING:
    from evalbus.results.exact import Numbers


def t_quantile(p: float, freedom: float) -> float:
    """Of Student's distribution, by the expansion of Cornish and Fisher (Abramowitz and Stegun 26.7.5).

    Right to three digits from ten degrees of freedom on.
    """
    z = NormalDist().inv_cdf(p)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / freedom**power for power, term in enumerate(terms, 1))


def of_difference(inside: "Numbers", outside: "Numbers", *, level: float) -> Interval:
    """Of the means of two independent groups of at least two each: Newcombe's (1998, method 10) where there are but two
    values, which also holds for groups without any variation, else Welch's (1947)."""
    import numpy as np

    values = np.unique(np.concatenate([inside, outside]))
    if len(values) == 2:
        low, high = float(values[0]), float(values[1])
        shares = (float((inside == high).mean()), float((outside == high).mean()))
        z = NormalDist().inv_cdf(1 - (1 - level) / 2)
        below, above = _newcombe(shares, (len(inside), len(outside)), z)
        return (below * (high - low), above * (high - low))
    difference = float(inside.mean() - outside.mean())
    parts = [float(side.var(ddof=1)) / len(side) for side in (inside, outside)]
    squared = math.fsum(parts)
    if squared <= 0:
        return (difference, difference)
    freedom = squared**2 / math.fsum(
        part**2 / (len(side) - 1) for part, side in zip(parts, (inside, outside), strict=True)
    )
    return _around(difference, math.sqrt(squared), freedom, level)


def of_mean(values: "Numbers", *, level: float) -> Interval:
    """Of at least two."""
    error = math.sqrt(float(values.var(ddof=1)) / len(values))
    return _around(float(values.mean()), error, len(values) - 1, level)


def of_correlation(rho: float, count: int, *, level: float) -> Interval:
    """Fisher's transformation, with the variance of Bonett and Wright (2000) for ranks; at least four rows."""
    if abs(rho) >= 1:
        return (rho, rho)
    reach = NormalDist().inv_cdf(1 - (1 - level) / 2) * math.sqrt((1 + rho**2 / 2) / (count - 3))
    return (math.tanh(math.atanh(rho) - reach), math.tanh(math.atanh(rho) + reach))


def _around(middle: float, error: float, freedom: float, level: float) -> Interval:
    reach = t_quantile(1 - (1 - level) / 2, freedom) * error
    return (middle - reach, middle + reach)


def _newcombe(shares: tuple[float, float], counts: tuple[int, int], z: float) -> Interval:
    (low_1, high_1), (low_2, high_2) = (
        _wilson(share, count, z) for share, count in zip(shares, counts, strict=True)
    )
    difference = shares[0] - shares[1]
    below = difference - math.hypot(shares[0] - low_1, high_2 - shares[1])
    above = difference + math.hypot(high_1 - shares[0], shares[1] - low_2)
    return (max(below, -1.0), min(above, 1.0))


def _wilson(share: float, count: int, z: float) -> Interval:
    """Of one share (Wilson 1927)."""
    middle = share + z * z / (2 * count)
    reach = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    whole = 1 + z * z / count
    return ((middle - reach) / whole, (middle + reach) / whole)
