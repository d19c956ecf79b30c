"""Two columns of numbers as exact sums of them, their squares and their products, and what follows from these."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Self

from evalbus.results.exact import (
    exact_sum,
    exact_sum_of_products,
    exact_sum_of_squares,
    rounded,
)

if TYPE_CHECKING:
    from evalbus.results.exact import Numbers


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Of pairs (x, y) of finite numbers; the same whatever the order of the pairs."""

    count: int
    x: Fraction
    y: Fraction
    xx: Fraction
    yy: Fraction
    xy: Fraction

    @classmethod
    def of(cls, xs: "Numbers", ys: "Numbers") -> Self:
        x_scaled, x_unit = _scaled(xs)
        y_scaled, y_unit = _scaled(ys)
        return cls(
            count=len(xs),
            x=exact_sum(xs),
            y=exact_sum(ys),
            xx=exact_sum_of_squares(x_scaled) * x_unit**2,
            yy=exact_sum_of_squares(y_scaled) * y_unit**2,
            xy=exact_sum_of_products(x_scaled, y_scaled) * x_unit * y_unit,
        )

    def mean_difference(self) -> float | None:
        """The mean of x - y; None without pairs, and beyond the largest float."""
        return rounded((self.x - self.y) / self.count) if self.count else None

    def correlation(self) -> float | None:
        """Pearson's; None where a side never varies."""
        n = self.count
        spread_of_x, spread_of_y = n * self.xx - self.x**2, n * self.yy - self.y**2
        if spread_of_x <= 0 or spread_of_y <= 0:
            return None
        together = n * self.xy - self.x * self.y
        root = math.sqrt(together**2 / (spread_of_x * spread_of_y))
        return -root if together < 0 else root

    def interval_alpha(self) -> float | None:
        """Krippendorff's for two raters, a difference counted by its square; None if all numbers are the same."""
        n_values = 2 * self.count
        by_chance = n_values * (self.xx + self.yy) - (self.x + self.y) ** 2
        if by_chance <= 0:
            return None
        observed = self.xx - 2 * self.xy + self.yy
        return float(1 - (n_values - 1) * observed / by_chance)


def _scaled(values: "Numbers") -> "tuple[Numbers, Fraction]":
    """Between -1 and 1, in units of a power of two, so that no digit of them changes."""
    import numpy as np

    _, exponent = math.frexp(float(np.abs(values).max(initial=0.0)))
    return np.ldexp(values, -exponent), Fraction(2) ** exponent
