"""One value out of those of several judges, and how far they agree; computed exactly, so that their order is no matter."""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Literal

Combine = Literal["majority", "mean"]


def mean(values: Sequence[float]) -> float:
    """Of one value at least, all of them finite."""
    return float(_mean(values))


def majority(values: Sequence[float]) -> float | None:
    """The most frequent of at least one finite value; among equally frequent ones the nearest to the mean of all.

    None where two of these are equally near: nobody decides what the judges did not.
    """
    counts = Counter(values)
    most = max(counts.values())
    middle = _mean(values)
    distances = {
        value: abs(Fraction(value) - middle) for value, count in counts.items() if count == most
    }
    nearest = min(distances.values())
    winners = [value for value, distance in distances.items() if distance == nearest]
    return winners[0] if len(winners) == 1 else None


def majority_of_repeats(values: Sequence[float]) -> float:
    """The same over those that are finite; NaN if there is none, and for a tie."""
    finite = [value for value in values if math.isfinite(value)]
    found = majority(finite) if finite else None
    return math.nan if found is None else found


def agreement_of_choices(choices: Sequence[Hashable]) -> float:
    """The share of pairs that are equal, of at least two."""
    pairs = list(combinations(choices, 2))
    return sum(left == right for left, right in pairs) / len(pairs)


def agreement_of_numbers(values: Sequence[float], *, minimum: float, maximum: float) -> float:
    """1 less the mean distance of two of them, of at least two, in widths of the range they lie in."""
    exact = [Fraction(value) for value in values]
    distances = [abs(left - right) for left, right in combinations(exact, 2)]
    width = Fraction(maximum) - Fraction(minimum)
    return float(1 - sum(distances, Fraction(0)) / len(distances) / width)


def _mean(values: Sequence[float]) -> Fraction:
    return sum(map(Fraction, values), Fraction(0)) / len(values)
