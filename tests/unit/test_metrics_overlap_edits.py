"""Levenshtein similarity, and word and character error rates beside jiwer."""

import math
from collections.abc import Sequence
from typing import Any

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalbus.metrics import Batch, build_metric
from evalbus.metrics.overlap.multisets import shared_size
from evalbus.testing import corpus_of, score_row
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.scoring import REFERENCE, a_plugin

# No lone tab or line break: there jiwer and we differ, see below.
WORDS = st.sampled_from(["a", "b", "The", "the", "café", "قطة", "猫", "e\u0301", "😀", "x.", "\ud800"])  # fmt: skip
TEXTS = st.tuples(st.sampled_from(["", " ", "  "]), st.lists(WORDS, max_size=9)).map(
    lambda parts: parts[0] + (parts[0] or " ").join(parts[1]) + parts[0]
)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5)

JIWER = {"wer": jiwer.process_words, "cer": jiwer.process_characters}


def value(type: str, reference: object, candidate: str, **parameters: Any) -> float:
    plugin = {"type": type, "reference": REFERENCE, **parameters}
    found = score_row(plugin, item={"reference": reference}, output_text=candidate)  # type: ignore[dict-item]  # JSON
    return found[type]


def rows_of(pairs: Sequence[tuple[str, str]]) -> list[tuple[JsonObject, str]]:
    return [({"reference": reference}, candidate) for reference, candidate in pairs]


def jiwer_of(type: str, pairs: Sequence[tuple[str, str]]) -> Any:
    return JIWER[type]([reference for reference, _ in pairs], [candidate for _, candidate in pairs])


@settings(max_examples=60)
@pytest.mark.parametrize("type", ["wer", "cer"])
@given(pairs=PAIRS)
def test_error_rates_are_those_of_jiwer_by_the_row_and_for_all(
    type: str, pairs: list[tuple[str, str]]
) -> None:
    # when
    by_row = [value(type, reference, candidate) for reference, candidate in pairs]
    whole = corpus_of({"type": type, "reference": REFERENCE}, rows=rows_of(pairs))

    # then
    assert by_row == [getattr(jiwer_of(type, [pair]), type) for pair in pairs]
    assert whole == {"corpus": getattr(jiwer_of(type, pairs), type)}


@settings(max_examples=40)
@pytest.mark.parametrize("type", ["wer", "cer"])
@given(pairs=PAIRS)
def test_the_edits_of_each_kind_are_those_of_jiwer_and_told_with_the_whole(
    type: str, pairs: list[tuple[str, str]]
) -> None:
    # given
    metric = build_metric(a_plugin(type, reference=REFERENCE), RowLimits())
    rows = rows_of(pairs)

    # when
    counts = metric.score(Batch([r for r, _ in rows], [{"output_text": t} for _, t in rows])).counts
    total: dict[str, int] = {}
    for each in counts or ():
        assert isinstance(each, dict)
        for name, number in each.items():
            total[name] = total.get(name, 0) + number
    detail = metric.whole(total).detail or {}

    # then
    wanted = jiwer_of(type, pairs)
    for kind in ("hits", "substitutions", "deletions", "insertions"):
        assert detail[kind] == getattr(wanted, kind)
    assert detail["reference_length"] == sum(map(len, wanted.references))


@pytest.mark.parametrize(
    ("type", "reference", "candidate", "wanted"),
    [
        ("wer", "", "", 0.0),
        ("wer", "", "one two three", 3.0),
        ("wer", "one two", "", 1.0),
        ("cer", "", "abc", 3.0),
        ("cer", "", " ", 0.0),
        ("wer", "a b", "x y z w", 2.0),
    ],
)
def test_an_empty_reference_gives_the_number_of_insertions(
    type: str, reference: str, candidate: str, wanted: float
) -> None:
    assert value(type, reference, candidate) == wanted


