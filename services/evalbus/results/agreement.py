"""How a score agrees with what people said of the same rows.

Every measure comes from whole numbers or exact sums, so the order of the rows cannot be seen in it. Definitions:
Cohen, "A coefficient of agreement for nominal scales" (1960) and "Weighted kappa" (1968); Krippendorff, "Computing
Krippendorff's Alpha-Reliability" (2011), for two raters: a row that only one of them rated takes no part.
"""

from typing import TYPE_CHECKING, Literal

from evalbus.metrics import ScoreDeclaration
from evalbus.results.categories import CategoryPairs
from evalbus.results.exact import exact_sum, rounded
from evalbus.results.moments import Moments
from evalbus.store.agreeing import RELATIVE_TOLERANCE
from evalbus_schemas.scores import Agreement

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evalbus.results.exact import Numbers

    Chosen = NDArray[np.bool_]

AlphaLevel = Literal["nominal", "ordinal", "interval"]


def agreement(values: "Numbers", truths: "Numbers", declaration: ScoreDeclaration) -> Agreement:
    """Of as many values as truths, in the same order; what is not finite is not there.

    Categories are the levels of the rubric and whatever else occurs, such as a mean over repeats, in the order of
    their values. Alpha is ordinal for a rubric of more than two levels, else nominal for at most two categories (of
    which every level gives the same alpha), else interval.
    """
    import numpy as np

    has_value, has_truth = np.isfinite(values), np.isfinite(truths)
    has_both = has_value & has_truth
    scored, said = values[has_both], truths[has_both]
    count = len(scored)
    categories = CategoryPairs.of(scored, said, [level.value for level in declaration.rubric])
    numbers = Moments.of(scored, said)
    level = _alpha_level(categories, declaration)
    return Agreement(
        count=count,
        without_truth=int((has_value & ~has_truth).sum()),
        without_value=int((has_truth & ~has_value).sum()),
        raw=int(agreeing(scored, said).sum()) / count if count else None,
        kappa=None if categories is None else categories.kappa(),
        weighted_kappa=None if categories is None else categories.weighted_kappa(),
        alpha=_alpha(scored, said, level, categories, numbers),
        alpha_level=level,
        pearson=numbers.correlation(),
        spearman=Moments.of(_ranks(scored), _ranks(said)).correlation(),
        mean_difference=numbers.mean_difference(),
        mean_absolute_difference=_mean_absolute_difference(scored, said) if count else None,
    )


def _alpha_level(categories: CategoryPairs | None, declaration: ScoreDeclaration) -> AlphaLevel:
    if len(declaration.rubric) > 2:
        return "ordinal"
    return "nominal" if categories is not None and categories.n_categories <= 2 else "interval"


def _alpha(
    scored: "Numbers",
    said: "Numbers",
    level: AlphaLevel,
    categories: CategoryPairs | None,
    numbers: Moments,
) -> float | None:
    import numpy as np

    match level:
        case "nominal":
            return None if categories is None else categories.nominal_alpha()
        case "ordinal":
            # The ordinal difference of two categories is how many ratings lie between the middles of both.
            ranks = _ranks(np.concatenate([scored, said]))
            return Moments.of(ranks[: len(scored)], ranks[len(scored) :]).interval_alpha()
        case "interval":
            return numbers.interval_alpha()


def agreeing(scored: "Numbers", said: "Numbers") -> "Chosen":
    """What `agrees` says of each; of finite values."""
    import numpy as np

    # What lies further apart than the largest float is infinitely far apart.
    with np.errstate(over="ignore"):
        apart = np.abs(scored - said)
    larger = np.maximum(np.abs(scored), np.abs(said))
    found: Chosen = apart <= RELATIVE_TOLERANCE * larger
    return found


def _mean_absolute_difference(scored: "Numbers", said: "Numbers") -> float | None:
    """None beyond the largest float."""
    import numpy as np

    total = exact_sum(np.maximum(scored, said)) - exact_sum(np.minimum(scored, said))
    return rounded(total / len(scored))


def _ranks(values: "Numbers") -> "Numbers":
    """Twice the rank of each among all, equal ones having the mean of theirs; from where they are counted is no matter."""
    import numpy as np

    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Numbers = (2 * np.cumsum(counts) - counts)[places].astype(np.float64)
    return ranks
