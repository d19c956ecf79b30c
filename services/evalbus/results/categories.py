"""Two columns of the same rows as categories: how often they meet, and how often chance would have them meet."""

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Self

from evalbus.store.agreeing import RELATIVE_TOLERANCE
from evalbus_schemas.scores import CATEGORIES_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalbus.results.exact import Numbers


@dataclass(frozen=True, kw_only=True)
class CategoryPairs:
    """Whole numbers from which every measure of agreement between categories follows."""

    x_counts: tuple[int, ...]
    y_counts: tuple[int, ...]
    """How many rows each side puts into each category, in the order of their values."""
    n_same: int
    squared_distance: int
    """The sum over the rows of (i - j)², for categories in places i and j."""

    @classmethod
    def of(cls, xs: "Numbers", ys: "Numbers", levels: "Sequence[float]") -> Self | None:
        """Of the levels and of whatever else occurs; None for more than CATEGORIES_MAX, which are measurements."""
        import numpy as np

        starts = _starts(np.unique(np.concatenate([np.asarray(levels, np.float64), xs, ys])))
        if starts is None:
            return None
        x_places = np.searchsorted(starts, xs, side="right") - 1
        y_places = np.searchsorted(starts, ys, side="right") - 1
        distances = x_places - y_places
        return cls(
            x_counts=tuple(np.bincount(x_places, minlength=len(starts)).tolist()),
            y_counts=tuple(np.bincount(y_places, minlength=len(starts)).tolist()),
            n_same=int((distances == 0).sum()),
            squared_distance=int((distances * distances).sum()),
        )

    @property
    def n_categories(self) -> int:
        return len(self.x_counts)

    def kappa(self) -> float | None:
        """Cohen 1960: (p_o - p_e) / (1 - p_e); None where both sides know but one category, and the same."""
        n = sum(self.x_counts)
        by_chance = sum(x * y for x, y in zip(self.x_counts, self.y_counts, strict=True))
        return _ratio(n * self.n_same - by_chance, n * n - by_chance)

    def weighted_kappa(self) -> float | None:
        """Cohen 1968 with (i - j)² as the weight of a disagreement; None as above."""
        n = sum(self.x_counts)
        x_first, x_second = _place_sums(self.x_counts)
        y_first, y_second = _place_sums(self.y_counts)
        by_chance = n * x_second - 2 * x_first * y_first + n * y_second
        return _ratio(by_chance - n * self.squared_distance, by_chance)

    def nominal_alpha(self) -> float | None:
        """Krippendorff's for two raters and categories that only differ; None if all rows are in one."""
        n_values = 2 * sum(self.x_counts)
        pooled = (x + y for x, y in zip(self.x_counts, self.y_counts, strict=True))
        by_chance = n_values * n_values - sum(count * count for count in pooled)
        observed = 2 * (sum(self.x_counts) - self.n_same)
        return _ratio(by_chance - (n_values - 1) * observed, by_chance)


def _starts(distinct: "Numbers") -> "Numbers | None":
    """The least value of each category, given the distinct ones in order; None for too many.

    Values that two computations of the same number may have given are in one.
    """
    import numpy as np

    starts: list[float] = []
    place = 0
    while place < len(distinct):
        if len(starts) == CATEGORIES_MAX:
            return None
        start = float(distinct[place])
        starts.append(start)
        factor = 1 - RELATIVE_TOLERANCE
        reach = start / factor if start > 0 else start * factor
        place = int(np.searchsorted(distinct, reach, side="right"))
    return np.asarray(starts, np.float64)


def _place_sums(counts: tuple[int, ...]) -> tuple[int, int]:
    """The sums over the rows of the place of their category, and of its square."""
    return (
        sum(place * count for place, count in enumerate(counts)),
        sum(place * place * count for place, count in enumerate(counts)),
    )


def _ratio(part: int, whole: int) -> float | None:
    return float(Fraction(part, whole)) if whole else None
