"""How many expected calls were made, where every call made counts for one expected call only."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal, assert_never

from evalbus.metrics.checks.tool_calls import Call

Order = Literal["any", "exact"]
Arguments = Literal["exact", "subset", "ignore"]

Fits = Callable[[Call, Call], bool]
"""Whether an expected call is satisfied by one that was made."""


def fits_by(arguments: Arguments) -> Fits:
    match arguments:
        case "exact":
            return _same
        case "subset":
            return _has_arguments_of
        case "ignore":
            return same_name
        case _:
            assert_never(arguments)


def same_name(expected: Call, made: Call) -> bool:
    return expected.name == made.name


def _same(expected: Call, made: Call) -> bool:
    return expected == made


def _has_arguments_of(expected: Call, made: Call) -> bool:
    return expected.name == made.name and expected.given <= made.given


def matched(expected: Sequence[Call], made: Sequence[Call], fits: Fits, order: Order) -> int:
    """The most pairs that fit; in exact order only such that do not cross."""
    match order:
        case "any":
            return _pairs(expected, made, fits)
        case "exact":
            return _pairs_in_order(expected, made, fits)
        case _:
            assert_never(order)


def _pairs(expected: Sequence[Call], made: Sequence[Call], fits: Fits) -> int:
    """A maximum matching of the two sides by augmenting paths (Berge 1957), each found breadth first."""
    fitting = [[at for at, call in enumerate(made) if fits(wanted, call)] for wanted in expected]
    of_expected: dict[int, int] = {}
    of_made: dict[int, int] = {}
    for start in range(len(expected)):
        came_from: dict[int, int] = {}
        waiting = deque([start])
        while waiting:
            place = waiting.popleft()
            new = [at for at in fitting[place] if at not in came_from]
            came_from |= dict.fromkeys(new, place)
            free = next((at for at in new if at not in of_made), None)
            if free is not None:
                _rewire(free, came_from, of_expected, of_made)
                break
            waiting.extend(of_made[at] for at in new)
    return len(of_made)


def _rewire(
    free: int, came_from: dict[int, int], of_expected: dict[int, int], of_made: dict[int, int]
) -> None:
    """Everybody on the way to the free call takes the next one on it."""
    at: int | None = free
    while at is not None:
        place = came_from[at]
        of_made[at] = place
        before = of_expected.get(place)
        of_expected[place] = at
        at = before


def _pairs_in_order(expected: Sequence[Call], made: Sequence[Call], fits: Fits) -> int:
    """The longest common subsequence (Wagner and Fischer 1974)."""
    best = [0] * (len(made) + 1)
    for wanted in expected:
        diagonal = 0
        for at, call in enumerate(made, start=1):
            above = best[at]
            best[at] = max(above, best[at - 1], diagonal + fits(wanted, call))
            diagonal = above
    return best[-1]
