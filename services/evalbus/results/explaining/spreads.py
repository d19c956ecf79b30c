"""How numbers are spread, in a few of them."""

from typing import TYPE_CHECKING

from evalbus.results.explaining.words import figure, rounded
from evalbus_schemas.explanations import Spread

if TYPE_CHECKING:
    from evalbus.results.exact import Numbers

PERCENTILES = (0, 10, 50, 90, 100)


def spread_of(values: "Numbers") -> Spread | None:
    """Of those that are finite; None if none is."""
    import numpy as np

    told = values[np.isfinite(values)]
    if not len(told):
        return None
    least, p10, p50, p90, largest = (
        rounded(float(one)) for one in np.percentile(told, PERCENTILES)
    )
    return Spread(count=len(told), least=least, p10=p10, p50=p50, p90=p90, largest=largest)


def in_words(spread: Spread) -> str:
    """`12 to 340, half of them up to 87`."""
    return f"{figure(spread.least)} to {figure(spread.largest)}, half of them up to {figure(spread.p50)}"
