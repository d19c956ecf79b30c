"""tool-calling: which calls match, and the numbers that come of it, for a row and for all."""

import json
import math
from itertools import combinations, permutations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import JsonValue

from evalbus.metrics import Batch, Columns, build_metric
from evalbus.metrics.checks.call_matching import Fits, fits_by, matched
from evalbus.metrics.checks.tool_calls import Call
from evalbus.testing import corpus_of
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.scoring import a_plugin


def call(name: str, **arguments: JsonValue) -> JsonObject:
    return {"name": name, "arguments": arguments}


def as_openai(plain: JsonObject) -> JsonObject:
    """The same call as OpenAI writes it, with its arguments as JSON in a text."""
    function: JsonObject = {"name": plain["name"], "arguments": json.dumps(plain["arguments"])}
    return {"id": "call_1", "type": "function", "function": function}


def a_response(*calls: JsonObject) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": None}
    if calls:
        message["tool_calls"] = [as_openai(each) for each in calls]
    return {"id": "x", "choices": [{"index": 0, "message": message}]}


def scored(expected: JsonValue, sample: JsonObject, **parameters: str) -> Columns:
    metric = build_metric(
        a_plugin("tool-calling", reference="{{ item.expected }}", **parameters), RowLimits()
    )
    return metric.score(Batch([{"expected": expected}], [sample]))


def scores(
    expected: list[JsonObject], made: list[JsonObject], **parameters: str
) -> tuple[float, ...]:
    columns = scored([*expected], {"response": a_response(*made)}, **parameters)
    assert not columns.notes
    return tuple(column[0] for column in columns.values)


A, B = call("add", a=1, b=2), call("find", text="é", deep={"x": [1, True, None]})


@pytest.mark.parametrize(
    ("expected", "made", "wanted"),
    [
        ([A], [A], (1, 1, 1, 1, 1)),
        ([A, B], [B, A], (1, 1, 1, 1, 1)),
        ([A, A], [A], (0, 0, 1, 0.5, 2 / 3)),
        ([A], [A, A], (0, 0, 0.5, 1, 2 / 3)),
        ([A], [call("add", a=1, b=3)], (1, 0, 0, 0, 0)),
        ([A], [call("add", a=1)], (1, 0, 0, 0, 0)),
        ([A], [B], (0, 0, 0, 0, 0)),
        ([A, B], [A, call("find")], (1, 0, 0.5, 0.5, 0.5)),
        ([], [], (1, 1, 1, 1, 1)),
        ([A], [], (0, 0, 0, 0, 0)),
        ([], [A], (0, 0, 0, 0, 0)),
    ],
)
def test_calls_are_counted_with_their_duplicates(
    expected: list[JsonObject], made: list[JsonObject], wanted: tuple[float, ...]
) -> None:
    assert scores(expected, made) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("expected", "made", "is_same"),
    [
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": {"x": 1, "y": [2.0]}}, {"a": {"y": [2], "x": 1}}, True),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": None}, {}, False),
        ({"a": "é"}, {"a": "e\u0301"}, False),
    ],
)
def test_arguments_are_compared_as_json_values(
    expected: JsonObject, made: JsonObject, is_same: bool
) -> None:
    assert scores([call("f", **expected)], [call("f", **made)])[1] == float(is_same)


@pytest.mark.parametrize(
    ("arguments", "made", "wanted"),
    [
        ("exact", call("f", a=1, more=2), 0.0),
        ("subset", call("f", a=1, more=2), 1.0),
        ("subset", call("f", more=2), 0.0),
        ("subset", call("f", a=2, more=2), 0.0),
        ("ignore", call("f", b="x"), 1.0),
        ("ignore", call("g", a=1), 0.0),
    ],
)
def test_arguments_may_be_more_or_ignored(arguments: str, made: JsonObject, wanted: float) -> None:
    assert scores([call("f", a=1)], [made], arguments=arguments)[1:] == (wanted,) * 4


def test_in_exact_order_only_calls_that_come_so_count() -> None:
    assert scores([A, B], [A, B], order="exact") == (1.0,) * 5
    assert scores([A, B], [B, A], order="exact") == (0.0, 0.0, 0.5, 0.5, 0.5)
    assert scores([A, B, A], [B, A], order="exact")[2:] == pytest.approx((1.0, 2 / 3, 0.8))


@pytest.mark.parametrize(
    "expected",
    [
        [A],
        [as_openai(A)],
        {"role": "assistant", "name": "helper", "tool_calls": [as_openai(A)]},
        a_response(A),
        A,
        json.dumps([A]),
        json.dumps(a_response(A)),
    ],
)
def test_expected_calls_may_be_written_in_any_of_these_ways(expected: JsonValue) -> None:
    # when
    columns = scored(expected, {"response": a_response(A)})

    # then
    assert [column[0] for column in columns.values] == [1.0] * 5


@pytest.mark.parametrize("arguments", [{}, None, "", "{}", " "])
def test_a_call_without_arguments_has_an_empty_object(arguments: JsonValue) -> None:
    # when
    columns = scored(
        [{"name": "f"}],
        {"response": {"message": {"tool_calls": [{"name": "f", "arguments": arguments}]}}},
    )

    # then
    assert columns.values[1][0] == 1.0


