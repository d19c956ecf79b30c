"""How a score agrees with people: as published, as others compute it, and the same whatever the order of the rows."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import permutations, product
from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr  # type: ignore[import-untyped]
from sklearn.metrics import cohen_kappa_score  # type: ignore[import-untyped]

from evalbus.metrics import RubricLevel, ScoreDeclaration
from evalbus.results.aggregates import statistics
from evalbus.results.agreement import agreement
from evalbus.results.categories import CategoryPairs
from evalbus.store.ports import ScoreColumn
from evalbus_schemas.scores import CATEGORIES_MAX, Agreement

NAN = math.nan
HUGE = 1.7976931348623157e308
MEASURES = (
    *("raw", "kappa", "weighted_kappa", "alpha", "pearson", "spearman"),
    *("mean_difference", "mean_absolute_difference"),
)


Column = Sequence[float] | NDArray[np.float64]


def a_score(levels: Column = ()) -> ScoreDeclaration:
    rubric = tuple(RubricLevel(label=f"level {value}", value=float(value)) for value in levels)
    return ScoreDeclaration(name="judge", direction="higher", rubric=rubric)


def of(values: Column, truths: Column, *, levels: Column = ()) -> Agreement:
    return agreement(
        np.asarray(values, np.float64), np.asarray(truths, np.float64), a_score(levels)
    )


def measures_of(found: Agreement) -> dict[str, float | None]:
    return {name: getattr(found, name) for name in MEASURES}


# --- published examples -------------------------------------------------------------------------


def test_alpha_of_two_observers_and_binary_data_is_that_of_krippendorff_2011() -> None:
    meg = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    owen = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]

    found = of(meg, owen)

    assert found.alpha == pytest.approx(0.095, abs=5e-4)
    assert (found.alpha_level, found.raw) == ("nominal", 0.6)


def test_alpha_of_two_observers_and_five_categories_is_that_of_krippendorff_2011() -> None:
    ben, gerry = "aabbdcccedda", "babbbcccedd"
    pairs = list(zip([*map(ord, ben)], [*map(ord, gerry + "d")], strict=True))

    # Categories of more than two levels count as ordered, so the nominal one is asked for by itself.
    assert alpha_by_coincidences(pairs, unequal) == pytest.approx(0.692, abs=5e-4)
    assert nominal(pairs) == alpha_by_coincidences(pairs, unequal)


def test_kappa_of_fifty_proposals_read_by_two() -> None:
    values = [1.0] * 20 + [1.0] * 5 + [0.0] * 10 + [0.0] * 15
    truths = [1.0] * 20 + [0.0] * 5 + [1.0] * 10 + [0.0] * 15

    found = of(values, truths)

    # p_o = 35/50, p_e = 1/2.
    assert (found.raw, found.kappa, found.weighted_kappa) == (0.7, 0.4, 0.4)


# --- the definitions, spelt out -------------------------------------------------------------------

Distance = Callable[[float, float, Counter[float]], Fraction]


def unequal(left: float, right: float, _: Counter[float]) -> Fraction:
    return Fraction(left != right)


def ranks_apart(left: float, right: float, counts: Counter[float]) -> Fraction:
    low, high = sorted((left, right))
    between = sum(count for value, count in counts.items() if low <= value <= high)
    return (between - Fraction(counts[low] + counts[high], 2)) ** 2 if low != high else Fraction(0)


def squared(left: float, right: float, _: Counter[float]) -> Fraction:
    return (Fraction(left) - Fraction(right)) ** 2


def alpha_by_coincidences(
    units: Sequence[Sequence[float | None]], distance: Distance
) -> float | None:
    """Krippendorff's alpha by its definition, of any number of raters some of whom said nothing."""
    rated = [[value for value in unit if value is not None] for unit in units]
    rated = [values for values in rated if len(values) > 1]
    counts = Counter(value for values in rated for value in values)
    n = sum(counts.values())
    observed = sum(
        (
            distance(left, right, counts) / (len(values) - 1)
            for values in rated
            for left, right in permutations(values, 2)
        ),
        Fraction(0),
    )
    expected = sum(
        (
            counts[left] * counts[right] * distance(left, right, counts)
            for left, right in product(counts, repeat=2)
        ),
        Fraction(0),
    )
    return float(1 - (n - 1) * observed / expected) if expected else None


