"""ROUGE beside recorded values of the rouge-score package, and in the scripts which that does not know."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalbus.metrics import Batch, build_metric
from evalbus.metrics.overlap.rouge_words import STEM_KEPT_CHARACTERS_MAX, RougeWords
from evalbus.metrics.overlap.union_lcs import union_lcs
from evalbus.testing import score_row
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.scoring import REFERENCE, a_plugin

RECORDED = json.loads(
    (Path(__file__).parents[1] / "golden_scores" / "rouge_score.json").read_text()
)
SCORES = ("rouge_1_score", "rouge_2_score", "rouge_3_score", "rouge_L_score", "rouge_Lsum_score")

PERFECT = dict.fromkeys(SCORES, 1.0)
NOTHING = dict.fromkeys(SCORES, 0.0)


def rouge(reference: object, candidate: str, **parameters: Any) -> dict[str, float]:
    plugin = {"type": "rouge", "reference": REFERENCE, **parameters}
    return score_row(plugin, item={"reference": reference}, output_text=candidate)  # type: ignore[dict-item]  # JSON


@pytest.mark.parametrize("stemmer", [True, False])
def test_english_has_the_values_of_rouge_score_to_the_last_bit(stemmer: bool) -> None:
    # given
    vectors = [vector for vector in RECORDED["vectors"] if vector["stemmer"] is stemmer]
    metric = build_metric(a_plugin("rouge", reference=REFERENCE, stemmer=stemmer), RowLimits())
    items: list[JsonObject] = [{"reference": vector["references"]} for vector in vectors]
    samples: list[JsonObject] = [{"output_text": vector["candidate"]} for vector in vectors]

    # when
    columns = metric.score(Batch(items, samples))

    # then
    assert len(vectors) > 150
    for vector, *found in zip(vectors, *columns.values, strict=True):
        assert found == vector["f"], vector


@pytest.mark.parametrize(
    "text",
    [
        "今天天气很好",
        "القطة جلست على الحصيرة",
        "חתול ישב על השטיח",
        "кошка сидела на ковре",
        "हिन्दी में एक वाक्य",
        "แมวนั่งบนเสื่อ",
        "ネコはマットの上に座った",
        "고양이가 매트 위에 앉았다",
        "Größe naïve café",
        "𝟙 𝟚 𝟛",
    ],
)
def test_equal_texts_of_any_script_are_equal(text: str) -> None:
    assert rouge(text, text) == PERFECT


def test_scripts_without_spaces_are_compared_letter_by_letter() -> None:
    # given three of four letters, and two of three pairs
    found = rouge("我爱北京", "我爱北海")

    assert found["rouge_1_score"] == 0.75
    assert found["rouge_2_score"] == pytest.approx(2 / 3)
    assert found["rouge_L_score"] == 0.75


def test_words_with_marks_stay_whole() -> None:
    assert RougeWords(stemmer=False).of("हिन्दी café cafe\u0301 ภู snake_case") == [
        *("हिन्दी", "café", "café"),
        *("ภู", "snake", "case"),
    ]


def test_an_accent_counts_the_same_as_a_character_of_its_own() -> None:
    assert rouge("caf\u00e9 noir au lait", "cafe\u0301 noir au lait") == PERFECT


@pytest.mark.parametrize("text", ["", " \n ", "...", "😀", "_"])
def test_a_text_without_words_has_nothing_to_share(text: str) -> None:
    assert rouge(text, text) == NOTHING
    assert rouge("the cat", text) == NOTHING
    assert rouge(text, "the cat") == NOTHING


@given(text=st.text(alphabet=st.characters(max_codepoint=127), max_size=40))
def test_ascii_has_the_same_words_with_and_without_other_characters_beside_it(text: str) -> None:
    # given
    words = RougeWords(stemmer=False)

    # then
    assert words.of(f"{text} é") == [*words.of(text), "é"]


@given(text=st.text(max_size=40))
def test_the_words_of_the_lines_are_those_of_the_text(text: str) -> None:
    words = RougeWords(stemmer=False)

    assert [word for line in words.of_lines(text) for word in line] == words.of(text)


def test_endings_count_only_without_the_stemmer() -> None:
    assert rouge("the cats were running", "the cat were run") == PERFECT
    assert rouge("the cats were running", "the cat were run", stemmer=False)["rouge_1_score"] == 0.5


def test_a_word_too_long_to_be_kept_has_the_same_stem() -> None:
    words = RougeWords(stemmer=True)
    kept, not_kept = "ab" * (STEM_KEPT_CHARACTERS_MAX // 3), "ab" * STEM_KEPT_CHARACTERS_MAX

    assert words.of(f"{kept}ing {not_kept}ing") == [kept, not_kept]


def lcs_formula(left: Sequence[int], right: Sequence[int]) -> list[int]:
    """The table, and the way back through it that rouge-score takes."""
    table = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i, one in enumerate(left, 1):
        for j, other in enumerate(right, 1):
            table[i][j] = (
                table[i - 1][j - 1] + 1
                if one == other
                else max(table[i - 1][j], table[i][j - 1])
            )  # fmt: skip
    places: list[int] = []
    i, j = len(left), len(right)
    while i and j:
        if left[i - 1] == right[j - 1]:
            i, j = i - 1, j - 1
            places.append(i)
        elif table[i][j - 1] > table[i - 1][j]:
            j -= 1
        else:
            i -= 1
    return places


LINES = st.lists(st.lists(st.integers(0, 4), max_size=12), max_size=4)


@settings(max_examples=300)
@given(reference=LINES, candidate=LINES)
def test_the_union_of_subsequences_is_that_of_the_table(
    reference: list[list[int]], candidate: list[list[int]]
) -> None:
    # given
    wanted = [
        line[place]
        for line in reference
        for place in {place for other in candidate for place in lcs_formula(line, other)}
    ]

    # then
    assert sorted(union_lcs(reference, candidate)) == sorted(wanted)


def test_the_best_of_several_references_counts_for_each_score() -> None:
    # given one with the same words, one with the same order
    found = rouge(["c b a", "a b x x x x", None], "a b c")

    assert found["rouge_1_score"] == 1.0
    assert found["rouge_2_score"] == pytest.approx(2 * (1 / 2) * (1 / 5) / (1 / 2 + 1 / 5))


def test_texts_may_be_anything_that_json_can_hold() -> None:
    for odd in (4, 4.5, True, {"b": [1, {"a": "x"}]}, "a\ud800", "\x00a", 10**30):
        assert rouge(odd, "nothing of it") == NOTHING
        found = score_row(
            {"type": "rouge", "reference": REFERENCE, "candidate": REFERENCE},
            item={"reference": odd},  # type: ignore[dict-item]  # JSON
        )
        assert found["rouge_1_score"] == 1.0


def test_a_text_of_a_million_characters_is_compared() -> None:
    text = "the cat sat on the mat " * 43_500

    assert rouge(text, text, stemmer=False) == PERFECT
