"""BLEU, chrF and TER beside sacrebleu: the same values for every row and for all rows together."""

import math
import random
from collections.abc import Sequence
from typing import Any

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from evalbus.errors import Invalid
from evalbus.metrics import Batch, Metric, build_metric
from evalbus.metrics.overlap.sacrebleu_counts import counts_by_row, value_of
from evalbus.testing import corpus_of, score_row
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.scores import Counts
from tests.scoring import a_plugin

ONE = ["{{ item.reference }}"]
SEVERAL = ["{{ item.references }}"]

WORDS = st.sampled_from(
    ["the", "The", "cat", "sat,", "on", "3.5%", "it's", "&amp;", "x-1", ".", "猫が", "قطة", "e\u0301", "😀", "\ud800"]
)  # fmt: skip
SENTENCES = st.lists(WORDS, max_size=9).map(" ".join)
TEXTS = st.one_of(SENTENCES, SENTENCES, st.text(max_size=30))

README_CANDIDATES = [
    "The dog bit the man.",
    "It wasn't surprising.",
    "The man had just bitten him.",
]
README_REFERENCES = [
    ["The dog bit the man.", "The dog had bit the man."],
    ["It was not unexpected.", "No one was surprised."],
    ["The man bit him first.", "The man had bitten the dog."],
]


def rows_of(
    candidates: Sequence[str], references: Sequence[Sequence[str]]
) -> list[tuple[JsonObject, str]]:
    return [
        ({"references": list(texts)}, candidate)
        for candidate, texts in zip(candidates, references, strict=True)
    ]


def scored(metric: Metric, rows: Sequence[tuple[JsonObject, str]]) -> Any:
    return metric.score(Batch([row for row, _ in rows], [{"output_text": t} for _, t in rows]))


def many_sentences() -> tuple[list[str], list[list[str]]]:
    """200 sentences with two references each, and answers that are like them."""
    chance = random.Random(37)  # the same ones in every run
    words = ["the", "a", "cat", "dog", "man", "bit", "sat", "on", "mat", "had", "not", "was", "3.5"]
    first = [chance.choices(words, k=chance.randint(3, 12)) for _ in range(200)]

    def changed(sentence: list[str]) -> str:
        return " ".join(w if chance.random() < 0.7 else chance.choice(words) for w in sentence)

    return [changed(s) for s in first], [[" ".join(s), changed(s)] for s in first]


BLEU_OPTIONS: list[dict[str, Any]] = [
    {},
    {"tokenize": "intl", "lowercase": True},
    {"tokenize": "char"},
    {"tokenize": "zh"},
    {"tokenize": "none"},
    {"smooth": "floor"},
    {"smooth": "floor", "smooth_value": 0.25},
    {"smooth": "add-k", "smooth_value": 2.0},
    {"smooth": "none"},
]
CHRF_OPTIONS: list[dict[str, Any]] = [
    {},
    {"word_order": 2},
    {"char_order": 3, "beta": 1, "lowercase": True},
    {"whitespace": True},
    {"eps_smoothing": True, "word_order": 1},
]
TER_OPTIONS: list[dict[str, Any]] = [
    {},
    {"case_sensitive": True},
    {"normalized": True},
    {"no_punct": True},
    {"normalized": True, "no_punct": True, "asian_support": True},
]


def bleu_of(options: dict[str, Any], *, effective_order: bool) -> BLEU:
    theirs = {"smooth": "smooth_method"}
    return BLEU(
        effective_order=effective_order,
        **{theirs.get(name, name): value for name, value in options.items()},
    )


def both(type: str, options: dict[str, Any]) -> tuple[dict[str, Any], Any, Any]:
    """Our metric, and sacrebleu's for a row and for all rows."""
    plugin = {"type": type, "references": SEVERAL, **options}
    match type:
        case "bleu":
            return (
                plugin,
                bleu_of(options, effective_order=True),
                bleu_of(options, effective_order=False),
            )
        case "chrf":
            return plugin, CHRF(**options), CHRF(**options)
        case _:
            return plugin, TER(**options), TER(**options)


def limited(type: str, value: float) -> float:
    """What sacrebleu gives, without its rounding errors above 100."""
    return value if type == "ter" else min(value, 100.0)


every_option = pytest.mark.parametrize(
    ("type", "options"),
    [
        *(("bleu", options) for options in BLEU_OPTIONS),
        *(("chrf", options) for options in CHRF_OPTIONS),
        *(("ter", options) for options in TER_OPTIONS),
    ],
    ids=str,
)


