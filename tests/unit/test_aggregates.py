"""The numbers of a result: exact, in range, and the same as everybody else's who computes them."""

import dataclasses
import math
import time
from array import array
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evalbus.errors import NoResult
from evalbus.metrics import Batch, Columns, Metric, RubricLevel, ScoreDeclaration, Whole
from evalbus.results.aggregates import aggregate, corpus_statistics, statistics
from evalbus.store.ports import CountedMetric, ScoreColumn
from evalbus.templates import Template
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import Benchmark, Dataset, MetricPlugin, Plugin, ScoreDirection
from evalbus_schemas.scores import (
    PERCENTILES,
    Counts,
    Histogram,
    Percentiles,
    ScoreStatistics,
)
from tests.nist import SETS

NAN = math.nan
TINY = 5e-324
HUGE = 1.7976931348623157e308


def a_column(values: Sequence[float], *, n_failed: int = 0) -> ScoreColumn:
    return ScoreColumn(
        dataset="default/capitals",
        model="default/baseline",
        metric="default/judge",
        score="judge",
        n_failed=n_failed,
        values=values,
    )


def a_declaration(
    *,
    direction: ScoreDirection = "higher",
    minimum: float | None = None,
    maximum: float | None = None,
    rubric: Sequence[tuple[str, float]] = (),
) -> ScoreDeclaration:
    return ScoreDeclaration(
        name="judge",
        direction=direction,
        minimum=minimum,
        maximum=maximum,
        rubric=tuple(
            RubricLevel(label=label, value=value, description=f"is {label}")
            for label, value in rubric
        ),
    )


def of(*values: float) -> ScoreStatistics:
    return statistics(a_column(values), a_declaration())


def percentiles_of(score: ScoreStatistics) -> list[float]:
    assert score.percentiles is not None
    return [getattr(score.percentiles, f"p{percent}") for percent in PERCENTILES]


def counts_of(score: ScoreStatistics) -> list[int]:
    assert score.histogram is not None
    return [found.count for found in score.histogram.bins]


finite = st.floats(allow_nan=False, allow_infinity=False)
# Ties are what interpolation is wrong about most easily.
tied = st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.41, 1.0, -1.0, 1e16, 1e16 + 2])
extreme = st.sampled_from([TINY, -TINY, HUGE, -HUGE, 1e308, -1e308, 2.2250738585072014e-308, -0.0])
samples = st.lists(finite, min_size=1, max_size=40) | st.lists(
    tied | extreme, min_size=1, max_size=40
)
no_values = st.sampled_from([NAN, math.inf, -math.inf])


# --- golden numbers -----------------------------------------------------------------------------


