"""What calibration says of probabilities: scikit-learn's losses, and an error over bins that adds up exactly."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalbus.metrics import Batch, Metric, build_metric
from evalbus.testing import corpus_of, score_row
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.scoring import a_plugin

TEMPLATES: JsonObject = {"probability": "{{ item.p }}", "outcome": "{{ item.y }}"}
PLUGIN: JsonObject = {"type": "calibration", **TEMPLATES}

PROBABILITIES = st.one_of(
    st.floats(0, 1),
    st.integers(0, 100).map(lambda percent: percent / 100),
    st.sampled_from([0.0, 1.0, 5e-324, 1 - 2**-53, 0.1, 0.3, 0.7]),
)
FORECASTS = st.lists(st.tuples(PROBABILITIES, st.integers(0, 1)), min_size=1, max_size=40)


def items(forecasts: Sequence[tuple[float, int]]) -> list[JsonObject]:
    return [{"p": p, "y": y} for p, y in forecasts]


def calibration(**parameters: Any) -> Metric:
    return build_metric(a_plugin("calibration", **TEMPLATES | parameters), RowLimits())


def ece(forecasts: Sequence[tuple[float, int]], bins: int = 10) -> float:
    rows = [(item, "") for item in items(forecasts)]
    return corpus_of({**PLUGIN, "bins": bins}, rows=rows)["ece"]


@settings(max_examples=60, deadline=None)
@given(forecasts=FORECASTS)
def test_brier_score_and_log_loss_are_those_of_scikit_learn(
    forecasts: list[tuple[float, int]],
) -> None:
    from sklearn import metrics as sk  # type: ignore[import-untyped]

    # when
    columns = calibration().score(Batch(items(forecasts), [{}] * len(forecasts)))

    # then
    brier, log_loss = (math.fsum(column) / len(column) for column in columns.values)
    stated, happened = [p for p, _ in forecasts], [y for _, y in forecasts]
    assert brier == pytest.approx(
        sk.brier_score_loss(happened, stated, pos_label=1), rel=1e-12, abs=1e-15
    )
    assert log_loss == pytest.approx(
        sk.log_loss(happened, stated, labels=[0, 1]), rel=1e-12, abs=1e-15
    )


@settings(max_examples=60, deadline=None)
@given(forecasts=FORECASTS, bins=st.sampled_from([1, 2, 10, 64]))
def test_the_calibration_error_is_that_of_the_plain_formula(
    forecasts: list[tuple[float, int]], bins: int
) -> None:
    # given
    stated = np.array([p for p, _ in forecasts])
    happened = np.array([y for _, y in forecasts], dtype=float)
    places = np.minimum((stated * bins).astype(int), bins - 1)
    wanted = sum(
        mask.mean() * abs(stated[mask].mean() - happened[mask].mean())
        for mask in (places == place for place in range(bins))
        if mask.any()
    )

    # then
    assert ece(forecasts, bins) == pytest.approx(wanted, abs=1.2e-10)


def test_a_probability_on_a_border_belongs_to_the_bin_that_begins_there() -> None:
    # given
    metric = calibration(bins=100)
    forecasts = [(percent / 100, 1) for percent in range(101)]

    # when
    counts = metric.score(Batch(items(forecasts), [{}] * 101)).counts

    # then
    assert counts is not None
    places = [next(iter(count)).split()[0] for count in counts if isinstance(count, dict)]
    assert places == [*(str(place) for place in range(100)), "99"]


def test_the_reliability_table_says_what_is_in_each_bin() -> None:
    # given
    metric = calibration(bins=2)
    columns = metric.score(Batch(items([(0.5, 1), (1.0, 0), (0.75, 1)]), [{}] * 3))
    total: dict[str, int] = {}
    for count in columns.counts or ():
        assert isinstance(count, dict)
        total |= {name: total.get(name, 0) + number for name, number in count.items()}

    # when
    whole = metric.whole(total)

    # then
    assert whole.detail == {
        "bins": [
            {"from": 0.0, "to": 0.5, "rows": 0, "mean_probability": None, "mean_outcome": None},
            {"from": 0.5, "to": 1.0, "rows": 3, "mean_probability": 0.75, "mean_outcome": 2 / 3},
        ]
    }
    assert list(whole.values) == pytest.approx([1 / 12])


def test_a_wrong_certainty_has_a_finite_loss() -> None:
    # when
    found = score_row(PLUGIN, item={"p": 1, "y": 0})

    # then
    assert found == {"brier": 1.0, "log_loss": pytest.approx(52 * math.log(2))}


def test_a_right_certainty_has_the_least_loss_that_scikit_learn_knows() -> None:
    # when
    found = score_row(PLUGIN, item={"p": 1, "y": 1})

    # then
    assert found == {"brier": 0.0, "log_loss": pytest.approx(2**-52, rel=1e-6, abs=0)}


@pytest.mark.parametrize("outcome", [True, 1, 1.0, "1", " 1.0 "])
@pytest.mark.parametrize("probability", [0.75, "0.75", " 7.5e-1\n"])
def test_numbers_may_stand_there_as_text(probability: Any, outcome: Any) -> None:
    assert score_row(PLUGIN, item={"p": probability, "y": outcome})["brier"] == 0.0625


@pytest.mark.parametrize(
    ("probability", "outcome", "reason"),
    [
        (None, 1, "no_candidate"),
        (0.5, None, "no_reference"),
        (1.5, 1, "unparsable"),
        (-0.1, 1, "unparsable"),
        ("50%", 1, "unparsable"),
        ("likely", 1, "unparsable"),
        ("nan", 1, "unparsable"),
        ("inf", 1, "unparsable"),
        (True, 1, "unparsable"),
        (10**400, 1, "unparsable"),
        ("9" * 1_000_000, 1, "unparsable"),
        ("\ud800", 1, "unparsable"),
        ([0.5], 1, "unparsable"),
        (0.5, 2, "unparsable"),
        (0.5, "yes", "unparsable"),
        (0.5, {"y": 1}, "unparsable"),
    ],
)
def test_what_is_no_probability_or_outcome_gives_no_score_and_is_not_counted(
    probability: Any, outcome: Any, reason: str
) -> None:
    # when
    columns = calibration().score(Batch([{"p": probability, "y": outcome}], [{}]))

    # then
    assert [math.isnan(column[0]) for column in columns.values] == [True, True]
    assert columns.notes[0].code == reason
    assert columns.counts == [None]
