"""What the built-in metrics say of single rows: the values that users can check by hand."""

import math
import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbus.errors import Invalid
from evalbus.metrics import Batch, build_metric, layout_of
from evalbus.metrics.checks.numbers import last_number
from evalbus.metrics.normalization import squad, squad_words
from evalbus.metrics.overlap.f1 import word_f1
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import Benchmark, Dataset
from evalbus_schemas.chunks import RowLimits
from tests.scoring import OUTPUT, REFERENCE, a_plugin, one_score


def squad_formula(text: str) -> str:
    """The definition, written down once more and as plainly as it can be."""
    lowered = text.lower()
    unpunctuated = "".join(c for c in lowered if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", unpunctuated).split())


def f1_formula(candidate: str, reference: str) -> float:
    words, wanted = squad_formula(candidate).split(), squad_formula(reference).split()
    if not words or not wanted:
        return float(words == wanted)
    shared = sum((Counter(words) & Counter(wanted)).values())
    if shared == 0:
        return 0.0
    precision, recall = shared / len(words), shared / len(wanted)
    return 2 * precision * recall / (precision + recall)


# Texts that are likely to come close to the borders: articles, punctuation, odd spaces, few letters.
NASTY = st.text(
    alphabet=st.sampled_from(list("aAnthe .,'-_\t\n\x0b\x1c\x00\x19\x7f…—éİ\u00a0\u2003ßǅ0")),
    max_size=24,
)
TEXTS = st.one_of(st.text(max_size=40), NASTY)


@given(text=TEXTS)
def test_the_fast_way_to_squad_words_gives_those_of_the_formula(text: str) -> None:
    assert squad(text) == squad_formula(text)
    assert " ".join(squad_words(text)) == squad_formula(text)


@given(pairs=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6))
def test_exact_match_and_f1_over_a_batch_are_those_of_the_formulas(
    pairs: list[tuple[str, str]],
) -> None:
    # given
    items: list[JsonObject] = [{"reference": reference} for _, reference in pairs]
    samples: list[JsonObject] = [{"output_text": candidate} for candidate, _ in pairs]
    batch = Batch(items, samples)

    # when
    exact = build_metric(a_plugin("exact-match", reference=REFERENCE), RowLimits()).score(batch)
    f1 = build_metric(a_plugin("f1", reference=REFERENCE), RowLimits()).score(batch)

    # then
    assert list(exact.values[0]) == [float(squad_formula(c) == squad_formula(r)) for c, r in pairs]
    assert list(f1.values[0]) == [f1_formula(c, r) for c, r in pairs]


@given(
    candidate=st.lists(st.sampled_from("abc"), max_size=8),
    reference=st.lists(st.sampled_from("abc"), max_size=8),
)
def test_repeated_words_are_shared_as_often_as_both_have_them(
    candidate: list[str], reference: list[str]
) -> None:
    # given
    shared = (Counter(candidate) & Counter(reference)).total()

    # when
    value = word_f1(tuple(candidate), tuple(reference))

    # then
    if candidate and reference:
        total = len(candidate) + len(reference)
        assert math.isclose(value, 2 * shared / total, rel_tol=1e-12)
    else:
        assert value == float(candidate == reference)


@pytest.mark.parametrize(
    ("normalize", "output", "reference", "value"),
    [
        ("squad", "The  Eiffel-Tower!", "eiffeltower", 1.0),
        ("squad", "Blue", "blue", 1.0),
        ("squad", "Paris is the capital", "Paris", 0.0),
        ("none", "Blue", "blue", 0.0),
        ("none", " blue", "blue", 0.0),
        ("none", "blue", "blue", 1.0),
        ("strip", " blue\n", "blue", 1.0),
        ("strip", "Blue", "blue", 0.0),
        ("casefold", " STRASSE ", "straße", 1.0),
        ("casefold", "blue!", "blue", 0.0),
    ],
)
def test_exact_match_ignores_what_its_normalization_says(
    normalize: str, output: str, reference: str, value: float
) -> None:
    # given
    item = {"output": output, "reference": reference}

    # when
    found = one_score("exact-match", item, reference=REFERENCE, normalize=normalize)

    # then
    assert found == (value, "")


