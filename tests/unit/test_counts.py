"""Adding up what rows count: whole numbers, whichever rows come first."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbus.store.counts import Sum
from evalbus_schemas.scores import Counts

whole_numbers = st.integers(-(2**63), 2**64 - 1)
by_place = st.none() | st.tuples(whole_numbers, whole_numbers)
by_name = st.none() | st.dictionaries(st.sampled_from(["a", "b", "ü", "\0", ""]), whole_numbers)
rows_of = st.lists(st.lists(by_place, max_size=3)) | st.lists(st.lists(by_name, max_size=3))


def added(rows: Sequence[Sequence[Counts | None]]) -> Sum:
    """Each row with its repeats."""
    total = Sum()
    for row in rows:
        total.add_row(row)
    return total


def test_nothing_adds_up_to_nothing() -> None:
    assert (added([]).total, added([]).count) == (None, 0)
    assert (added([[None], []]).total, added([[None], []]).count) == (None, 0)


def test_places_add_up_place_by_place_and_names_by_name() -> None:
    assert added([[(1, 2)], [(3, 4)]]).total == (4, 6)
    assert added([[{"a": 1, "b": 2}], [{"b": 3, "c": 4}]]).total == {"a": 1, "b": 5, "c": 4}


def test_a_row_takes_part_once_with_all_of_its_repeats() -> None:
    total = added([[(1,), None, (2,)], [None, None], [(4,)]])

    assert (total.total, total.count) == ((7,), 2)


def test_a_row_that_counts_nothing_takes_part() -> None:
    assert (added([[{}]]).total, added([[{}]]).count) == ({}, 1)
    assert (added([[()], [()]]).total, added([[()], [()]]).count) == ((), 2)


def test_names_beyond_all_measure_are_no_sum() -> None:
    total = Sum(names_max=2)
    total.add_row([{"a": 1, "b": 1}, {"a": 1}])

    with pytest.raises(TypeError, match="more than 2 names"):
        total.add_row([{"c": 1}])


@given(rows=rows_of, chance=st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_that_of_names_can_be_seen(
    rows: list[list[Counts | None]], chance: Random
) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)

    one, other = added(rows), added(shuffled)

    assert (one.total, one.count) == (other.total, other.count)
    if isinstance(one.total, dict) and isinstance(other.total, dict):
        assert list(one.total) == list(other.total)


def test_adding_changes_nothing_that_was_given() -> None:
    first = {"a": 1}

    added([[first], [{"a": 2}]])

    assert first == {"a": 1}


@pytest.mark.parametrize(
    "rows",
    [
        [[(1,)], [{"a": 1}]],
        [[{"a": 1}], [(1,)]],
        [[(1,)], [(1, 2)]],
        [[(), (1,)]],
    ],
)
def test_rows_that_count_in_different_ways_do_not_add_up(
    rows: list[list[Counts | None]],
) -> None:
    with pytest.raises(TypeError):
        added(rows)
