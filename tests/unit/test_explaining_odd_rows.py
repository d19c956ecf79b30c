"""Explanations bear whatever rows there are, and the same rows give the same bytes."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from evalbus_schemas.explanations import Explanations
from tests.explained import EXACT, NAN, a_job_to_explain, an_answer, explained, rows_of
from tests.without_effect import explanations_without_effect

ROOT = Path(__file__).parents[2]
ODD_ITEMS: Sequence[str | None] = (
    None,
    "{}",
    "[1, 2]",
    '"text"',
    '{"a": ' * 90 + "1" + "}" * 90,
    '{"half": "\\ud800"}',
    '{"nul": "a\\u0000b", "": "no name", "a.b": 1, "a": {"b": 2}}',
    json.dumps({"long": "x" * 60_000, "digits": "9" * 5000, "list": [[[]]], "none": None}),
    json.dumps({"n": 10**400, "small": -(10**400), "float": 1e308}),
    json.dumps({"x" * 5000: "y", "\u202e": "right to left"}),
    json.dumps({f"field {number}": number for number in range(500)}),
    '{"formula": "=cmd()", "mark": "[bold]"}',
)
ODD_SCORES = (NAN, float("inf"), -float("inf"), 1e308, -1e308, 5e-324, 0.0, -0.0, 1.0)


def parsed_again(explanations: Explanations) -> Explanations:
    """As somebody who asked gets it: below 1 MiB, and nothing in it that JSON has not."""
    written = explanations.model_dump_json().encode()
    assert len(written) < 1024 * 1024
    return Explanations.model_validate_json(written)


def test_odd_items_and_odd_scores_are_borne() -> None:
    items = [ODD_ITEMS[number % len(ODD_ITEMS)] for number in range(240)]
    answers = [
        an_answer(
            ODD_SCORES[number % len(ODD_SCORES)],
            sample=[None, "[]", '{"output_text": {"a": 1}}', '{"output_text": "\\u0000"}'][
                number % 4
            ],
            errors=[
                {"metric": None, "stage": "sample", "code": "c" * 999, "message": "\x00" * 999}
            ],
        )
        for number in range(240)
    ]

    explanations = explained(a_job_to_explain(240), rows_of(items, answers))

    assert parsed_again(explanations) == explanations
    assert explanations.metric_independent[0].rows.too_long == 20


@pytest.mark.parametrize("scores", [[], [1.0], [NAN], [NAN] * 50, [1.0] * 50, [1e308, -1e308] * 30])
def test_few_rows_and_scores_that_never_vary_are_borne(scores: list[float]) -> None:
    items = [{"question": f"q {number}"} for number in range(len(scores))]
    job = a_job_to_explain(len(scores), models=("one", "two"), slices=("hard",))
    answers = [an_answer(score) for score in scores]

    explanations = explained(job, rows_of(items, answers, answers))

    assert parsed_again(explanations) == explanations
    (score,) = explanations.metric_dependent
    assert score.drivers.found == ()
    assert score.disagreements.differing == 0


def test_an_answer_has_room_for_as_much_as_fits_and_says_what_is_left_out() -> None:
    models = tuple(f"model-{number}" for number in range(64))
    metrics = tuple(EXACT | {"name": f"exact-{number}"} for number in range(30))
    job = a_job_to_explain(30, models=models, metrics=metrics, datasets=("one", "two", "three"))
    answers = [[an_answer(*[number % 2] * 30, text="x" * 500) for number in range(30)]] * 64
    rows = rows_of([{"question": "y" * 500, "number": number} for number in range(30)], *answers)

    explanations = explained(job, rows, rows, rows)

    assert parsed_again(explanations) == explanations
    assert len(explanations.metric_independent) == 3
    assert explanations.metric_dependent
    assert explanations.left_out == 90 - len(explanations.metric_dependent)


def test_the_same_rows_give_the_same_bytes_however_they_come() -> None:
    job = a_job_to_explain(200)
    items = [{"question": "w " * (number % 17), "level": "ab"[number % 2]} for number in range(200)]
    rows = rows_of(items, [an_answer(float(number % 17 > 5)) for number in range(200)])

    whole, by_seven = explained(job, rows), explained(job, rows, at_a_time=7)

    assert whole.model_dump_json() == by_seven.model_dump_json()
    assert whole.metric_dependent[0].drivers.found


def test_the_same_rows_give_the_same_bytes_in_every_process() -> None:
    script = (
        "from tests.without_effect import explanations_without_effect as e;"
        "print(e(1).model_dump_json(), end='')"
    )

    said = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert said == explanations_without_effect(1).model_dump_json()