@pytest.mark.parametrize("reference", [4, 4.5, True, [1, "a"], {"b": 1, "a": 2}])
def test_a_reference_that_is_no_text_is_compared_as_its_json(reference: object) -> None:
    # given
    item = {"reference": reference, "output": reference}

    # when
    found = one_score("exact-match", item, reference=REFERENCE, candidate=OUTPUT, normalize="none")

    # then
    assert found == (1.0, "")


@pytest.mark.parametrize("type", ["exact-match", "f1"])
@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"output": "Paris", "reference": None}, "no_reference"),
        ({"output": None, "reference": "Paris"}, "no_candidate"),
    ],
)
def test_null_on_one_side_gives_no_score_and_says_which(
    type: str, item: dict[str, object], code: str
) -> None:
    # when
    value, reason = one_score(type, item, reference=REFERENCE)

    # then
    assert math.isnan(value)
    assert reason == code


def test_two_texts_without_words_are_equal_for_f1() -> None:
    assert one_score("f1", {"output": "the", "reference": "..."}, reference=REFERENCE) == (1.0, "")
    assert one_score("f1", {"output": "", "reference": "Paris"}, reference=REFERENCE) == (0.0, "")


@pytest.mark.parametrize(
    ("operation", "left", "right", "value"),
    [
        ("equals", "a", "a", 1.0),
        ("==", "a", "A", 0.0),
        ("!=", "a", "A", 1.0),
        ("<>", "a", "a", 0.0),
        ("not equals", "a", "b", 1.0),
        ("contains", "The answer is 4", "4", 1.0),
        ("contains", "4", "The answer is 4", 0.0),
        ("contains", "Blue", "blue", 0.0),
        ("not contains", "Blue", "blue", 1.0),
        ("startswith", "Paris is", "Paris", 1.0),
        ("startswith", "Paris", "Paris is", 0.0),
        ("endswith", "is Paris", "Paris", 1.0),
        ("endswith", "Paris.", "Paris", 0.0),
    ],
)
def test_string_check_compares_as_its_operation_says(
    operation: str, left: str, right: str, value: float
) -> None:
    # given
    item = {"output": left, "reference": right}

    # when
    found = one_score(
        "string-check", item, operation=operation, left_template=OUTPUT, right_template=REFERENCE
    )

    # then
    assert found == (value, "")


def test_string_check_takes_a_number_as_its_json() -> None:
    # given
    item = {"output": "The answer is 4", "reference": 4}

    # when
    found = one_score(
        "string-check", item, operation="contains", left_template=OUTPUT, right_template=REFERENCE
    )

    # then
    assert found == (1.0, "")