def test_calls_are_those_of_the_sample_or_else_of_the_item() -> None:
    # given
    metric = build_metric(a_plugin("tool-calling", reference="{{ item.expected }}"), RowLimits())
    items: list[JsonObject] = [
        {"expected": [A]},
        {"expected": [A], "response": a_response(A)},
        {"expected": [A], "response": a_response(B)},
        {"expected": [A]},
    ]
    samples: list[JsonObject] = [
        {"response": a_response(A)},
        {"output_text": ""},
        {"response": a_response(A)},
        {"output_text": ""},
    ]

    # when
    columns = metric.score(Batch(items, samples))

    # then
    assert list(columns.values[0][:3]) == [1.0] * 3
    assert {row: note.code for row, note in columns.notes.items()} == {3: "no_candidate"}


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ([{"name": "f", "arguments": "{"}], "the arguments of 'f' are no JSON"),
        ([{"name": "f", "arguments": "[1]"}], "the arguments of 'f' are no object"),
        ([{"name": "f", "arguments": [1]}], "the arguments of 'f' are no object"),
        ([{"arguments": {}}], "a call has no function with a name"),
        (["f"], "a call has no function with a name"),
        ({"role": "assistant", "tool_calls": "f"}, "tool_calls is no list"),
        ({"choices": []}, "no list of calls"),
        ({}, "no list of calls"),
        (5, "no list of calls"),
        ("I cannot", "the calls are no JSON"),
        ([{"name": "f"}] * 257, "more than 256"),
    ],
)
def test_what_is_no_list_of_calls_gives_no_score_on_either_side(
    made: JsonValue, words: str
) -> None:
    right: JsonValue = [A]
    for side, expected, candidate in (("candidate", right, made), ("reference", made, right)):
        # when
        columns = scored(expected, {"calls": candidate}, candidate="{{ sample.calls }}")

        # then
        assert all(math.isnan(column[0]) for column in columns.values)
        assert columns.notes[0].code == "unparsable"
        assert side in columns.notes[0].message
        assert words in columns.notes[0].message
        assert columns.counts == [None]


def test_null_on_one_side_gives_no_score() -> None:
    assert scored(None, {"response": a_response(A)}).notes[0].code == "no_reference"
    assert scored([A], {"response": None}).notes[0].code == "no_candidate"


def test_all_rows_together_are_scored_from_their_sums() -> None:
    # given
    rows: list[tuple[JsonObject, str]] = [
        ({"expected": [A, A, A]}, json.dumps([A, A, A])),
        ({"expected": [A]}, json.dumps([B, B])),
        ({"expected": []}, "[]"),
        ({"expected": [A]}, "no JSON, and not counted"),
    ]

    # when
    found = corpus_of(
        {
            "type": "tool-calling",
            "reference": "{{ item.expected }}",
            "candidate": "{{ sample.output_text }}",
        },
        rows=rows,
    )

    # then
    assert found == pytest.approx(
        {"micro_precision": 3 / 5, "micro_recall": 3 / 4, "micro_f1": 6 / 9}
    )


def test_no_calls_expected_and_none_made_is_right_for_all_rows_too() -> None:
    # when
    found = corpus_of(
        {"type": "tool-calling", "reference": "[]", "candidate": "[]"},
        rows=[({}, "")],
    )

    # then
    assert found == {"micro_precision": 1.0, "micro_recall": 1.0, "micro_f1": 1.0}


CALLS = st.lists(
    st.builds(
        lambda name, given: Call(name, tuple(sorted(given.items()))),
        st.sampled_from("fg"),
        st.dictionaries(st.sampled_from("ab"), st.sampled_from("12"), max_size=2),
    ),
    max_size=5,
)


def most_pairs_tried_one_by_one(expected: list[Call], made: list[Call], fits: Fits) -> int:
    if len(expected) > len(made):
        return max(
            sum(fits(*pair) for pair in zip(some, made, strict=True))
            for some in permutations(expected, len(made))
        )
    return max(
        sum(fits(*pair) for pair in zip(expected, some, strict=True))
        for some in permutations(made, len(expected))
    )


def longest_common_part_tried_one_by_one(expected: list[Call], made: list[Call], fits: Fits) -> int:
    return max(
        size
        for size in range(min(len(expected), len(made)) + 1)
        if any(
            all(fits(*pair) for pair in zip(some, others, strict=True))
            for some in combinations(expected, size)
            for others in combinations(made, size)
        )
    )


@given(expected=CALLS, made=CALLS)
def test_as_many_calls_match_as_possible(expected: list[Call], made: list[Call]) -> None:
    for arguments in ("exact", "subset", "ignore"):
        fits = fits_by(arguments)
        in_any_order = most_pairs_tried_one_by_one(expected, made, fits)
        in_order = longest_common_part_tried_one_by_one(expected, made, fits)
        assert matched(expected, made, fits, "any") == in_any_order
        assert matched(expected, made, fits, "exact") == in_order


PLACES = "01234"


@given(
    related=st.sets(
        st.tuples(st.sampled_from(PLACES), st.sampled_from(PLACES)), min_size=6, max_size=12
    )
)
# One who has a partner makes room; of two who want the same one, only one can have it.
@example(related={("0", "0"), ("0", "1"), ("1", "0")})
@example(related={("0", "0"), ("0", "1"), ("0", "2"), ("1", "0"), ("2", "0")})
def test_as_many_pairs_are_found_as_there_can_be_whatever_fits(
    related: set[tuple[str, str]],
) -> None:
    # given
    calls = [Call(place, ()) for place in PLACES]

    def fits(expected: Call, made: Call) -> bool:
        return (expected.name, made.name) in related

    # then
    assert matched(calls, calls, fits, "any") == most_pairs_tried_one_by_one(calls, calls, fits)


@given(
    expected=st.lists(st.sampled_from("abc"), unique=True, max_size=3),
    made=st.lists(st.sampled_from("abc"), unique=True, max_size=3),
)
def test_without_duplicates_names_are_right_as_for_sets(
    expected: list[str], made: list[str]
) -> None:
    # then
    found = scores([call(name) for name in expected], [call(name) for name in made])
    assert found[0] == float(set(expected) == set(made))