@every_option
@settings(max_examples=15)
@given(candidate=TEXTS, references=st.lists(TEXTS, min_size=1, max_size=3))
def test_the_value_of_a_row_is_that_of_sacrebleu(
    type: str, options: dict[str, Any], candidate: str, references: list[str]
) -> None:
    # given
    plugin, theirs, _ = both(type, options)

    # when
    item: JsonObject = {"references": [*references]}
    found = score_row(plugin, item=item, output_text=candidate)

    # then
    wanted = theirs.sentence_score(candidate, references).score
    assert found == {"sentence": limited(type, wanted)}


@every_option
def test_the_value_of_all_rows_is_that_of_sacrebleu_with_all_references(
    type: str, options: dict[str, Any]
) -> None:
    # given
    candidates, references = many_sentences()
    plugin, _, theirs = both(type, options)

    # when
    found = corpus_of(plugin, rows=rows_of(candidates, references))

    # then
    wanted = theirs.corpus_score(candidates, [list(each) for each in zip(*references, strict=True)])
    assert found == {"corpus": wanted.score}


@settings(max_examples=20)
@given(
    rows=st.lists(st.tuples(TEXTS, st.lists(TEXTS, min_size=1, max_size=3)), min_size=1, max_size=6)
)
@pytest.mark.parametrize("type", ["bleu", "chrf", "ter"])
def test_rows_may_have_different_numbers_of_references(
    type: str, rows: list[tuple[str, list[str]]]
) -> None:
    # given
    plugin, _, theirs = both(type, {})
    most = max(len(references) for _, references in rows)
    streams = [
        [references[n] if n < len(references) else None for _, references in rows]
        for n in range(most)
    ]

    # when
    found = corpus_of(plugin, rows=rows_of([c for c, _ in rows], [r for _, r in rows]))

    # then
    wanted = theirs.corpus_score([candidate for candidate, _ in rows], streams).score
    # sacrebleu adds the rounded means of three lengths; all else are integers.
    assert found["corpus"] == pytest.approx(limited(type, wanted), rel=1e-12 if type == "ter" else 0, abs=0)  # fmt: skip


def test_corpus_bleu_counts_every_reference_and_not_only_the_first() -> None:
    # given
    plugin = {"type": "bleu", "references": SEVERAL}

    # when
    with_all = corpus_of(plugin, rows=rows_of(README_CANDIDATES, README_REFERENCES))
    with_first = corpus_of(plugin, rows=rows_of(README_CANDIDATES, [r[:1] for r in README_REFERENCES]))  # fmt: skip

    # then
    assert round(with_all["corpus"], 2) == 48.53
    assert round(with_first["corpus"], 2) == 45.07


@pytest.mark.parametrize("type", ["chrf", "ter"])
def test_references_belong_to_their_rows_also_where_there_are_as_many_of_them_as_rows(
    type: str,
) -> None:
    # given two rows with two references: a square, which looks the same the other way round
    candidates = ["the cat sat on the mat", "no such thing as luck"]
    references = [["the cat sat on the mat", "no such thing as luck"], ["quite wrong", "all wrong"]]

    # when
    found = corpus_of({"type": type, "references": SEVERAL}, rows=rows_of(candidates, references))

    # then
    streams = [list(each) for each in zip(*references, strict=True)]
    theirs: Any = {"chrf": sacrebleu.corpus_chrf, "ter": sacrebleu.corpus_ter}[type]
    assert found["corpus"] == theirs(candidates, streams).score
    assert found["corpus"] != theirs(candidates, references).score


@pytest.mark.parametrize("type", ["bleu", "chrf", "ter"])
def test_two_hundred_rows_in_chunks_of_37_have_the_value_of_one_run(type: str) -> None:
    # given
    metric = build_metric(a_plugin(type, references=SEVERAL), RowLimits())
    rows = rows_of(*many_sentences())

    # when
    parts = [scored(metric, rows[start : start + 37]).counts for start in range(0, 200, 37)]
    merged = metric.whole(total([counts for part in parts for counts in part]))
    backwards = metric.whole(total([counts for part in parts for counts in part][::-1]))

    # then
    assert {"corpus": merged.values[0]} == corpus_of({"type": type, "references": SEVERAL}, rows=rows)  # fmt: skip
    assert backwards == merged


def total(counts: Sequence[Counts]) -> Counts:
    if isinstance(counts[0], tuple):
        return tuple(map(sum, zip(*counts, strict=True)))
    added: dict[str, int] = {}
    for each in counts:
        assert isinstance(each, dict)
        for name, number in each.items():
            added[name] = added.get(name, 0) + number
    return added


