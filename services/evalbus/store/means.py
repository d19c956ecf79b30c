"""One number for several that may be missing."""

import math
from collections.abc import Sequence


def mean_of_told(values: Sequence[float]) -> float:
    """Over those that are no NaN; NaN if none is."""
    told = [value for value in values if not math.isnan(value)]
    return math.fsum(told) / len(told) if told else math.nan
