"""What pass-at-k makes of attempts: 1 or 0 for each, and the unbiased estimate over those of a row."""

import math
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbus.errors import Invalid
from evalbus.metrics import Batch, Metric, build_metric
from evalbus.testing import score_row
from evalbus_schemas.chunks import RowLimits
from tests.scoring import OUTPUT, REFERENCE, a_plugin

EXACT = {"type": "exact-match", "reference": REFERENCE}
DIFFERENCE = {
    "type": "calibration",
    "probability": "{{ item.p }}",
    "outcome": "{{ item.y }}",
}


def built(**parameters: Any) -> Metric:
    return build_metric(a_plugin("pass-at-k", **{"of": EXACT} | parameters), RowLimits())


@given(attempts=st.lists(st.sampled_from([0.0, 1.0]), max_size=8), k=st.integers(1, 9))
def test_the_estimate_is_the_share_of_all_choices_of_k_attempts_with_one_that_passed(
    attempts: list[float], k: int
) -> None:
    # given
    over_repeats = built(k=[k]).scores[0].over_repeats

    # when
    found = over_repeats(attempts)

    # then
    choices = [max(choice) for choice in combinations(attempts, k)]
    wanted = sum(choices) / len(choices) if choices else math.nan
    assert found == pytest.approx(wanted, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    ("attempts", "k", "value"),
    [
        ([1.0], 1, 1.0),
        ([0.0, 0.0], 2, 0.0),
        ([1.0, 0.0, 0.0, 0.0, 0.0], 1, 0.2),
        ([1.0, 0.0, 0.0, 0.0, 0.0], 5, 1.0),
        ([1.0, 0.0, math.nan, 0.0], 3, 1.0),
        ([1.0, 0.0, math.nan, 0.0], 4, math.nan),
        ([math.nan], 1, math.nan),
        ([], 1, math.nan),
        ([1.0] * 5 + [0.0] * 95, 10, 0.4162476033905361),
    ],
)
def test_attempts_without_a_value_do_not_count_and_too_few_give_none(
    attempts: list[float], k: int, value: float
) -> None:
    assert built(k=[k]).scores[0].over_repeats(attempts) == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(
    ("threshold", "p", "passed"), [(0.25, 0.5, 1.0), (0.24, 0.5, 0.0), (0.25, 0.75, 1.0)]
)
def test_where_lower_is_better_an_attempt_passes_up_to_the_threshold(
    threshold: float, p: float, passed: float
) -> None:
    # given
    plugin = {"type": "pass-at-k", "of": DIFFERENCE, "score": "brier", "threshold": threshold}

    # when
    found = score_row(plugin, item={"p": p, "y": 1})

    # then
    assert found == {"pass_at_1": passed}


def test_a_threshold_may_be_lower_than_a_full_score() -> None:
    # given
    plugin = {"type": "pass-at-k", "of": EXACT | {"type": "f1"}, "threshold": 0.5, "k": [1, 3]}

    # when
    good = score_row(plugin, item={"reference": "x y"}, output_text="x")
    bad = score_row(plugin, item={"reference": "x y z u"}, output_text="x")

    # then
    assert good == {"pass_at_1": 1.0, "pass_at_3": 1.0}
    assert bad == {"pass_at_1": 0.0, "pass_at_3": 0.0}


def test_an_attempt_without_a_score_has_none_for_the_reason_of_the_other_metric() -> None:
    # given
    batch = Batch([{"reference": None}, {"reference": "a"}], [{"output_text": "a"}] * 2)

    # when
    columns = built().score(batch)

    # then
    assert math.isnan(columns.values[0][0])
    assert columns.values[0][1] == 1.0
    assert {row: note.code for row, note in columns.notes.items()} == {0: "no_reference"}


def test_templates_are_those_of_the_other_metric() -> None:
    assert {name: template.text for name, template in built().templates().items()} == {
        "of.reference": REFERENCE,
        "of.candidate": "{{ sample.output_text }}",
    }


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"of": {}}, "of.name|of.type"),
        ({"of": {"type": "exact-mach"}}, "of: unknown metric type 'exact-mach'.*'exact-match'"),
        ({"of": {"type": "exact-match"}}, "reference: Field required"),
        ({"of": EXACT | {"surprise": 1}}, "unknown parameter 'surprise'"),
        ({"of": {"type": "pass-at-k", "of": EXACT}}, "another metric than itself"),
        ({"of": DIFFERENCE}, "score: is needed, because it has several .*brier, log_loss"),
        ({"score": "f1"}, "score: has no 'f1' .*exact-match"),
        ({"k": [1, 1]}, "k: a number stands there twice"),
        ({"k": [0]}, "k.0: "),
        ({"k": []}, "k: "),
    ],
)
def test_a_wrong_other_metric_is_refused_with_a_sentence(
    parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        built(**parameters)


def test_number_check_keeps_its_reason_and_other_operations() -> None:
    # given
    plugin = {
        "type": "pass-at-k",
        "of": {
            "type": "number-check",
            "operation": ">",
            "left_template": OUTPUT,
            "right_template": "3",
        },
    }

    # then
    assert score_row(plugin, item={"output": "it is 4"}) == {"pass_at_1": 1.0}
    assert math.isnan(score_row(plugin, item={"output": "none"})["pass_at_1"])