def nominal(pairs: Sequence[tuple[float, float]]) -> float | None:
    left, right = (np.asarray(side, np.float64) for side in zip(*pairs, strict=True))
    found = CategoryPairs.of(left, right, [])
    assert found is not None
    return found.nominal_alpha()


def test_the_definition_spelt_out_gives_the_published_values_of_four_observers() -> None:
    observers = (
        (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
        (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
        (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
        (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
    )
    units = list(zip(*observers, strict=True))

    assert alpha_by_coincidences(units, unequal) == pytest.approx(0.743, abs=5e-4)
    assert alpha_by_coincidences(units, ranks_apart) == pytest.approx(0.815, abs=5e-4)
    assert alpha_by_coincidences(units, squared) == pytest.approx(0.849, abs=5e-4)


def nearly(number: float | None) -> object:
    return number if number is None else pytest.approx(number, rel=1e-12, abs=1e-15)


said_or_not = st.sampled_from([0.0, 1.0, 2.0, 5.0, NAN, -math.inf])
rows = st.lists(st.tuples(said_or_not, said_or_not), max_size=30)


def both(pairs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [pair for pair in pairs if all(map(math.isfinite, pair))]


@settings(deadline=None, max_examples=300)
@given(rows)
@example([])
@example([(1.0, 1.0)])
@example([(1.0, 2.0)])
@example([(1.0, NAN), (NAN, 2.0)])
@example([(0.0, 0.0), (1.0, 1.0), (5.0, 1.0)])
def test_alpha_is_that_of_the_definition_at_every_level(pairs: list[tuple[float, float]]) -> None:
    values, truths = [left for left, _ in pairs], [right for _, right in pairs]

    number = of(values, truths)
    graded = of(values, truths, levels=[0.0, 1.0, 2.0, 5.0])
    two = of([min(v, 1.0) for v in values], [min(t, 1.0) for t in truths], levels=[0.0, 1.0])

    clipped = [(min(left, 1.0), min(right, 1.0)) for left, right in both(pairs)]
    assert number.alpha == nearly(alpha_by_coincidences(both(pairs), squared))
    assert graded.alpha == nearly(alpha_by_coincidences(both(pairs), ranks_apart))
    assert two.alpha == nearly(alpha_by_coincidences(clipped, unequal))
    assert (graded.alpha_level, two.alpha_level) == ("ordinal", "nominal")


def test_of_two_categories_every_level_gives_the_same_alpha() -> None:
    pairs = [(0.2, 0.2), (0.2, 0.9), (0.9, 0.9), (0.9, 0.9)]

    alphas = {alpha_by_coincidences(pairs, how) for how in (unequal, ranks_apart, squared)}

    assert alphas == {of([0.2, 0.2, 0.9, 0.9], [0.2, 0.9, 0.9, 0.9]).alpha}


# --- as others compute it -------------------------------------------------------------------------


@pytest.mark.parametrize("n_levels", [2, 3, 7, CATEGORIES_MAX])
@pytest.mark.parametrize("n_rows", [2, 40, 3000])
def test_kappas_are_those_of_scikit_learn(n_levels: int, n_rows: int) -> None:
    random = np.random.default_rng(n_levels * n_rows)
    levels = np.sort(random.normal(size=n_levels) * 10.0 ** random.integers(-3, 4))
    said = random.integers(0, n_levels, n_rows)
    scored = np.where(random.random(n_rows) < 0.6, said, random.integers(0, n_levels, n_rows))
    said[:2], scored[:2] = (0, 1), (1, 1)

    found = of(levels[scored], levels[said], levels=levels)

    labels = range(n_levels)
    assert found.kappa == pytest.approx(cohen_kappa_score(scored, said, labels=labels), rel=1e-9)
    weighted = cohen_kappa_score(scored, said, labels=labels, weights="quadratic")
    assert found.weighted_kappa == pytest.approx(weighted, rel=1e-9)
    assert found.raw == pytest.approx(np.mean(scored == said))


@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e150, 1e300])
@pytest.mark.parametrize("n_kinds", [2, 5, 100_000])
def test_correlations_are_those_of_scipy(scale: float, n_kinds: int) -> None:
    random = np.random.default_rng(n_kinds)
    truths = random.integers(0, n_kinds, 2000).astype(np.float64)
    values = truths + random.normal(size=2000) * n_kinds / 3

    found = of(values * scale, truths)

    assert found.pearson == pytest.approx(pearsonr(values, truths).statistic, rel=1e-9)
    assert found.spearman == pytest.approx(spearmanr(values, truths).statistic, rel=1e-9)
    difference = values * scale - truths
    assert found.mean_difference == pytest.approx(float(difference.mean()), rel=1e-9)
    assert found.mean_absolute_difference == pytest.approx(
        float(np.abs(difference / scale).mean() * scale), rel=1e-9
    )


def test_a_large_offset_does_not_hide_a_correlation() -> None:
    found = of([1e16, 1e16 + 2, 1e16 + 4], [3.0, 1.0, 2.0])

    assert found.pearson == pytest.approx(-0.5, rel=1e-15)


# --- what cannot be said --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "truths", "without_truth", "without_value"),
    [([], [], 0, 0), ([NAN], [NAN], 0, 0), ([1.0, NAN, 2.0], [NAN, 3.0, math.inf], 2, 1)],
)
def test_without_a_row_that_has_both_there_is_no_agreement(
    values: list[float], truths: list[float], without_truth: int, without_value: int
) -> None:
    found = of(values, truths)

    assert measures_of(found) == dict.fromkeys(MEASURES)
    assert (found.count, found.without_truth, found.without_value) == (
        *(0, without_truth, without_value),
    )


def test_rows_with_one_of_both_are_counted_apart_and_change_nothing() -> None:
    found = of([1.0, 0.0, 1.0, 1.0, NAN, NAN], [1.0, 0.0, 0.0, NAN, 1.0, NAN])

    assert (found.count, found.without_truth, found.without_value) == (3, 1, 1)
    assert measures_of(found) == measures_of(of([1.0, 0.0, 1.0], [1.0, 0.0, 0.0]))


def test_where_everybody_says_the_same_of_every_row_only_the_share_is_known() -> None:
    found = of([1.0, 1.0, 1.0], [1.0, 1.0, 1.0])

    assert measures_of(found) == dict.fromkeys(MEASURES) | {
        "raw": 1.0,
        "mean_difference": 0.0,
        "mean_absolute_difference": 0.0,
    }


def test_a_side_that_never_varies_agrees_as_much_as_chance_and_does_not_correlate() -> None:
    found = of([1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 1.0, 1.0])

    assert (found.raw, found.kappa, found.weighted_kappa) == (0.75, 0.0, 0.0)
    assert (found.pearson, found.spearman) == (None, None)
    assert found.alpha == alpha_by_coincidences([(1, 1), (1, 0), (1, 1), (1, 1)], unequal)


def test_of_too_many_categories_there_is_no_kappa() -> None:
    few = [float(number) for number in range(CATEGORIES_MAX)]
    many = [*few, 1000.0]

    assert of(few, few).kappa == 1.0
    assert (of(many, many).kappa, of(many, many).weighted_kappa) == (None, None)
    assert (of(many, many).alpha, of(many, many).alpha_level) == (1.0, "interval")


# --- odd numbers ----------------------------------------------------------------------------------


def test_the_last_digits_of_a_number_make_no_disagreement() -> None:
    found = of([0.1 + 0.2, 1.0, 0.0, -(0.1 + 0.2)], [0.3, 1.0 + 1e-10, -0.0, -0.3])

    assert (found.raw, found.kappa, found.alpha) == (1.0, 1.0, 1.0)
    assert of([1.0, 0.0], [1.0 + 1e-8, 1e-12]).raw == 0.0


def test_numbers_at_the_ends_of_what_floats_hold_are_compared() -> None:
    found = of([HUGE, -HUGE, HUGE, 5e-324], [HUGE, -HUGE, -HUGE, 5e-324])

    assert (found.raw, found.count) == (0.75, 4)
    assert found.pearson == pytest.approx(
        pearsonr([1, -1, 1, 0], [1, -1, -1, 0]).statistic, rel=1e-12
    )
    assert found.mean_difference == HUGE / 2
    # The mean is there though the sum is not.
    assert of([HUGE], [-HUGE]).mean_difference is None
    assert Agreement.model_validate_json(found.model_dump_json()) == found


def test_a_mean_over_repeats_is_a_category_between_those_of_the_rubric() -> None:
    found = of([0.0, 1.5, 2.0], [0.0, 2.0, 2.0], levels=[0.0, 1.0, 2.0])

    # Places 0, 2, 3 and 0, 3, 3 of 0, 1, 1.5, 2.
    weighted = cohen_kappa_score([0, 2, 3], [0, 3, 3], labels=range(4), weights="quadratic")
    assert found.weighted_kappa == pytest.approx(weighted)
    assert found.alpha_level == "ordinal"


numbers = st.floats() | st.sampled_from([0.0, -0.0, 0.3, 0.1 + 0.2, 1.0, HUGE, -HUGE, 5e-324, NAN])


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(numbers, numbers), max_size=30), st.randoms(use_true_random=True))
def test_neither_order_nor_what_is_no_number_changes_an_agreement(
    pairs: list[tuple[float, float]], chance: Random
) -> None:
    before = of([left for left, _ in pairs], [right for _, right in pairs])
    mixed = [*pairs, (NAN, NAN), (math.inf, -math.inf)]
    chance.shuffle(mixed)

    after = of([left for left, _ in mixed], [right for _, right in mixed])

    assert after.model_dump_json() == before.model_dump_json()
    for name in ("kappa", "weighted_kappa", "alpha", "pearson", "spearman"):
        measure: float | None = getattr(after, name)
        assert measure is None or -1 <= measure <= 1 or name == "alpha"
    assert Agreement.model_validate_json(after.model_dump_json()) == after


