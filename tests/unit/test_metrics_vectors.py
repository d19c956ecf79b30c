"""The cosine of vectors: against another implementation, and with what is no vector."""

import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalbus.metrics import Batch
from evalbus.metrics.base import Note
from evalbus.metrics.vectors.cosine import cosine
from evalbus.metrics.vectors.vector_similarity import VectorSimilarity
from evalbus.templates import RowsFailed
from tests.metric_asking import ScoredRow, made, scored

# Ordinary sizes: what is far from them the other implementation cannot do.
NUMBERS = st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3) | st.just(0.0)


def theirs(left: list[float], right: list[float]) -> float:
    # Imported where it is needed: it takes longer than all of these tests.
    from sklearn.metrics.pairwise import cosine_similarity  # type: ignore[import-untyped]

    return float(cosine_similarity([left], [right])[0][0])


def similarity(left: Any, right: Any) -> ScoredRow:
    metric = made(VectorSimilarity, left="{{ item.left }}", right="{{ item.right }}")
    return scored(metric, {"left": left, "right": right})


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20))
def test_it_agrees_with_scikit_learn(pairs: list[tuple[float, float]]) -> None:
    # given
    left, right = [a for a, _ in pairs], [b for _, b in pairs]

    # when
    row = similarity(left, right)

    # then
    if any(left) and any(right):
        assert row.values[0] == pytest.approx(theirs(left, right), abs=1e-12)
    else:
        assert row.code == "zero_vector"


def test_zeros_have_no_direction_where_scikit_learn_says_that_they_are_unlike() -> None:
    row = similarity([0, 0], [1, 2])

    assert math.isnan(row.values[0])
    assert row.code == "zero_vector"
    assert theirs([0, 0], [1, 2]) == 0.0


@pytest.mark.parametrize(
    ("left", "right", "value"),
    [
        ([1, 0], [0, 1], 0.0),
        ([3, 4], [6, 8], 1.0),
        ([3, 4], [-3, -4], -1.0),
        ([2], [5], 1.0),
        ([1e308, 1e308], [1e308, 1e308], 1.0),
        ([1e308, 1e308], [1e308, -1e308], 0.0),
        ([5e-324, 0], [1e308, 0], 1.0),
        ("[3, 4]", [6.0, 8], 1.0),
        ("[1e2, -0.5]", " [200, -1] ", 1.0),
    ],
)
def test_it_is_exact_where_it_can_be_and_bears_numbers_of_any_size(
    left: Any, right: Any, value: float
) -> None:
    row = similarity(left, right)

    assert (row.values, row.code) == ([value], "")


def test_a_vector_is_exactly_as_itself_and_never_outside_of_the_range() -> None:
    # given
    source = random.Random(7)
    vectors = [
        tuple(source.gauss(0, 10.0 ** source.randint(-150, 150)) for _ in range(9))
        for _ in range(500)
    ]

    # then
    for vector in vectors:
        near = tuple(part * (1 + 1e-15) for part in vector)
        found = cosine(vector, near)
        assert cosine(vector, vector) == 1.0
        assert cosine(vector, tuple(-part for part in vector)) == -1.0
        assert not isinstance(found, Note)
        assert -1.0 <= found <= 1.0


def test_the_order_of_the_dimensions_does_not_matter() -> None:
    # given
    source = random.Random(8)
    pairs = [(source.gauss(0, 1), source.gauss(0, 1)) for _ in range(1000)]
    shuffled = source.sample(pairs, len(pairs))

    # then
    assert similarity(*map(list, zip(*pairs, strict=True))).values == (
        similarity(*map(list, zip(*shuffled, strict=True))).values
    )


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        (None, "no_candidate"),
        ("", "unparsable"),
        ("1, 2", "unparsable"),
        ("[1, NaN]", "unparsable"),
        ("[1, 2", "unparsable"),
        ("\ud800", "unparsable"),
        ("x" * 1_000_000, "unparsable"),
        ("[" * 1_000_000, "unparsable"),
        (7, "unparsable"),
        (True, "unparsable"),
        ({"a": 1}, "unparsable"),
        ([1, "2"], "unparsable"),
        ([1, None], "unparsable"),
        ([1, True], "unparsable"),
        ([[1, 2]], "unparsable"),
        ([1], "unparsable"),
        ([1, 2, 3], "unparsable"),
        ([], "unparsable"),
        ([0, -0.0], "zero_vector"),
        ([1, math.inf], "non_finite"),
        ([math.nan, 1], "non_finite"),
        ([1, 10**400], "non_finite"),
    ],
)
def test_what_is_no_vector_is_no_score_and_says_why(given_: Any, reason: str) -> None:
    # when
    as_left, as_right = similarity(given_, [1, 2]), similarity([1, 2], given_)

    # then
    assert math.isnan(as_left.values[0])
    assert math.isnan(as_right.values[0])
    assert as_left.code == reason
    assert as_right.code == ("no_reference" if reason == "no_candidate" else reason)


def test_rows_score_alone_as_in_company_and_a_missing_field_is_named() -> None:
    # given
    metric = made(VectorSimilarity, left="{{ item.left }}", right="{{ item.right }}")
    rows: list[dict[str, Any]] = [
        {"left": [1, 2], "right": [3, 4]},
        {"left": None, "right": [1]},
        {"left": [1], "right": [1]},
    ]

    # when
    together = metric.score(Batch(rows, [{}] * 3))
    alone = [scored(metric, row) for row in rows]
    with pytest.raises(RowsFailed) as raised:
        metric.score(Batch([{"left": [1]}], [{}]))

    # then
    assert [str(value) for value in together.values[0]] == [str(one.values[0]) for one in alone]
    assert {row: note.code for row, note in together.notes.items()} == {1: "no_candidate"}
    assert set(raised.value.errors) == {0}
