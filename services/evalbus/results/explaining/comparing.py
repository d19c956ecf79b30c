"""How the models differ in one score: their means, pair by pair, and where."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

from evalbus.results.explaining import intervals
from evalbus.results.explaining.drivers import both_rounded, drivers_of
from evalbus.results.explaining.exact_tests import sign_test
from evalbus.results.explaining.features import Feature
from evalbus.results.explaining.looks import ROWS_MIN, Look, Looks, Outcome, look
from evalbus.results.explaining.words import figure, p_value, rounded
from evalbus.writing.names import bare
from evalbus_schemas.benchmark import ScoreDirection
from evalbus_schemas.explanations import LEVEL, Interval, ModelsCompared, PairCompared

if TYPE_CHECKING:
    from evalbus.results.exact import Numbers

MODELS_PAIRED_MAX: Final = 6
"""Of more models each is compared with the first only."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two models over the rows that both have a value for."""

    model: str
    against: str
    differences: "Numbers"
    number: int
    """Among all looks."""
    higher: int
    lower: int
    where: Sequence[Look]


def pairs_of(
    looks: Looks,
    outcomes: Sequence[Outcome],
    slices: Sequence[Feature],
) -> list[Pair]:
    places = range(len(outcomes))
    if len(outcomes) <= MODELS_PAIRED_MAX:
        chosen = list(combinations(places, 2))
    else:
        chosen = [(place, 0) for place in places[1:]]
    pairs = (_pair(looks, outcomes[one], outcomes[other], slices) for one, other in chosen)
    return [pair for pair in pairs if pair is not None]


def compare(pairs: Sequence[Pair], looks: Looks, direction: ScoreDirection) -> ModelsCompared:
    told = tuple(_told(pair, looks, direction) for pair in pairs)
    where = [one for pair in pairs for one in pair.where]
    found = drivers_of(where, looks, of_several_models=True)
    certain = sum(pair.p_adjusted < LEVEL for pair in told)
    text = "There are no two models with values for the same rows."
    if told:
        text = f"{certain} of {len(told)} pairs of models can be told apart."
    if where:
        text += f" Slices in which two models differ otherwise than elsewhere: {len(found.found)}."
    return ModelsCompared(pairs=told, where=found.found, text=text)


def _pair(looks: Looks, one: Outcome, other: Outcome, slices: Sequence[Feature]) -> Pair | None:
    differences = one.column.values - other.column.values
    outcome = Outcome(differences, model=one.model, against=other.model, direction=one.direction)
    told = differences[outcome.column.is_told]
    if len(told) < ROWS_MIN:
        return None
    higher, lower = int((told > 0).sum()), int((told < 0).sum())
    number = looks.add(sign_test(more=higher, less=lower))
    where = [found for each in slices if (found := look(looks, outcome, each)) is not None]
    return Pair(
        model=one.model,
        against=other.model,
        differences=told,
        number=number,
        higher=higher,
        lower=lower,
        where=where,
    )


def _told(pair: Pair, looks: Looks, direction: ScoreDirection) -> PairCompared:
    is_lower_better = direction == "lower"
    better, worse = (pair.lower, pair.higher) if is_lower_better else (pair.higher, pair.lower)
    interval = intervals.of_mean(pair.differences, level=1 - LEVEL)
    p = sign_test(more=pair.higher, less=pair.lower)
    adjusted = looks.adjusted(pair.number)
    difference = float(pair.differences.mean())
    return PairCompared(
        model=pair.model,
        against=pair.against,
        count=len(pair.differences),
        difference=rounded(difference),
        interval=both_rounded(interval),
        interval_of_all=both_rounded(intervals.of_mean(pair.differences, level=looks.level_of_all)),
        better=better,
        worse=worse,
        equal=len(pair.differences) - better - worse,
        p=rounded(p),
        p_adjusted=rounded(adjusted),
        text=_in_words(pair, difference, interval, (better, worse), adjusted),
    )


def _in_words(
    pair: Pair,
    difference: float,
    interval: Interval,
    outcome: tuple[int, int],
    p_adjusted: float,
) -> str:
    better, worse = outcome
    names = f"{bare(pair.model)} and {bare(pair.against)}"
    rows = f"better in {better} rows, worse in {worse}, of {len(pair.differences)}"
    ends = interval if difference > 0 else (-interval[1], -interval[0])
    size = f"{figure(abs(difference))} {'higher' if difference > 0 else 'lower'}"
    behind = (
        f"(95 % CI {figure(ends[0])} to {figure(ends[1])}), {rows}; adjusted {p_value(p_adjusted)}"
    )
    if p_adjusted >= LEVEL:
        return f"{names} cannot be told apart: the first scores {size} {behind}."
    return f"{bare(pair.model)} scores {size} than {bare(pair.against)} {behind}."