def test_nothing_is_normalized_unless_it_is_asked_for() -> None:
    assert value("wer", "hello world", "Hello world.") == 1.0
    assert value("wer", "hello world", "Hello world.", normalize="squad") == 0.0
    assert value("cer", "hello", "HELLO", normalize="casefold") == 0.0
    assert value("levenshtein", "the cat", "Cat!") == pytest.approx(1 / 7)
    assert value("levenshtein", "the cat", "Cat!", normalize="squad") == 1.0
    assert value("levenshtein", "cat", " cat", normalize="none") == 0.75
    assert value("levenshtein", "cat", " cat", normalize="strip") == 1.0


@pytest.mark.parametrize("space", ["\t", "\n", "\r", "\u00a0"])
def test_any_white_space_ends_a_word_where_jiwer_knows_only_spaces(space: str) -> None:
    assert value("wer", "hello world", f"hello{space}world") == 0.0
    assert jiwer.wer("hello world", f"hello{space}world") == 1.0


def test_the_rate_of_all_rows_is_no_mean_of_rates() -> None:
    # given one wrong word of one, and none of nine
    rows = rows_of([("a", "b"), ("a b c d e f g h i", "a b c d e f g h i")])

    # when
    whole = corpus_of({"type": "wer", "reference": REFERENCE}, rows=rows)

    # then
    assert whole == {"corpus": 0.1}


@pytest.mark.parametrize("type", ["wer", "cer"])
def test_rows_without_a_text_take_no_part(type: str) -> None:
    # given
    metric = build_metric(a_plugin(type, reference=REFERENCE), RowLimits())
    samples: list[JsonObject] = [{"output_text": "a"}, {"output_text": None}, {"output_text": "a"}]

    # when
    columns = metric.score(
        Batch([{"reference": "a"}, {"reference": "a"}, {"reference": None}], samples)
    )

    # then
    assert [math.isnan(each) for each in columns.values[0]] == [False, True, True]
    assert {row: note.code for row, note in columns.notes.items()} == {
        1: "no_candidate",
        2: "no_reference",
    }
    assert [each is None for each in columns.counts or ()] == [False, True, True]


def distance_formula(left: str, right: str) -> int:
    row = list(range(len(right) + 1))
    for i, one in enumerate(left, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(right, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1]


@given(left=st.text(max_size=20) | TEXTS, right=st.text(max_size=20) | TEXTS)
def test_levenshtein_is_the_share_of_characters_that_stay(left: str, right: str) -> None:
    most = max(len(left), len(right))
    wanted = 1.0 if most == 0 else 1 - distance_formula(left, right) / most

    assert value("levenshtein", left, right) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("type", ["levenshtein", "wer", "cer"])
def test_texts_may_be_anything_that_json_can_hold(type: str) -> None:
    for odd in (4, 4.5, True, {"b": [1, {"a": None}]}, [None], "\ud800", "", " ", "\x00", 10**30):
        # when
        found = score_row(
            {"type": type, "reference": REFERENCE, "candidate": REFERENCE},
            item={"reference": odd},  # type: ignore[dict-item]  # JSON
        )

        # then
        assert found == {type: 1.0 if type == "levenshtein" else 0.0}, odd


@pytest.mark.parametrize("type", ["levenshtein", "wer", "cer"])
def test_a_long_text_that_is_much_the_same_is_compared(type: str) -> None:
    # given a text of 230,000 characters in 60,000 words, and one word more at its end
    text = "the cat sat on the mat " * 10_000

    # when
    found = value(type, text, text + "again")

    # then
    assert 0 <= (1 - found if type == "levenshtein" else found) < 1e-4


@given(left=st.lists(st.integers(0, 3), max_size=9), right=st.lists(st.integers(0, 3), max_size=9))
def test_multisets_share_what_stands_on_both_sides(left: list[int], right: list[int]) -> None:
    wanted = sum(min(left.count(one), right.count(one)) for one in set(left))

    assert shared_size(left, right) == shared_size(right, left) == wanted