def test_five_rows_of_which_three_match() -> None:
    score = of(0.0, 0.0, 1.0, 1.0, 1.0)

    assert (score.count, score.nan_count, score.sum, score.mean) == (5, 0, 3.0, 0.6)
    assert (score.min, score.max, score.variance) == (0.0, 1.0, 0.24)
    assert score.std_dev == pytest.approx(0.48989794855663565, rel=1e-15)
    assert percentiles_of(score) == [0.0, 0.0, 0.0, 0.4, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert counts_of(score) == [2, 0, 0, 0, 0, 0, 0, 0, 0, 3]
    assert score.score_type == "range"


def test_five_rows_of_which_four_match() -> None:
    score = of(1.0, 1.0, 0.0, 1.0, 1.0)

    assert (score.count, score.sum, score.mean, score.std_dev) == (5, 4.0, 0.8, 0.4)
    assert percentiles_of(score) == [0.0, 0.2, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert counts_of(score) == [1, 0, 0, 0, 0, 0, 0, 0, 0, 4]


@pytest.mark.parametrize("name", SETS)
def test_certified_values_are_met(name: str) -> None:
    certified = SETS[name]
    score = of(*certified.values)
    # The values of NumAcc4 as floats have this deviation: what their decimals have is lost before anything is computed.
    precision = 1e-8 if name == "NumAcc4" else 1e-9

    assert score.count == len(certified.values)
    assert score.mean == pytest.approx(float(certified.mean), rel=1e-14)
    assert score.std_dev is not None
    of_the_sample = score.std_dev * math.sqrt(score.count / (score.count - 1))
    assert of_the_sample == pytest.approx(float(Decimal(certified.deviation)), rel=precision)


@pytest.mark.parametrize("name", SETS)
def test_certified_sets_are_computed_exactly(name: str) -> None:
    values = SETS[name].values

    assert_exact(of(*values), values)


# --- sums, means and deviations -----------------------------------------------------------------


def nearest(number: Fraction) -> float | None:
    try:
        return float(number)
    except OverflowError:
        return None


def assert_exact(score: ScoreStatistics, values: Sequence[float]) -> None:
    total = sum(map(Fraction, values))
    mean = Fraction(total) / len(values)
    variance = sum(((Fraction(value) - mean) ** 2 for value in values), Fraction(0)) / len(values)
    assert score.sum == nearest(Fraction(total))
    assert score.mean == nearest(mean)
    assert score.variance is not None or nearest(variance) is None
    assert (score.min, score.max) == (min(values), max(values))
    # What is smaller by 150 digits than the largest value is lost in its square.
    lost = Fraction(max(map(abs, values))) ** 2 * Fraction(1, 10**300) + Fraction(TINY)
    if score.variance is not None:
        assert abs(Fraction(score.variance) - variance) <= variance / 10**15 + lost
    assert score.std_dev is not None
    root = Fraction(score.std_dev) ** 2
    assert abs(root - variance) <= variance / 10**14 + lost


@settings(deadline=None, max_examples=500)
@given(samples)
@example([1e16, 1e16 + 2])
@example([1e308, -1e308, TINY])
@example([HUGE] * 10)
@example([-HUGE] * 3 + [HUGE])
@example([TINY] * 7)
@example([0.1] * 10)
@example([0.1, -0.1, 1e-300])
@example([1e200, 1e-200])
def test_every_statistic_is_the_exact_one_rounded_once(values: list[float]) -> None:
    assert_exact(of(*values), values)


@settings(deadline=None)
@given(samples, st.randoms(use_true_random=True), no_values)
def test_neither_order_nor_what_is_no_number_changes_a_statistic(
    values: list[float], chance: Random, no_value: float
) -> None:
    before = of(*values)
    mixed = [*values, no_value]
    chance.shuffle(mixed)

    after = of(*mixed)

    unchanged = {"n_rows", "nan_count"}
    assert after.model_dump_json(exclude=unchanged) == before.model_dump_json(exclude=unchanged)
    assert (after.n_rows, after.nan_count) == (len(values) + 1, 1)


def test_a_sum_beyond_the_largest_float_is_none_and_the_mean_is_there_all_the_same() -> None:
    score = of(HUGE, HUGE)

    assert (score.sum, score.mean, score.variance, score.std_dev) == (None, HUGE, 0.0, 0.0)


def test_a_variance_beyond_the_largest_float_is_none_and_the_deviation_is_there() -> None:
    score = of(1e308, -1e308)

    assert (score.sum, score.mean, score.variance, score.std_dev) == (0.0, 0.0, None, 1e308)


def test_equal_values_have_no_deviation() -> None:
    score = of(*[0.1] * 7)

    assert (score.mean, score.variance, score.std_dev) == (0.1, 0.0, 0.0)


def test_a_large_offset_does_not_hide_a_small_deviation() -> None:
    assert of(1e16, 1e16 + 2).variance == 1.0
    assert of(2.0**53, 2.0**53 + 2, 2.0**53 + 4).std_dev == pytest.approx(math.sqrt(8 / 3))


def test_a_statistic_can_always_be_sent() -> None:
    for values in ([HUGE, -HUGE, TINY], [NAN], [math.inf, -math.inf, 1.0], [-0.0, 0.0]):
        score = of(*values)

        assert ScoreStatistics.model_validate_json(score.model_dump_json()) == score


def test_zero_has_no_sign() -> None:
    score = of(-0.0, -0.0)

    assert "-0" not in score.model_dump_json()


@pytest.mark.parametrize("values", [[], [NAN], [NAN, math.inf, -math.inf]])
def test_of_nothing_there_is_no_statistic(values: list[float]) -> None:
    score = of(*values)

    assert (score.count, score.nan_count, score.n_rows) == (0, len(values), len(values))
    assert (score.sum, score.mean, score.min, score.max) == (None,) * 4
    assert (score.variance, score.std_dev, score.percentiles) == (None,) * 3
    assert score.histogram == Histogram(bins=())
    assert score.mode_category is None


def test_an_infinite_value_is_counted_like_one_that_is_not_there() -> None:
    score = of(1.0, math.inf, -math.inf, NAN)

    assert (score.count, score.nan_count, score.n_rows, score.max) == (1, 3, 4, 1.0)


# --- percentiles --------------------------------------------------------------------------------


@settings(deadline=None, max_examples=500)
@given(
    st.lists(st.floats(-1e6, 1e6) | tied, min_size=1, max_size=60), st.lists(no_values, max_size=3)
)
@example([0.3], [])
@example([0.1] * 9, [])
@example([0.0, 1.0], [NAN])
def test_percentiles_are_those_of_the_weibull_definition(
    values: list[float], others: list[float]
) -> None:
    score = of(*values, *others)

    expected = np.percentile(values, PERCENTILES, method="weibull")
    # Its positions are rounded, so it is off by that much of the distance between two values; and the least float
    # there is has no half.
    off = 1e-12 * max(map(abs, values)) + 5e-324
    np.testing.assert_allclose(percentiles_of(score), expected, rtol=1e-12, atol=off)


@settings(deadline=None)
@given(samples)
def test_percentiles_are_exact(values: list[float]) -> None:
    ordered = [Fraction(value) for value in sorted(values)]

    expected: list[Fraction] = []
    for percent in PERCENTILES:
        rank = Fraction(percent, 100) * (len(ordered) + 1)
        whole = int(rank)
        if whole < 1:
            expected.append(ordered[0])
        elif whole >= len(ordered):
            expected.append(ordered[-1])
        else:
            left, right = ordered[whole - 1 : whole + 1]
            expected.append(left * (1 - rank % 1) + right * (rank % 1))

    assert percentiles_of(of(*values)) == [float(number) for number in expected]


@settings(deadline=None)
@given(samples)
def test_percentiles_ascend_within_the_range_to_the_largest_value(values: list[float]) -> None:
    found = percentiles_of(of(*values))

    assert found == sorted(found)
    assert min(values) <= found[0]
    assert found[-1] == max(values)


def test_percentiles_say_by_which_definition() -> None:
    score = of(1.0, 2.0)

    assert isinstance(score.percentiles, Percentiles)
    assert score.percentiles.method == "hyndman-fan-6"


# --- histogram ----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=500)
@given(samples)
@example([0.0, 0.41, 0.41, 0.41])
@example([0.0, TINY])
@example([0.0, TINY, 2 * TINY, 9 * TINY, 10 * TINY])
@example([1e308, -1e308])
@example([HUGE, -HUGE, 0.0])
@example([1e16, 1e16 + 2])
@example([0.1, 0.1 + 1e-17, 0.30000000000000004, 0.3])
@example([i / 10 for i in range(11)])
@example([1.0] * 4)
def test_every_value_lies_in_the_bin_that_counts_it(values: list[float]) -> None:
    score = of(*values)

    assert score.histogram
    bins = score.histogram.bins
    last = len(bins) - 1
    assert sum(counts_of(score)) == score.count == len(values)
    for number, found in enumerate(bins):
        inside = [
            value
            for value in values
            if found.lower_bound <= value
            and (value < found.upper_bound or (number == last and value == found.upper_bound))
        ]
        assert found.count == len(inside)


@settings(deadline=None)
@given(samples)
def test_bins_follow_each_other_from_the_least_to_the_largest_value(values: list[float]) -> None:
    histogram = of(*values).histogram

    assert histogram
    bins = histogram.bins
    assert len(bins) == (1 if min(values) == max(values) else 10)
    assert (bins[0].lower_bound, bins[-1].upper_bound) == (min(values), max(values))
    for left, right in pairwise(bins):
        assert left.lower_bound <= left.upper_bound == right.lower_bound <= right.upper_bound


def test_bins_of_zero_to_one_begin_at_tenths() -> None:
    histogram = of(0.0, 1.0).histogram

    assert histogram
    assert [found.lower_bound for found in histogram.bins] == [n / 10 for n in range(10)]


def test_equal_values_are_one_bin() -> None:
    assert of(0.7, 0.7, 0.7, NAN).model_dump()["histogram"] == {
        "bins": ({"lower_bound": 0.7, "upper_bound": 0.7, "count": 3},)
    }


# --- rubric -------------------------------------------------------------------------------------

LEVELS = [("poor", 1.0), ("good", 3.0), ("fair", 2.0), ("excellent", 4.0)]


def labelled(*values: float, direction: ScoreDirection = "higher") -> ScoreStatistics:
    return statistics(a_column(values), a_declaration(direction=direction, rubric=LEVELS))


def test_a_rubric_is_counted_in_declared_order_with_labels_that_nobody_got() -> None:
    score = labelled(3.0, 1.0, NAN, 3.0)

    assert score.score_type == "rubric"
    assert score.rubric_distribution
    assert [(level.label, level.value, level.count) for level in score.rubric_distribution] == [
        ("poor", 1.0, 1),
        ("good", 3.0, 2),
        ("fair", 2.0, 0),
        ("excellent", 4.0, 0),
    ]
    assert score.rubric_distribution[1].description == "is good"
    assert score.mode_category == "good"
    assert (score.percentiles, score.histogram) == (None, None)
    assert score.count == 3
    assert score.mean == pytest.approx(7 / 3)


def test_of_labels_as_frequent_the_first_of_the_alphabet_is_the_mode() -> None:
    assert labelled(1.0, 3.0, 2.0).mode_category == "fair"
    assert labelled(1.0, 3.0, 3.0, 1.0).mode_category == "good"


@pytest.mark.parametrize("values", [[], [NAN, math.inf]])
def test_without_any_label_there_is_no_mode_and_every_label_is_listed(values: list[float]) -> None:
    score = labelled(*values)

    assert score.mode_category is None
    assert score.rubric_distribution
    assert [level.count for level in score.rubric_distribution] == [0, 0, 0, 0]


@settings(deadline=None)
@given(st.lists(st.sampled_from([1.0, 2.0, 3.0, 4.0, NAN]), max_size=50))
def test_counts_of_labels_add_up(values: list[float]) -> None:
    score = labelled(*values)

    assert score.rubric_distribution
    assert sum(level.count for level in score.rubric_distribution) == score.count
    for level in score.rubric_distribution:
        assert level.count == values.count(level.value)


@pytest.mark.parametrize(
    "levels", [[("good", 1.0), ("good", 2.0)], [("good", 1.0), ("fair", 1.0)], [("good", NAN)]]
)
def test_a_rubric_whose_levels_cannot_be_told_apart_is_none(
    levels: list[tuple[str, float]],
) -> None:
    with pytest.raises(ValueError, match="rubric of judge"):
        a_declaration(rubric=levels)


# --- failures as the worst value ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("direction", "minimum", "maximum", "expected"),
    [
        ("higher", 0.0, 1.0, 0.5),
        ("higher", -1.0, None, 0.25),
        ("higher", None, 1.0, None),
        ("lower", 0.0, 1.0, 0.75),
        ("lower", None, 9.0, 2.75),
        ("lower", 0.0, None, None),
        ("none", 0.0, 1.0, None),
    ],
)
def test_a_failed_row_can_count_as_the_worst_value_of_the_range(
    direction: ScoreDirection,
    minimum: float | None,
    maximum: float | None,
    expected: float | None,
) -> None:
    column = a_column([1.0, 0.5, NAN, 0.5, NAN], n_failed=1)
    declaration = a_declaration(direction=direction, minimum=minimum, maximum=maximum)

    score = statistics(column, declaration)

    assert score.mean_failures_as_worst == expected
    assert (score.n_failed, score.nan_count) == (1, 2)
    assert score.mean == pytest.approx(2 / 3)


def test_when_every_row_failed_the_mean_is_the_worst_value() -> None:
    column = a_column([NAN, NAN], n_failed=2)

    assert statistics(column, a_declaration(minimum=0.25)).mean_failures_as_worst == 0.25


def test_without_a_row_there_is_no_such_mean() -> None:
    assert statistics(a_column([]), a_declaration(minimum=0.0)).mean_failures_as_worst is None
    assert statistics(a_column([NAN]), a_declaration(minimum=0.0)).mean_failures_as_worst is None


@pytest.mark.parametrize(("direction", "expected"), [("higher", 2.0), ("lower", 3.5)])
def test_the_levels_of_a_rubric_are_its_range(direction: ScoreDirection, expected: float) -> None:
    column = a_column([3.0, NAN], n_failed=1)

    score = statistics(column, a_declaration(direction=direction, rubric=LEVELS))

    assert score.mean_failures_as_worst == expected


# --- whole results ------------------------------------------------------------------------------


def test_each_metric_is_an_entry_in_the_order_of_the_benchmark() -> None:
    benchmark = Benchmark(
        name="capitals",
        datasets=(Dataset(name="capitals", source="capitals.jsonl"),),
        models=(Plugin(name="baseline", type="recorded"),),
        metrics=(
            MetricPlugin.model_validate(
                {"name": "second", "type": "exact-match", "reference": "{{ item.reference }}"}
            ),
            MetricPlugin.model_validate(
                {"name": "first", "type": "f1", "reference": "{{ item.reference }}"}
            ),
        ),
    )
    columns = [
        ScoreColumn(
            dataset="default/capitals",
            model="default/baseline",
            metric=f"default/{metric}",
            score=score,
            n_failed=1,
            values=[value, NAN],
        )
        for metric, score, value in (("second", "exact-match", 1.0), ("first", "f1", 0.5))
    ]

    results = aggregate(benchmark, columns, ())

    assert [(result.metric, result.scores[0].name) for result in results] == [
        ("default/second", "exact-match"),
        ("default/first", "f1"),
    ]
    assert [result.scores[0].mean for result in results] == [1.0, 0.5]
    assert [result.scores[0].mean_failures_as_worst for result in results] == [0.5, 0.25]


def a_counted(total: Counts | None, *, count: int = 3, n_rows: int = 5) -> CountedMetric:
    return CountedMetric(
        dataset="default/capitals",
        model="default/baseline",
        metric="default/topic",
        total=total,
        count=count,
        n_rows=n_rows,
        n_failed=1,
    )


class Fixed(Metric):
    """A metric of which only what it makes of the whole matters."""

    formula = source = "the test"
    scores = (ScoreDeclaration(name="one", direction="higher"),)
    corpus = (
        ScoreDeclaration(name="first", direction="higher"),
        ScoreDeclaration(name="second", direction="lower"),
    )

    def __init__(self, *values: float, detail: JsonObject | None = None) -> None:
        self._whole = Whole(values=values, detail=detail)

    def templates(self) -> Mapping[str, Template]:
        return {}

    def score(self, batch: Batch) -> Columns:
        raise NotImplementedError

    def whole(self, total: Counts) -> Whole:
        return self._whole


def test_scores_of_the_whole_stand_behind_those_of_rows_with_what_the_metric_says() -> None:
    # given
    benchmark = Benchmark(
        name="topics",
        datasets=(Dataset(name="capitals", source="capitals.jsonl"),),
        models=(Plugin(name="baseline", type="recorded"),),
        metrics=(
            MetricPlugin.model_validate({"name": "em", "type": "exact-match", "reference": "x"}),
            MetricPlugin.model_validate(
                {"name": "error", "type": "wer", "reference": "{{ item.reference }}"}
            ),
        ),
    )
    columns = [
        ScoreColumn(
            dataset="default/capitals",
            model="default/baseline",
            metric=f"default/{metric}",
            score=score,
            n_failed=0,
            values=[1.0],
        )
        for metric, score in (("em", "exact-match"), ("error", "wer"))
    ]
    total = {
        "hits": 6, "substitutions": 1, "deletions": 1, "insertions": 2, "reference_length": 8,
    }  # fmt: skip
    counted = dataclasses.replace(a_counted(total), metric="default/error")

    # when
    plain, rate = aggregate(benchmark, columns, [counted])

    # then
    assert [(score.name, score.scope) for score in rate.scores] == [
        ("wer", "row"),
        ("corpus", "corpus"),
    ]
    assert (rate.scores[1].value, rate.scores[1].mean) == (0.5, 0.5)
    assert (rate.detail, plain.detail) == (total, None)
    assert [score.scope for score in plain.scores] == ["row"]


def test_a_score_of_the_whole_counts_the_rows_that_took_part() -> None:
    (first, second), detail = corpus_statistics(a_counted((1,)), Fixed(0.25, 3.0))

    assert (first.name, first.value, second.name, second.value) == ("first", 0.25, "second", 3.0)
    assert (first.count, first.nan_count, first.n_rows, first.n_failed) == (3, 2, 5, 1)
    assert detail is None


@pytest.mark.parametrize("value", [NAN, math.inf, -math.inf])
def test_what_is_no_number_is_no_value_of_the_whole(value: float) -> None:
    (first, second), detail = corpus_statistics(
        a_counted((1,)), Fixed(value, 1.0, detail={"why": "none"})
    )

    assert (first.value, first.mean, first.count) == (None, None, 3)
    assert second.value == 1.0
    assert detail == {"why": "none"}


def test_without_a_row_that_takes_part_the_metric_is_not_asked() -> None:
    counted = a_counted(None, count=0, n_rows=2)

    scores, detail = corpus_statistics(counted, Fixed(1.0, 1.0, detail={"n": 1}))

    assert [(score.name, score.value, score.count, score.nan_count) for score in scores] == [
        ("first", None, 0, 2),
        ("second", None, 0, 2),
    ]
    assert detail is None


@pytest.mark.parametrize("values", [(), (1.0,), (1.0, 2.0, 3.0)])
def test_a_metric_that_gives_too_few_or_too_many_values_of_the_whole_is_found_out(
    values: Sequence[float],
) -> None:
    with pytest.raises(NoResult, match=f"wanted 2 values, found {len(values)}"):
        corpus_statistics(a_counted((1,)), Fixed(*values))


def test_a_metric_that_would_end_the_service_is_named_instead() -> None:
    class Quitting(Fixed):
        def whole(self, total: Counts) -> Whole:
            raise SystemExit("no more")

    with pytest.raises(NoResult, match="SystemExit: no more"):
        corpus_statistics(a_counted((1,)), Quitting(1.0, 1.0))


def test_a_score_of_the_whole_has_no_field_that_only_rows_have() -> None:
    (first, _), _ = corpus_statistics(a_counted((1,)), Fixed(0.25, 3.0))

    assert first.model_dump().keys() == {
        "name",
        "scope",
        "value",
        "mean",
        "count",
        "nan_count",
        "n_rows",
        "n_failed",
        "confidence_interval",
    }


@pytest.mark.parametrize("kind", ["random", "zero or one", "any magnitude"])
def test_a_million_values_take_a_moment(kind: str) -> None:
    """Of the processor's time, and far from what anything quadratic would take."""
    chance = np.random.default_rng(1)
    made = {
        "random": chance.random(1_000_000),
        "zero or one": chance.integers(0, 2, 1_000_000).astype(float),
        "any magnitude": np.ldexp(
            chance.random(1_000_000), chance.integers(-1000, 1000, 1_000_000)
        ),
    }[kind]
    column = a_column(array("d", made.tobytes()))

    seconds = min(_seconds(column) for _ in range(3))

    assert seconds < 2.0


def _seconds(column: ScoreColumn) -> float:
    started = time.process_time()
    statistics(column, a_declaration(minimum=0.0))
    return time.process_time() - started
