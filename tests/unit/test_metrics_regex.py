"""regex: what matches, what is refused, and that no pattern takes for ever."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbus.errors import Invalid
from evalbus.metrics import Batch, build_metric
from evalbus_schemas.chunks import RowLimits
from tests.scoring import REFERENCE, a_plugin, one_score


@pytest.mark.parametrize(
    ("parameters", "output", "value"),
    [
        ({"pattern": "b+"}, "abbc", 1.0),
        ({"pattern": "b+"}, "ac", 0.0),
        ({"pattern": "b+"}, "aBc", 0.0),
        ({"pattern": "b+", "ignore_case": True}, "aBc", 1.0),
        ({"pattern": "b+", "mode": "fullmatch"}, "abb", 0.0),
        ({"pattern": "b+", "mode": "fullmatch"}, "bb", 1.0),
        ({"pattern": "b+", "mode": "fullmatch"}, "bb\n", 0.0),
        ({"pattern": "a$"}, "a\n", 0.0),
        ({"pattern": "^b"}, "a\nb", 0.0),
        ({"pattern": "(?m)^b"}, "a\nb", 1.0),
        ({"pattern": r"^\p{Arabic}+$"}, "مرحبا", 1.0),
        ({"pattern": r"^\d+$"}, "١٢٣", 0.0),
        ({"pattern": "^.$"}, "👍", 1.0),
    ],
)
def test_a_pattern_is_found_anywhere_or_matches_everything(
    parameters: dict[str, object], output: str, value: float
) -> None:
    # when
    found = one_score("regex", {"reference": output}, candidate=REFERENCE, **parameters)

    # then
    assert found == (value, "")


def test_half_a_character_counts_as_its_replacement() -> None:
    # given
    metric = build_metric(a_plugin("regex", pattern="^a\ufffd$"), RowLimits())

    # when
    columns = metric.score(Batch([{}], [{"output_text": "a\ud800"}]))

    # then
    assert list(columns.values[0]) == [1.0]


@pytest.mark.parametrize(
    ("pattern", "output", "reference", "value"),
    [
        (r"#### (\d+)", "9 * 2\n#### 18", 18, 1.0),
        (r"#### (\d+)", "9 * 2\n#### 18", 19, 0.0),
        (r"#### (\d+)", "18", 18, 0.0),
        (r"\d+", "it is 18", "18", 1.0),
        (r"answer:(.*)", "answer: Paris ", "Paris", 1.0),
        (r"(a)|b", "b", "b", 0.0),
        (r"é(\w)", "éé éb", "b", 1.0),
    ],
)
def test_what_the_first_group_found_is_compared_with_the_reference(
    pattern: str, output: str, reference: object, value: float
) -> None:
    # given
    item = {"output": output, "reference": reference}

    # then
    assert one_score("regex", item, pattern=pattern, reference=REFERENCE) == (value, "")


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"output": None, "reference": "x"}, "no_candidate"),
        ({"output": "x", "reference": None}, "no_reference"),
    ],
)
def test_null_on_one_side_gives_no_score(item: dict[str, object], code: str) -> None:
    # when
    value, reason = one_score("regex", item, pattern="x", reference=REFERENCE)

    # then
    assert math.isnan(value)
    assert reason == code


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(a", "missing )"),
        ("[b-a]", "invalid character class range"),
        ("a(?=b)", "look-around is not known"),
        ("(?<!a)b", "look-around is not known"),
        (r"(a)\1", "invalid escape sequence"),
        ("(a{1000}){1000}", "invalid repetition size"),
        ("", "pattern: "),
    ],
)
def test_a_pattern_that_the_engine_does_not_know_is_refused_in_its_words(
    pattern: str, words: str
) -> None:
    # when
    with pytest.raises(Invalid) as raised:
        build_metric(a_plugin("regex", pattern=pattern), RowLimits())

    # then
    assert "metric 'regex': " in raised.value.message
    assert words in raised.value.message


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*)*x", "(a*)*(a*)*b"])
def test_patterns_that_never_end_elsewhere_are_done_at_once(pattern: str) -> None:
    # given
    item = {"output": "a" * 1_000_000 + "!"}

    # then
    assert one_score("regex", item, pattern=pattern) == (0.0, "")


PATTERNS = st.lists(
    st.sampled_from(["a", "b", "c?", "a*", "(b|c)", "[ab]", ".", "(?:ab)+", "^", "$", "a{2}", "|"]),
    min_size=1,
    max_size=5,
).map("".join)


@given(pattern=PATTERNS, text=st.text(alphabet="abc é", max_size=8))
def test_plain_patterns_match_as_those_of_python(pattern: str, text: str) -> None:
    # when
    searched, _ = one_score("regex", {"output": text}, pattern=pattern)
    whole, _ = one_score("regex", {"output": text}, pattern=pattern, mode="fullmatch")

    # then
    assert searched == float(re.search(pattern, text) is not None)
    assert whole == float(re.fullmatch(pattern, text) is not None)
