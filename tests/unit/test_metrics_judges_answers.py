"""What is read out of the words of a judge: the answers that models really give, and those that are meant to harm."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbus.errors import Invalid
from evalbus.metrics import Batch, Metric, build_metric
from evalbus.metrics.judges.said_json import json_in
from evalbus_schemas.chunks import RowLimits
from tests.scoring import a_plugin

JUDGE = {"type": "openai", "url": "http://127.0.0.1:8000/v1", "model": "small"}
SCORE = {"name": "score", "minimum": 0, "maximum": 10}
TONE = {
    "name": "tone",
    "rubric": [
        {"label": "Good", "value": 2},
        {"label": "so-so", "value": 1},
        {"label": "bad", "value": 0},
    ],
}


def a_judge(*scores: dict[str, Any], **parameters: Any) -> Metric:
    written = {"model": JUDGE, "prompt": "Judge {{ sample.output_text }}", "scores": list(scores)}
    return build_metric(a_plugin("llm-judge", **written | parameters), RowLimits())


def read(said: object, **score: Any) -> tuple[float, str]:
    """The value of one score in what a judge said, and why there is none."""
    return value_of(a_judge(SCORE | score), said)


def value_of(judge: Metric, said: object) -> tuple[float, str]:
    columns = judge.score(Batch([{}], [{"output_text": "x"}], [[{"output_text": said}]]))  # type: ignore[dict-item]  # hostile ones are no text
    note = columns.notes.get(0)
    return columns.values[0][0], note.code if note else ""


VALUES: list[tuple[str, float]] = [
    ('{"score": 7}', 7),
    ('{"score": 7.5}', 7.5),
    ('{"score": 0}', 0),
    ('{"score": 10}', 10),
    ('{"score": 1e1}', 10),
    ('{"score": -0.0}', 0),
    ('{"score": "7"}', 7),
    ('{"score": " 7.0 "}', 7),
    ('{"score": "+.5"}', 0.5),
    ('\n\n  {"score": 7}\n', 7),
    ('\ufeff{"score": 7}', 7),
    ('{"explanation": "It is right, and short.", "score": 7}', 7),
    ('{"explanation": "It says \\"no\\" {twice}", "score": 7}', 7),
    ('{"explanation": "one line\nand another", "score": 7}', 7),
    ('```json\n{"score": 7}\n```', 7),
    ('```\n{\n  "score": 7\n}\n```\n', 7),
    ('Here is my judgement:\n```json\n{"score": 7}\n```\nLet me know.', 7),
    ('I think that the answer is right. {"score": 7}', 7),
    ('{"score": 7} I hope this helps!', 7),
    ('The set {1, 2} is \\frac{1}{2} of \\mathbf{} it. {"score": 7}', 7),
    ('It\'s 5" tall. {"score": 7}', 7),
    ('First {"score": 7}, and on second thoughts {"score": 3}', 7),
    ('In the form {"score": <number>}: {"score": 7}', 7),
    ('<think>perhaps {"score": 3}? no</think>\n{"score": 7}', 7),
    ('perhaps {"score": 3}? no</think>{"score": 7}', 7),
    ('{"score": 7, "details": {"score": 3}}', 7),
    ('{"score": 7, "score": 7}', 7),
    ('{"score": 7, "sources": [{"a": [1, {"b": null}]}]}', 7),
    ('{"Bewertung": "gut – größer als 5 „ja“", "score": 7}', 7),
    ('{"score": 7, "note": "👍🏽 שלום"}', 7),
]

REFUSED: list[tuple[object, str]] = [
    ("", "unparsable"),
    ("   \n", "unparsable"),
    ("I'm sorry, but I can't help with that.", "unparsable"),
    ("Score: 7/10", "unparsable"),
    ("7", "unparsable"),
    ("null", "unparsable"),
    ("[]", "unparsable"),
    ("{}", "unparsable"),
    ('[{"score": 7}]', "unparsable"),
    ('{"Score": 7}', "unparsable"),
    ('{"result": {"score": 7}}', "unparsable"),
    ('{"score": null}', "unparsable"),
    ('{"score": true}', "unparsable"),
    ('{"score": "high"}', "unparsable"),
    ('{"score": "7/10"}', "unparsable"),
    ('{"score": "NaN"}', "unparsable"),
    ('{"score": "inf"}', "unparsable"),
    ('{"score": "1_0"}', "unparsable"),
    ('{"score": "٧"}', "unparsable"),
    ('{"score": [7]}', "unparsable"),
    ('{"score": {"value": 7}}', "unparsable"),
    ('{"score": NaN}', "unparsable"),
    ('{"score": Infinity}', "out_of_range"),
    ('{"score": -Infinity}', "out_of_range"),
    ('{"score": 1e999}', "out_of_range"),
    ('{"score": 11}', "out_of_range"),
    ('{"score": -1}', "out_of_range"),
    ('{"score": 10.000001}', "out_of_range"),
    (f'{{"score": {"9" * 400}}}', "out_of_range"),
    (f'{{"score": -{"9" * 400}}}', "out_of_range"),
    (f'{{"score": {"9" * 5000}}}', "unparsable"),
    ('{"score": 7, "score": 3}', "unparsable"),
    ("{'score': 7}", "unparsable"),
    ('{"score": 7,}', "unparsable"),
    ('{"score": 7', "unparsable"),
    ('{"explanation": "cut off, {"score": 7} stands in', "unparsable"),
    ('{"explanation": "it says {"score": 3} here", "score": 7}', "unparsable"),
    ('{"parts": {"score": 7}, "cut off', "unparsable"),
    ('{"score": 7}</think>', "unparsable"),
    ('{"score": \ud800}', "unparsable"),
    (None, "unparsable"),
    (7, "unparsable"),
    ({"score": 7}, "unparsable"),
]


@pytest.mark.parametrize(("said", "value"), VALUES)
def test_the_value_is_found_in_what_judges_say(said: str, value: float) -> None:
    assert read(said) == (value, "")


@pytest.mark.parametrize(("said", "reason"), REFUSED)
def test_what_is_no_clear_value_gives_none_and_says_why(said: object, reason: str) -> None:
    # when
    value, found = read(said)

    # then
    assert math.isnan(value)
    assert found == reason


def test_a_row_without_a_value_shows_the_beginning_of_what_the_judge_said() -> None:
    # given
    judge = a_judge(SCORE)
    essay = "Well, " + "it depends. " * 1000

    # when
    columns = judge.score(Batch([{}], [{"output_text": "x"}], [[{"output_text": essay}]]))

    # then
    message = columns.notes[0].message
    assert message.startswith("score: there is no JSON in it; the judge said 'Well, it depends.")
    assert len(message) < 300
    rationale = columns.remarks[0, 0].rationale
    assert rationale is not None
    assert (len(rationale), rationale[-1]) == (8192, "…")


@pytest.mark.parametrize(
    ("said", "value", "reason", "label"),
    [
        ('"Good"', 2, "", "Good"),
        ('"good"', 2, "", "Good"),
        ('" SO-SO\\n"', 1, "", "so-so"),
        ('"bad"', 0, "", "bad"),
        ('"goodish"', math.nan, "unknown_label", None),
        ('""', math.nan, "unknown_label", None),
        ("2", math.nan, "unknown_label", None),
        ("true", math.nan, "unknown_label", None),
        ("null", math.nan, "unparsable", None),
        ('["Good"]', math.nan, "unparsable", None),
    ],
)
def test_a_label_stands_for_its_number(
    said: str, value: float, reason: str, label: str | None
) -> None:
    # given
    judge = a_judge(TONE)
    answer = f'{{"tone": {said}}}'

    # when
    columns = judge.score(Batch([{}], [{"output_text": "x"}], [[{"output_text": answer}]]))

    # then
    assert columns.values[0][0] == pytest.approx(value, nan_ok=True)
    assert [note.code for note in columns.notes.values()] == ([reason] if reason else [])
    assert columns.remarks[0, 0].label == label
    assert columns.remarks[0, 0].rationale == answer


def test_a_label_in_another_case_counts_only_if_it_can_be_one_alone() -> None:
    # given
    rubric = [{"label": "A", "value": 1}, {"label": "a", "value": 2}, {"label": "1", "value": 3}]
    judge = a_judge({"name": "grade", "rubric": rubric})

    # then
    assert value_of(judge, '{"grade": "a"}') == (2, "")
    assert value_of(judge, '{"grade": 1}') == (3, "")
    assert value_of(judge, '{"grade": " a"}')[1] == "unknown_label"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("result.score", '{"result": {"score": 7}}'),
        ("$.result.score", '{"result": {"score": 7}}'),
        ("$['the score']", '{"the score": 7}'),
        ('$["a.b"][1]', '{"a.b": [0, 7]}'),
        ("$[0].score", '[{"score": 7}]'),
        ("$", "7"),
        ("scores[0].value", 'So: {"scores": [{"value": "7"}]}'),
    ],
)
def test_a_path_says_where_the_value_stands(path: str, said: str) -> None:
    assert read(said, parser={"type": "json", "json_path": path}) == (7, "")


@pytest.mark.parametrize("path", ["a.b", "$[3]", "$.a[0].b", "$[0]"])
def test_a_path_to_nowhere_gives_no_value(path: str) -> None:
    assert read('{"a": [7]}', parser={"type": "json", "json_path": path})[1] == "unparsable"


@pytest.mark.parametrize("path", ["", ".", "a.", "a..b", "a[", "a[x]", "$a", "$..score"])
def test_what_is_no_path_is_refused_when_it_is_written(path: str) -> None:
    with pytest.raises(Invalid, match="json_path"):
        read("", parser={"type": "json", "json_path": path})


@pytest.mark.parametrize(
    ("pattern", "method", "said", "value"),
    [
        (r"(?i)score:\s*([0-9.]+)", "search", "After all\nSCORE: 7.5 of 10, score: 3", 7.5),
        (r"(\d+)", "match", "7 because", 7),
        (r"Rating: \[\[(\d+)\]\]", "search", "It helps. Rating: [[7]]", 7),
        (r"(?P<value>\d+)/10", "search", "é👍 7/10 \ud800", 7),
        (r"no: (\d)|(\d)|score (\d)", "search", "no: 7", 7),
    ],
)
def test_a_pattern_gives_its_first_group(
    pattern: str, method: str, said: str, value: float
) -> None:
    parser = {"type": "regex", "pattern": pattern, "method": method}

    assert read(said, parser=parser) == (value, "")


@pytest.mark.parametrize(
    ("pattern", "method", "said"),
    [
        (r"score: (\d+)", "search", "no number at all"),
        (r"(\d+)", "match", "I say 7"),
        (r"a|(\d)", "search", "a"),
        (r"score: (\w+)", "search", "score: seven"),
    ],
)
def test_a_pattern_that_does_not_match_gives_no_value(pattern: str, method: str, said: str) -> None:
    parser = {"type": "regex", "pattern": pattern, "method": method}

    assert read(said, parser=parser)[1] == "unparsable"


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"score: \d", "wanted parentheses"),
        (r"(\d", "missing"),
        (r"(?<=score: )(\d)", "score 'score', pattern: not a"),
        (r"a)(\d", "unexpected"),
    ],
)
@pytest.mark.parametrize("method", ["match", "search"])
def test_a_pattern_that_cannot_be_used_is_refused(pattern: str, words: str, method: str) -> None:
    with pytest.raises(Invalid, match=words):
        read("", parser={"type": "regex", "pattern": pattern, "method": method})


def test_a_pattern_that_would_take_for_ever_elsewhere_takes_no_time() -> None:
    # given
    parser = {"type": "regex", "pattern": r"(a+)+$", "method": "search"}

    # then
    assert read("a" * 100_000 + "b", parser=parser)[1] == "unparsable"


@pytest.mark.parametrize(
    "said",
    [
        '{"score":' * 100_000,
        '{"a":[1,' * 120_000,
        "[" * 1_000_000,
        "{" * 1_000_000,
        '{"' * 500_000,
        '{"a' + '\\"' * 500_000,
        '{"a":1}' * 140_000,
        '{"a":x}' * 140_000,
        '{"score":' + "9" * 1_000_000 + "}",
        '{"score":"' + "9" * 1_000_000 + '"}',
        '{"score":0.' + "1" * 1_000_000 + "e999999}",
        "{ " * 500_000,
        "\\" * 1_000_000,
        "</think>" * 125_000,
    ],
    ids=lambda said: said[:12],
)
def test_a_megabyte_that_is_meant_to_harm_has_no_value(said: str) -> None:
    # when
    value, reason = read(said)

    # then
    assert math.isnan(value)
    assert reason in {"unparsable", "out_of_range"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
PROSE = st.text(alphabet=st.sampled_from("ab \n[]:,.\\'\"}é👍"), max_size=30)


@given(value=JSON)
def test_json_alone_is_read_as_a_json_library_reads_it(value: object) -> None:
    assert json_in(json.dumps(value)) == value


@given(
    before=PROSE,
    found=st.dictionaries(st.text(max_size=6), JSON, min_size=1, max_size=3),
    after=PROSE,
)
def test_an_object_is_found_in_whatever_stands_around_it(
    before: str, found: object, after: str
) -> None:
    assert json_in(f"so {before} {json.dumps(found)} {after}") == found


@given(said=st.text(alphabet=st.sampled_from('{}[]":,\\ 1aé\ud800\n'), max_size=60))
def test_any_text_has_a_value_or_a_reason(said: str) -> None:
    # when
    value, reason = read(said, parser={"type": "json", "json_path": "a"})

    # then
    assert math.isnan(value) == (reason != "")
