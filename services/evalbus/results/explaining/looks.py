"""Looking whether a feature goes with a score, and keeping count of how often that was done."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from evalbus.results.explaining.exact_tests import holm
from evalbus.results.explaining.features import Feature
from evalbus.results.explaining.ranked import Column
from evalbus.results.explaining.ranks import correlation, p_of_correlation, p_of_groups
from evalbus_schemas.benchmark import ScoreDirection
from evalbus_schemas.explanations import LEVEL

if TYPE_CHECKING:
    from evalbus.results.exact import Numbers

ROWS_MIN: Final = 20
GROUP_ROWS_MIN: Final = 10
"""Of fewer rows nothing is said."""
LARGEST: Final = 1e70
"""Values are kept within what can be squared twice."""


@dataclass(kw_only=True)
class Looks:
    """Everything that was looked at in a job: what is found by chance grows with it, so p-values are adjusted over all."""

    _p: list[float] = field(default_factory=list[float])
    _adjusted: list[float] = field(default_factory=list[float])

    def add(self, p: float) -> int:
        """A look, and the number to ask for its adjusted p-value with."""
        self._p.append(p)
        return len(self._p) - 1

    def close(self) -> None:
        """There are no more."""
        self._adjusted = holm(self._p)

    def adjusted(self, number: int) -> float:
        return self._adjusted[number]

    @property
    def count(self) -> int:
        return len(self._p)

    @property
    def level_of_all(self) -> float:
        """Of intervals that hold all together (Bonferroni)."""
        return 1 - LEVEL / max(self.count, 1)


class Outcome:
    """What may go with features: the score of a model, or how much it is above that of another."""

    def __init__(
        self,
        values: "Numbers",
        *,
        model: str,
        direction: ScoreDirection,
        against: str | None = None,
    ) -> None:
        import numpy as np

        self.model = model
        self.against = against
        self.direction: ScoreDirection = direction
        self.column = Column(np.clip(values, -LARGEST, LARGEST))


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a feature goes with an outcome, by the correlation of their ranks over `count` rows."""

    outcome: Outcome
    feature: Feature
    count: int
    correlation: float
    p: float
    number: int
    """Among all looks."""


def look(looks: Looks, outcome: Outcome, feature: Feature) -> Look | None:
    """None where there is nothing to compare: too few rows, or one side that never varies."""
    column = feature.column
    where = outcome.column.is_told & column.is_told
    count = int(where.sum())
    if count < ROWS_MIN:
        return None
    is_group = feature.wording.kind == "group"
    of_feature, of_outcome = column.part(where), outcome.column.part(where)
    inside = of_feature.values == 1
    if is_group and not GROUP_ROWS_MIN <= int(inside.sum()) <= count - GROUP_ROWS_MIN:
        return None
    if of_feature.centred is None or of_outcome.centred is None:
        return None
    rho = correlation(of_feature.centred, of_outcome.centred)
    if is_group:
        p = p_of_groups(rho, inside, of_outcome.values, of_outcome.usual)
    else:
        p = p_of_correlation(rho, count)
    return Look(
        outcome=outcome,
        feature=feature,
        count=count,
        correlation=rho,
        p=p,
        number=looks.add(p),
    )