def test_string_check_without_a_right_side_gives_no_score() -> None:
    # when
    value, reason = one_score(
        "string-check",
        {"output": "x", "reference": None},
        operation="contains",
        left_template=OUTPUT,
        right_template=REFERENCE,
    )

    # then
    assert math.isnan(value)
    assert reason == "no_reference"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("The answer is 4", "4"),
        ("4", "4"),
        ("4.", "4"),
        ("1,234", "1234"),
        ("$1,000.50", "1000.50"),
        ("12,345,678", "12345678"),
        ("1,2,3", "3"),
        ("1,2345", "2345"),
        ("1.234,50", "1234.50"),
        ("1\u202f234\u202f567", "1234567"),
        ("1’234", "1234"),
        ("50%", "50"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("€ 12", "12"),
        ("1e-5", "0.00001"),
        ("1.5E+10", "15000000000"),
        ("\u22127", "-7"),
        ("2 + 2 = 4", "4"),
        ("16-3", "3"),
        ("(4)-2", "2"),
        ("x = -3", "-3"),
        ("x=-3", "-3"),
        ("2024-01-15", "15"),
        (".5", "0.5"),
        ("...5", "5"),
        ("H2O", "2"),
        ("1/2", "2"),
        ("1e-5 and -2E\u22123", "-0.002"),
        ("１２３", "123"),
        ("１，２３４．５", "1234.5"),
        ("１,２３４", "1234"),
        ("\uff0d５", "-5"),
        ("\uff04１,０００.５０", "1000.5"),
        ("٣", "3"),
        ("١٬٢٣٤٫٥", "1234.5"),
        ("१२", "12"),
        ("0,123", "123"),
        ("$1,000.50.", "1000.50"),
        ("it was 17.", "17"),
        ("1.5..", "1.5"),
        ("12345678901234567891", "12345678901234567891"),
        ("it was 7 " + "and then nothing more happened " * 4, "7"),
        ("first 1, then a long story that goes on and on, and ends with 1,000", "1000"),
    ],
)
def test_the_last_number_is_read_as_people_write_it(text: str, number: str) -> None:
    found = last_number(text)

    assert found is not None
    assert str(found.normalize()) == str(type(found)(number).normalize())


@pytest.mark.parametrize("text", ["", "none", "inf", "nan", "- , .", "1e99999999999999999999"])
def test_a_text_without_a_number_gives_no_score(text: str) -> None:
    # when
    value, reason = one_score(
        "number-check",
        {"output": text, "reference": "4"},
        operation="==",
        left_template=OUTPUT,
        right_template=REFERENCE,
    )

    # then
    assert math.isnan(value)
    assert reason == "unparsable"


GROUPS = st.lists(st.sampled_from(["0", "012", "1", "12", "345", "6789"]), min_size=1, max_size=4)


@given(
    groups=GROUPS,
    before=st.sampled_from(["", "$", "€"]),
    mark=st.sampled_from([",", ".", ", "]),
    end=st.sampled_from(["", ".", ".5", ".5%", "%.", "!)", ",1", "a"]),
)
def test_a_plain_number_is_the_same_behind_a_bracket(
    groups: list[str], before: str, mark: str, end: str
) -> None:
    word = before + mark.join(groups) + end

    assert last_number(word) == last_number("(" + word)


WORDS = st.sampled_from(
    ["7", "-3", "1,000", "$2.50", "a", "x-1", "5%", "1e3", "=", "3.", ",", "\n"]
)


@given(
    words=st.lists(WORDS, max_size=30), end=st.text(alphabet="0123456789 ,.-eE$\u2212a", max_size=8)
)
def test_the_last_number_of_a_long_text_is_that_behind_its_last_blank_with_one(
    words: list[str], end: str
) -> None:
    # given
    text = " ".join([*words, end])

    # when
    by_words = [found for word in text.split(" ") if (found := last_number(word)) is not None]

    # then
    assert last_number(text) == (by_words[-1] if by_words else None)


@pytest.mark.parametrize(
    ("operation", "holds_for"),
    [
        (("equals", "=="), {(2, 2)}),
        (("not equals", "!=", "<>"), {(1, 2), (2, 1)}),
        ((">", "gt", "greater than"), {(2, 1)}),
        ((">=", "gte", "greater than or equal"), {(2, 1), (2, 2)}),
        (("<", "lt", "less than"), {(1, 2)}),
        (("<=", "lte", "less than or equal"), {(1, 2), (2, 2)}),
    ],
)
def test_number_check_compares_left_with_right(
    operation: tuple[str, ...], holds_for: set[tuple[int, int]]
) -> None:
    for name in operation:
        for left, right in ((1, 2), (2, 1), (2, 2)):
            # when
            value, _ = one_score(
                "number-check",
                {"output": f"= {left}", "reference": right},
                operation=name,
                left_template=OUTPUT,
                right_template=REFERENCE,
            )

            # then
            assert value == float((left, right) in holds_for), (name, left, right)


