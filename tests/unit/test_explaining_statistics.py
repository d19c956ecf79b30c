"""The statistics of explanations, beside those of a library that is used for nothing else."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]  # it brings no types

from evalbus.results.explaining.exact_tests import fisher, holm, sign_test
from evalbus.results.explaining.intervals import (
    of_correlation,
    of_difference,
    of_mean,
    t_quantile,
)
from evalbus.results.explaining.ranks import (
    centred,
    correlation,
    p_of_correlation,
    p_of_groups,
    ranks,
    usual_of,
)

Numbers = NDArray[np.float64]

SEEDS = range(6)


def drawn(seed: int, *, levels: int | None = None, rows: int = 200) -> tuple[Numbers, Numbers]:
    """Two columns that have something to do with each other; with few levels there are many ties."""
    chance = np.random.default_rng(seed)
    xs = chance.normal(size=rows)
    ys = 0.3 * xs + chance.normal(size=rows)
    if levels is not None:
        xs, ys = np.floor(xs * levels / 4), np.floor(ys * levels / 4)
    return xs, ys


def rho_of(xs: Numbers, ys: Numbers) -> float:
    first, second = centred(ranks(xs)), centred(ranks(ys))
    assert first is not None
    assert second is not None
    return correlation(first, second)


@pytest.mark.parametrize("levels", [None, 3, 12])
@pytest.mark.parametrize("seed", SEEDS)
def test_ranks_and_their_correlation_are_those_of_spearman(seed: int, levels: int | None) -> None:
    xs, ys = drawn(seed, levels=levels)

    expected: Any = stats.spearmanr(xs, ys)

    assert ranks(xs).tolist() == stats.rankdata(xs).tolist()
    assert math.isclose(rho_of(xs, ys), expected.statistic, abs_tol=1e-12)
    # Theirs goes by Student's distribution, whose tails are lighter: ours is never bolder.
    assert expected.pvalue * 0.99 <= p_of_correlation(rho_of(xs, ys), len(xs))


@pytest.mark.parametrize("levels", [None, 12])
@pytest.mark.parametrize("seed", SEEDS)
def test_two_groups_are_compared_as_mann_and_whitney_do(seed: int, levels: int | None) -> None:
    inside, ys = drawn(seed)[0] > 0.5, drawn(seed, levels=levels)[1]
    rho = rho_of(inside.astype(np.float64), ys)

    expected: Any = stats.mannwhitneyu(
        ys[inside], ys[~inside], use_continuity=False, method="asymptotic"
    )

    assert math.isclose(p_of_groups(rho, inside, ys, usual_of(ys)), expected.pvalue, rel_tol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_groups_of_two_values_are_compared_as_fisher_does(seed: int) -> None:
    chance = np.random.default_rng(seed)
    rows = int(chance.integers(12, 3000))
    inside = chance.random(rows) < chance.random()
    values = (chance.random(rows) < chance.random()).astype(np.float64)
    table = [[int((inside == a)[values == b].sum()) for a in (True, False)] for b in (0.0, 1.0)]

    expected = float(stats.fisher_exact(table)[1])

    found = fisher(both=table[0][0], first=int(inside.sum()), second=sum(table[0]), count=rows)
    assert math.isclose(found, expected, rel_tol=1e-6)


def test_nearly_equal_values_are_never_more_certain_than_fisher_says() -> None:
    values = np.ones(1000)
    values[:10] = np.linspace(0, 0.9, 10)
    inside = np.zeros(1000, dtype=bool)
    inside[:3] = inside[500:517] = True
    rho = rho_of(inside.astype(np.float64), values)

    p = p_of_groups(rho, inside, values, usual_of(values))

    assert p_of_correlation(rho, 1000) < 1e-6
    assert math.isclose(p, float(stats.fisher_exact([[3, 17], [7, 973]])[1]), rel_tol=1e-6)


@pytest.mark.parametrize(("more", "less"), [(0, 0), (3, 17), (500, 500), (9000, 11000), (0, 7)])
def test_a_split_is_judged_as_the_binomial_distribution_does(more: int, less: int) -> None:
    expected = float(stats.binomtest(more, more + less).pvalue) if more + less else 1.0

    assert math.isclose(sign_test(more=more, less=less), expected, rel_tol=1e-9)


def test_p_values_are_adjusted_in_steps_and_never_change_their_order() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("freedom", [9.0, 20.0, 38.5, 1000.0])
@pytest.mark.parametrize("p", [0.975, 0.9995, 0.99999])
def test_quantiles_are_those_of_student(p: float, freedom: float) -> None:
    assert math.isclose(t_quantile(p, freedom), float(stats.t.ppf(p, freedom)), rel_tol=5e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_interval_of_a_difference_is_that_of_welch(seed: int) -> None:
    inside, outside = drawn(seed, rows=30)[0] * 3, drawn(seed, rows=200)[1]

    low, high = of_difference(inside, outside, level=0.95)

    result: Any = stats.ttest_ind(inside, outside, equal_var=False)
    expected = result.confidence_interval()
    assert math.isclose(low, expected.low, rel_tol=1e-4)
    assert math.isclose(high, expected.high, rel_tol=1e-4)


def test_the_interval_of_a_difference_of_shares_is_that_of_newcombe() -> None:
    """Newcombe 1998, table II: 56/70 against 48/80 gives 0.0524 to 0.3339."""
    inside = np.repeat([1.0, 0.0], [56, 14])
    outside = np.repeat([1.0, 0.0], [48, 32])

    low, high = of_difference(inside, outside, level=0.95)
    certain = of_difference(np.zeros(25), np.ones(40), level=0.95)

    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)
    assert certain[0] == -1.0
    assert certain[1] < -0.8


def test_the_interval_of_a_mean_is_that_of_student() -> None:
    values = drawn(3, rows=40)[0]

    low, high = of_mean(values, level=0.95)

    expected = stats.t.interval(0.95, 39, loc=values.mean(), scale=stats.sem(values))
    assert (low, high) == pytest.approx(expected, rel=1e-4)


def test_the_interval_of_a_correlation_holds_as_often_as_it_says() -> None:
    """Of 400 samples of two columns whose ranks correlate by 6/π·asin(0.3/2)."""
    true = 6 / math.pi * math.asin(0.3 / math.sqrt(1.09) / 2)
    held = 0
    for seed in range(400):
        low, high = of_correlation(rho_of(*drawn(seed, rows=60)), 60, level=0.95)
        held += low <= true <= high

    assert 0.92 <= held / 400 <= 0.98
    assert of_correlation(1.0, 60, level=0.95) == (1.0, 1.0)


def test_a_column_that_never_varies_goes_with_nothing() -> None:
    assert centred(np.full(30, 0.1)) is None
