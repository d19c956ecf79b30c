"""Random jobs in which nothing goes with anything: whatever is found in them is a false alarm.

They are as awkward as real ones: few rows or many, scores of two values, of few, of nearly always the same and of any,
lengths with long tails, rare words, missing fields, and slices of any size.
"""

import random
from collections.abc import Callable

from evalbus_schemas.explanations import LEVEL, Explanations
from tests.explained import EXACT, NAN, a_job_to_explain, an_answer, explained, rows_of

ROWS = (30, 60, 150, 400)


def explanations_without_effect(seed: int) -> Explanations:
    chance = random.Random(seed)
    n_rows = chance.choice(ROWS)
    items = [_item(chance) for _ in range(n_rows)]
    draw = _score(chance)
    answers = [
        [an_answer(draw(), text=_text(chance), latency=chance.expovariate(1)) for _ in items]
        for _ in range(2)
    ]
    sizes = [chance.choice((0.05, 0.3, 0.5)) for _ in range(2)]
    slices = [
        sum((chance.random() < size) << place for place, size in enumerate(sizes)) for _ in items
    ]
    job = a_job_to_explain(
        n_rows, models=("small", "large"), metrics=(EXACT,), slices=("one", "two")
    )
    return explained(job, rows_of(items, *answers, slices=slices))


def findings(explanations: Explanations) -> list[str]:
    """Every sentence that says more than what the rows are."""
    return [
        text
        for score in explanations.metric_dependent
        for text in (
            *(driver.text for driver in (*score.drivers.found, *score.models.where)),
            *(pair.text for pair in score.models.pairs if pair.p_adjusted < LEVEL),
        )
    ]


def _item(chance: random.Random) -> dict[str, object]:
    item: dict[str, object] = {
        "question": _text(chance),
        "level": chance.choice(("easy", "easy", "hard", "odd")),
        "steps": min(int(chance.expovariate(0.4)), 12),
        "weight": chance.lognormvariate(0, 2),
        "flag": chance.random() < 0.1,
    }
    if chance.random() < 0.2:
        item["note"] = _text(chance)
    return item


def _text(chance: random.Random) -> str:
    words = int(chance.lognormvariate(2, 0.8)) + 1
    known = ("the", "sum", "of", "é", "apples", str(chance.randrange(1000)), "line\nbreak")
    return " ".join(chance.choice(known) for _ in range(words)) + chance.choice(("?", ".", "."))


def _score(chance: random.Random) -> Callable[[], float]:
    rate = chance.choice((0.03, 0.2, 0.5, 0.9, 0.98))
    return chance.choice(
        (
            lambda: float(chance.random() < rate),
            lambda: chance.gauss(0, 1),
            lambda: chance.choice((0.0, 0.5, 1.0)),
            lambda: 1.0 if chance.random() < rate else chance.random(),
            lambda: chance.lognormvariate(0, 2),
            lambda: NAN if chance.random() < 0.2 else float(chance.random() < rate),
        )
    )