@pytest.mark.parametrize(
    ("left", "right", "operation", "value"),
    [
        ("0.1", "0.10", "==", 1.0),
        ("12345678901234567890", "12345678901234567891", "==", 0.0),
        ("1e3", "1,000", "==", 1.0),
    ],
)
def test_numbers_are_compared_exactly(left: str, right: str, operation: str, value: float) -> None:
    # when
    found = one_score(
        "number-check",
        {"output": left, "reference": right},
        operation=operation,
        left_template=OUTPUT,
        right_template=REFERENCE,
    )

    # then
    assert found == (value, "")


@pytest.mark.parametrize(("left", "value"), [("1.1", 1.0), ("0.9", 1.0), ("1.11", 0.0)])
def test_absolute_difference_holds_up_to_and_at_epsilon(left: str, value: float) -> None:
    # when
    found = one_score(
        "number-check",
        {"output": left, "reference": 1.0},
        operation="absolute difference",
        epsilon=0.1,
        left_template=OUTPUT,
        right_template=REFERENCE,
    )

    # then
    assert found == (value, "")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"operation": "absolute difference"}, ["epsilon"]),
        ({"operation": "==", "epsilon": 0.1}, ["epsilon"]),
        ({"operation": "~="}, ["operation", "absolute difference"]),
        ({"operation": "==", "tolerance": 1}, ["'tolerance'", "known: epsilon"]),
        ({"operation": "==", "left_templat": "x"}, ["did you mean 'left_template'"]),
    ],
)
def test_wrong_parameters_are_refused_in_words(
    parameters: dict[str, object], words: list[str]
) -> None:
    # given
    plugin = a_plugin(
        "number-check",
        name="numbers",
        **{"left_template": OUTPUT, "right_template": REFERENCE} | parameters,
    )

    # when
    with pytest.raises(Invalid) as raised:
        build_metric(plugin, RowLimits())

    # then
    assert "metric 'numbers'" in raised.value.message
    for word in words:
        assert word in raised.value.message


def test_a_difference_too_large_to_compute_is_more_than_epsilon() -> None:
    for left, right, value in (
        ("1e999999999", "1", 0.0),
        ("-1e999999999", "1e999999999", 0.0),
        ("1e-999999999", "0", 1.0),
        ("1" + "0" * 60, "1" + "0" * 59 + "1", 0.0),
        ("0.5" + "0" * 60 + "1", "0", 0.0),
        ("0.5" + "0" * 60, "0", 1.0),
    ):
        # when
        found = one_score(
            "number-check",
            {"output": left, "reference": right},
            operation="absolute difference",
            epsilon=0.5,
            left_template=OUTPUT,
            right_template=REFERENCE,
        )

        # then
        assert found == (value, ""), (left, right)


def test_an_unknown_metric_type_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(Invalid, match=r"metric 'm': .*'exact-mach'.*'exact-match'"):
        build_metric(a_plugin("exact-mach", name="m"), RowLimits())


def test_the_scores_of_a_benchmark_are_named_in_the_order_of_their_columns() -> None:
    # given
    benchmark = Benchmark(
        name="b",
        datasets=(Dataset(name="d", rows=({"a": 1},)),),
        models=(a_plugin("recorded", output=OUTPUT),),
        metrics=(
            a_plugin("f1", name="words", reference=REFERENCE),
            a_plugin("exact-match", name="whole", reference=REFERENCE),
        ),
    )

    # when
    names = layout_of(benchmark).scores

    # then
    assert list(names) == [("words", "f1"), ("whole", "exact-match")]


def test_a_parameter_that_is_too_large_a_number_is_refused_with_the_metric() -> None:
    plugin = a_plugin("regex", name="found", pattern=2**70)

    with pytest.raises(Invalid, match=r"metric 'found'.*64-bit"):
        build_metric(plugin, RowLimits())