@pytest.mark.parametrize("type", ["bleu", "chrf", "ter"])
def test_counts_are_integers_and_only_of_rows_that_take_part(type: str) -> None:
    # given
    metric = build_metric(a_plugin(type, references=SEVERAL), RowLimits())
    rows: list[tuple[JsonObject, str]] = [
        ({"references": ["a b", "c", "d"]}, "a c"),
        ({"references": None}, "a c"),
        ({"references": [None, "a"]}, ""),
    ]

    # when
    columns = scored(metric, rows)

    # then
    assert [each is None for each in columns.counts] == [False, True, False]
    for counts in (columns.counts[0], columns.counts[2]):
        values = counts.values() if isinstance(counts, dict) else counts
        assert all(isinstance(value, int) and value >= 0 for value in values)
    assert math.isnan(columns.values[0][1])
    assert columns.notes[1].code == "no_reference"


@pytest.mark.parametrize("type", ["bleu", "chrf", "ter"])
def test_texts_may_be_anything_that_json_can_hold(type: str) -> None:
    for odd in (4, 4.5, True, {"b": [1, {"a": None}]}, "\ud800", "", " ", "\x00", 10**30):
        # when
        value = score_row(
            {"type": type, "references": ONE, "candidate": "{{ item.reference }}"},
            item={"reference": odd},  # type: ignore[dict-item]  # JSON
        )["sentence"]

        # then
        assert value in {0.0, 100.0}, odd


def test_a_perfect_answer_has_100_and_no_more() -> None:
    text = "The cat sat on the mat, and it was not surprising at all."
    assert sacrebleu.sentence_bleu(text, [text]).score > 100

    found = score_row({"type": "bleu", "references": ONE}, item={"reference": text}, output_text=text)  # fmt: skip

    assert found == {"sentence": 100.0}


@pytest.mark.parametrize("type", ["bleu", "chrf"])
def test_a_text_of_200_000_characters_is_scored(type: str) -> None:
    text = "the cat sat on the mat " * 9_000

    found = score_row({"type": type, "references": ONE}, item={"reference": text}, output_text=text)  # fmt: skip

    assert found["sentence"] == 100.0


@pytest.mark.parametrize("tokenize", ["13a", "zh", "char", "intl"])
def test_texts_are_not_kept_after_their_batch(tokenize: str) -> None:
    # given
    scorer = BLEU(tokenize=tokenize)

    # when
    counts_by_row(scorer, ["a cat", "a dog"], [("the cat",), ("the dog", "a dog")])

    # then
    for tokenizer in (scorer.tokenizer, getattr(scorer.tokenizer, "_post_tokenizer", None)):
        if tokenizer is not None:
            cache = vars(type(tokenizer))["__call__"]
            assert cache.cache_info().currsize == 0


@pytest.mark.parametrize(
    "scorer", [BLEU(), CHRF(word_order=2), TER()], ids=lambda s: type(s).__name__
)
def test_what_sacrebleu_keeps_private_still_adds_up_to_what_it_shows(scorer: Any) -> None:
    # given
    candidates, references = many_sentences()

    # when
    rows = counts_by_row(scorer, candidates, [tuple(texts) for texts in references])
    value = value_of(scorer, [sum(column) for column in zip(*rows, strict=True)])

    # then
    streams = [list(each) for each in zip(*references, strict=True)]
    assert value == scorer.corpus_score(candidates, streams).score
    assert {len(row) for row in rows} == {{"BLEU": 10, "CHRF": 24, "TER": 2}[type(scorer).__name__]}


def test_what_bleu_comes_from_is_told_with_it() -> None:
    # given
    metric = build_metric(a_plugin("bleu", references=SEVERAL), RowLimits())
    rows = rows_of(README_CANDIDATES, README_REFERENCES)

    # when
    detail = metric.whole(total(scored(metric, rows).counts)).detail

    # then
    streams = [list(each) for each in zip(*README_REFERENCES, strict=True)]
    wanted = BLEU().corpus_score(README_CANDIDATES, streams)
    assert detail == {
        "precisions": wanted.precisions,
        "brevity_penalty": wanted.bp,
        "candidate_words": wanted.sys_len,
        "reference_words": wanted.ref_len,
    }


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"references": []}, "references"),
        ({"references": ["x"] * 33}, "references"),
        ({"references": ["{{ item."]}, "not a template"),
        ({"references": ["x"], "smooth_value": 1.0}, "smooth_value is only for"),
        ({"references": ["x"], "tokenize": "ja-mecab"}, "tokenize"),
    ],
)
def test_wrong_parameters_of_bleu_are_refused(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        build_metric(a_plugin("bleu", **parameters), RowLimits())


def test_references_of_several_templates_and_lists_all_count() -> None:
    # given
    plugin = {"type": "chrf", "references": ["{{ item.first }}", "{{ item.more }}"]}
    item: JsonObject = {"first": None, "more": [None, "wrong", "Paris"]}

    # when
    found = score_row(plugin, item=item, output_text="Paris")

    # then
    assert found == {"sentence": 100.0}
