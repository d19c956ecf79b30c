"""Whether a score says what people said: one rule for rows, files and statistics."""

import math

RELATIVE_TOLERANCE = 1e-9
"""Two ways of computing the same number may differ in its last digits."""


def agrees(value: float, truth: float) -> bool:
    """Of two numbers, neither of them NaN."""
    return math.isclose(value, truth, rel_tol=RELATIVE_TOLERANCE)
