"""From looks to findings: what goes with a score, how much, and in which words."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evalbus.results.explaining import intervals
from evalbus.results.explaining.features import Group, Scale
from evalbus.results.explaining.looks import Look, Looks, Outcome
from evalbus.results.explaining.ranks import correlation
from evalbus.results.explaining.words import figure, rounded
from evalbus.writing.names import bare
from evalbus_schemas.benchmark import ScoreDirection
from evalbus_schemas.explanations import LEVEL, Driver, Drivers, GoesWith, Interval, Side

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evalbus.results.exact import Numbers

    Chosen = NDArray[np.bool_]

D_MIN: Final = 0.2
CORRELATION_MIN: Final = 0.1
"""What is smaller is called small by Cohen (1988), and is nothing to tell of however certain it is."""
SAME_CORRELATION: Final = 0.95
"""Features whose ranks agree more than this say the same of the rows."""
FOUND_OF_MODEL_MAX: Final = 10
FOUND_MAX: Final = 40
ALSO_MAX: Final = 10


@dataclass(frozen=True, kw_only=True)
class Found:
    """A look that found something, with the two groups of rows that show it."""

    look: Look
    inside: "Numbers"
    outside: "Numbers"
    above: float | None = None
    up_to: float | None = None

    @property
    def difference(self) -> float:
        return float(self.inside.mean() - self.outside.mean())

    @property
    def cohens_d(self) -> float:
        """In pooled standard deviations; infinite where neither group varies."""
        sides = (self.inside, self.outside)
        squares = math.fsum(float(side.var()) * len(side) for side in sides)
        freedom = len(self.inside) + len(self.outside) - 2
        if squares <= 0 or freedom <= 0:
            return math.copysign(math.inf, self.difference)
        return self.difference / math.sqrt(squares / freedom)

    @property
    def is_worth_telling(self) -> bool:
        """Large enough, and the means say what the ranks say; else there is no plain sentence."""
        low, high = self.interval(level=1 - LEVEL)
        if low <= 0 <= high or self.difference * self.look.correlation <= 0:
            return False
        is_group = self.look.feature.wording.kind == "group"
        return abs(self.cohens_d) >= D_MIN and (
            is_group or abs(self.look.correlation) >= CORRELATION_MIN
        )

    def interval(self, *, level: float) -> Interval:
        return intervals.of_difference(self.inside, self.outside, level=level)


def drivers_of(looked: Sequence[Look], looks: Looks, *, of_several_models: bool) -> Drivers:
    """What is certain and large enough, the strongest first; each only once of those that say the same."""
    certain = [_found(look) for look in looked if looks.adjusted(look.number) < LEVEL]
    large = [found for found in certain if found is not None and found.is_worth_telling]
    # Sorting keeps the order of the features among equals.
    large.sort(key=lambda found: -_strength(found))
    kept = _without_repetition(large)
    told = [
        _driver(found, also, looks, says_model=of_several_models) for found, also in _room_for(kept)
    ]
    return Drivers(
        looks=len(looked),
        found=tuple(told),
        left_out=len(kept) - len(told),
        text=_summary(len(looked), len(kept), looks.count),
    )


def _summary(looked: int, found: int, in_all: int) -> str:
    if not looked:
        return "There are too few rows with a value, or they all have the same: nothing to compare."
    adjusted = f"p adjusted for all {in_all} looks of the job"
    if not found:
        return f"Nothing found among {looked} looks: no slice and no feature goes with this score ({adjusted})."
    return f"{found} of {looked} looks found something ({adjusted}), the strongest first."


def _strength(found: Found) -> float:
    return float(f"{abs(found.cohens_d):.9g}")


def _found(look: Look) -> Found | None:
    outcome, column = look.outcome.column, look.feature.column
    where = outcome.is_told & column.is_told
    values, feature = outcome.values[where], column.values[where]
    if look.feature.wording.kind == "group":
        return Found(look=look, inside=values[feature == 1], outside=values[feature != 1])
    up_to, above = _thirds(feature)
    inside, outside = values[feature >= above], values[feature <= up_to]
    if min(len(inside), len(outside)) < 2:
        return None
    return Found(look=look, inside=inside, outside=outside, above=above, up_to=up_to)


def _thirds(values: "Numbers") -> tuple[float, float]:
    """The largest of the lowest third, and the least of the highest; further apart where both are the same number."""
    import numpy as np

    ordered = np.sort(values)
    third = (len(ordered) - 1) // 3
    up_to, above = float(ordered[third]), float(ordered[len(ordered) - 1 - third])
    if up_to < above:
        return up_to, above
    higher, lower = ordered[ordered > above], ordered[ordered < up_to]
    if len(higher) >= len(lower):
        return up_to, float(higher[0])
    return float(lower[-1]), above


def _without_repetition(found: Sequence[Found]) -> list[tuple[Found, list[str]]]:
    """Each with the names of those that say the same of the same outcome, and are weaker."""
    kept: list[tuple[Found, list[str]]] = []
    for one in found:
        for other, also in kept:
            if other.look.outcome is one.look.outcome and _say_the_same(one.look, other.look):
                also.append(one.look.feature.name)
                break
        else:
            kept.append((one, []))
    return kept


def _say_the_same(one: Look, other: Look) -> bool:
    columns = (one.feature.column, other.feature.column)
    where = one.outcome.column.is_told & columns[0].is_told & columns[1].is_told
    first, second = (column.part(where).centred for column in columns)
    if first is None or second is None:
        return False
    return abs(correlation(first, second)) > SAME_CORRELATION


def _room_for(kept: Sequence[tuple[Found, list[str]]]) -> list[tuple[Found, list[str]]]:
    """The strongest of each model, so that those of one do not crowd out another."""
    times: Counter[str] = Counter()
    told: list[tuple[Found, list[str]]] = []
    for one in kept:
        model = one[0].look.outcome.model
        times[model] += 1
        if times[model] <= FOUND_OF_MODEL_MAX:
            told.append(one)
    return told[:FOUND_MAX]


def _driver(found: Found, also: Sequence[str], looks: Looks, *, says_model: bool) -> Driver:
    look, outcome = found.look, found.look.outcome
    interval = found.interval(level=1 - LEVEL)
    d = found.cohens_d
    return Driver(
        model=outcome.model,
        against=outcome.against,
        feature=look.feature.name,
        also=tuple(also[:ALSO_MAX]),
        kind=look.feature.wording.kind,
        goes_with=goes_with(found.difference, outcome.direction),
        inside=_side(found.inside),
        outside=_side(found.outside),
        above=None if found.above is None else rounded(found.above),
        up_to=None if found.up_to is None else rounded(found.up_to),
        difference=rounded(found.difference),
        interval=both_rounded(interval),
        interval_of_all=both_rounded(found.interval(level=looks.level_of_all)),
        cohens_d=rounded(d) if math.isfinite(d) else None,
        correlation=rounded(look.correlation),
        correlation_interval=both_rounded(
            intervals.of_correlation(look.correlation, look.count, level=1 - LEVEL)
        ),
        p=rounded(look.p),
        p_adjusted=rounded(looks.adjusted(look.number)),
        text=_sentence(found, interval, says_model=says_model),
    )


def goes_with(difference: float, direction: ScoreDirection) -> GoesWith:
    if direction == "none":
        return "higher" if difference > 0 else "lower"
    return "better" if (difference > 0) == (direction == "higher") else "worse"


def both_rounded(interval: Interval) -> Interval:
    return (rounded(interval[0]), rounded(interval[1]))


def _side(values: "Numbers") -> Side:
    return Side(count=len(values), mean=rounded(float(values.mean())))


def _sentence(found: Found, interval: Interval, *, says_model: bool) -> str:
    outcome, difference = found.look.outcome, found.difference
    ends = interval if difference > 0 else (-interval[1], -interval[0])
    behind = (
        f"(95 % CI {figure(ends[0])} to {figure(ends[1])}; {len(found.inside)} rows against"
        f" {len(found.outside)}): {figure(float(found.inside.mean()))} against"
        f" {figure(float(found.outside.mean()))}."
    )
    these, those = _sides_in_words(found)
    size = f"{figure(abs(difference))} {'higher' if difference > 0 else 'lower'}"
    if outcome.against is not None:
        lead = f"The lead of {bare(outcome.model)} over {bare(outcome.against)}"
        return f"{lead} is {size} for {these}{those} {behind}"
    text = f"{these} score {size}{_turned(outcome, difference)}{those} {behind}"
    if says_model:
        return f"{bare(outcome.model)}: {text}"
    return text[0].upper() + text[1:]


def _sides_in_words(found: Found) -> tuple[str, str]:
    """Which rows are meant, and than which others if that is not all others."""
    match found.look.feature.wording:
        case Group(words=words):
            return f"rows {words}", ""
        case Scale(most=most, least=least):
            assert found.above is not None, "a scale has thirds"
            assert found.up_to is not None, "a scale has thirds"
            return (
                f"rows with the {most} ({figure(found.above)} or more)",
                f" than those with the {least} ({figure(found.up_to)} or less)",
            )


def _turned(outcome: Outcome, difference: float) -> str:
    """Where a lower score is better, the reader is told."""
    if outcome.direction != "lower":
        return ""
    return f", which is {goes_with(difference, outcome.direction)},"