def test_a_million_rows_say_what_their_hundreds_say() -> None:
    random = np.random.default_rng(7)
    said = random.integers(0, 5, 1000).astype(np.float64)
    scored = np.where(random.random(1000) < 0.7, said, 4.0)
    levels = [0.0, 1.0, 2.0, 3.0, 4.0]

    few = of(scored, said, levels=levels)
    many = of(np.tile(scored, 1000), np.tile(said, 1000), levels=levels)

    assert many.count == 1_000_000
    for name in MEASURES:
        # Of alpha a little depends on the number of rows: what it expects is drawn without putting back.
        allowed = 1e-3 if name == "alpha" else 1e-12
        assert getattr(many, name) == pytest.approx(getattr(few, name), rel=allowed)


def test_who_is_given_anybodys_truth_agrees_as_chance_would() -> None:
    random = np.random.default_rng(7)
    said = random.integers(0, 5, 100_000).astype(np.float64)

    found = of(random.permuted(said), said, levels=[0.0, 1.0, 2.0, 3.0, 4.0])

    for measure in (found.kappa, found.weighted_kappa, found.alpha, found.pearson, found.spearman):
        assert measure == pytest.approx(0.0, abs=0.01)


# --- in a result ----------------------------------------------------------------------------------


def a_column(truths: Sequence[float] | None) -> ScoreColumn:
    return ScoreColumn(
        dataset="default/capitals",
        model="default/baseline",
        metric="default/judge",
        score="judge",
        n_failed=0,
        values=[0.0, 1.0, 1.0, NAN],
        truths=truths,
    )


def test_a_score_with_a_ground_truth_tells_its_agreement_and_no_other_does() -> None:
    truths = [0.0, 1.0, 0.0, 1.0]

    with_truth = statistics(a_column(truths), a_score())
    without = statistics(a_column(None), a_score())

    assert with_truth.agreement == of([0.0, 1.0, 1.0, NAN], truths)
    assert with_truth.model_dump(exclude={"agreement"}) == without.model_dump()
    assert "agreement" in with_truth.model_dump()
    assert "agreement" not in without.model_dump()
