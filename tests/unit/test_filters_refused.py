"""A filter that cannot be is refused with a sentence that names the place and what is known: at once, however large."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from random import Random
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from evalbus.errors import Invalid, OverLimit, Refused
from evalbus.filters import parse_filter, parse_search
from evalbus.filters.limits import (
    COMPARISONS_MAX,
    DEPTH_MAX,
    FILTER_CHARACTERS_MAX,
    PARTS_MAX,
    TEXT_CHARACTERS_MAX,
    VALUES_MAX,
)
from evalbus.filters.parsing import Spelling
from evalbus.filters.results import RESULT_FIELDS, SEARCH_FIELDS

# Of wall time on a busy machine; what is meant is that nothing grows with the square of the length.
SECONDS_MAX = 0.5


def refusal(given: object, kind: type[Refused] = Invalid) -> Refused:
    """The same for filter and search; it can be sent as JSON, and it is short."""
    spelling = cast("Spelling", given)
    with pytest.raises(kind) as searching:
        parse_search(spelling, SEARCH_FIELDS)
    with pytest.raises(kind) as raised:
        parse_filter(spelling, RESULT_FIELDS)
    error = raised.value
    assert json.dumps(error.data, ensure_ascii=False).encode()
    assert error.message.encode()
    assert len(error.message) < 1000
    assert type(searching.value) is type(error)
    return error


# --- what is not known --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "meant"),
    [
        ("creatd_at", "created_at"),
        ("Name", "name"),
        ("benchmrk", "benchmark"),
        ("lables.team", "labels.team"),
        ("score.f1.mean", "scores.f1.mean"),
        ("name.x", "name"),
        ("labels", "labels.<key>"),
        ("labels.", "labels.<key>"),
        ("scores", "scores.<metric>[.<score>].<statistic>"),
        ("scores.mean", "scores.mean"),
        ("name.", "name"),
    ],
)
def test_an_unknown_field_is_told_with_the_known_ones_and_a_guess(field: str, meant: str) -> None:
    for spelling in ({field: "x"}, json.dumps({field: "x"}), f"{field}:x", f'"{field}":x'):
        error = refusal(spelling)

        assert repr(field) in error.message
        if meant != field:
            assert f"did you mean {meant!r}?" in error.message
        assert "labels.<key>" in cast("list[str]", error.data["known"])
        assert error.data["found"] == field


def test_an_unknown_statistic_is_told_with_the_known_ones_and_a_guess() -> None:
    for spelling in ({"scores.f1.maen": 1}, "scores.f1.maen>1"):
        error = refusal(spelling)

        assert error.message.startswith("scores.f1.maen: unknown statistic 'maen'; did you mean")
        assert "std_dev" in cast("list[str]", error.data["known"])


@pytest.mark.parametrize(
    "statistic", ["percentiles", "p50", "mean; DROP TABLE result", "result_no", "MEAN", "1"]
)
def test_a_statistic_is_one_of_a_closed_set(statistic: str) -> None:
    refusal({f"scores.f1.{statistic}": {"$gt": 0}})


@pytest.mark.parametrize(
    ("given", "place", "meant"),
    [
        ({"name": {"$contains": "x"}}, "name: unknown operator '$contains'", None),
        ({"name": {"$lik": "x"}}, "name: unknown operator '$lik'", "$like"),
        ({"rows": {"gte": 1}}, "rows: unknown operator 'gte'", "$gte"),
        ({"name": {"$like": "x", "$regex": "y"}}, "name: unknown operator '$regex'", None),
        ({"name": {"first": "x"}}, "name: unknown operator 'first'", None),
        ({"$nor": [{"name": "x"}]}, "the filter: unknown operator '$nor'", "$or"),
        ({"$eq": "x"}, "the filter: unknown operator '$eq'", None),
    ],
)
def test_an_unknown_operator_is_told_with_the_known_ones(
    given: dict[str, JsonValue], place: str, meant: str | None
) -> None:
    for spelling in (given, json.dumps(given)):
        error = refusal(spelling)

        assert error.message.startswith(place)
        assert "$and" in cast("list[str]", error.data["known"])
        if meant:
            assert f"did you mean {meant!r}?" in error.message


# --- what does not fit together -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"$or": [], "name": "x"}, "the filter mixes a logical operator with sibling keys: $or"),
        ({"$and": [], "$or": []}, "mixes a logical operator with sibling keys"),
        ({"name": {"$not": "x", "$eq": "y"}}, "name mixes a logical operator with sibling keys: $not"),
        ({"$and": {"name": "x"}}, "$and: wanted a list, found an object"),
        ({"$or": "x"}, "$or: wanted a list, found 'x'"),
        ({"$or": [["x"]]}, "a filter: wanted an object, found a list"),
        ({"$not": "x"}, "a filter: wanted an object, found 'x'"),
        ({"$not": [{"name": "x"}]}, "a filter: wanted an object, found a list"),
        ({"$and": [None]}, "a filter: wanted an object, found null"),
        ({"name": {"$or": {"$eq": "x"}}}, "name $or: wanted a list, found an object"),
        ({"name": {}}, "name: an empty object compares nothing"),
        ({"name": {"$in": "x"}}, "name $in: wanted a list, found 'x'"),
        ({"name": {"$nin": None}}, "name $nin: wanted a list, found null"),
        ({"name": ["x", "y"]}, "name $eq: wanted text, found a list ($in takes a list)"),
        ({"name": 5}, "name $eq: wanted text, found 5"),
        ({"name": True}, "name $eq: wanted text, found true"),
        ({"name": {"$like": None}}, "name $like: wanted something to compare with, found null"),
        ({"name": {"$lt": None}}, "name $lt: wanted something to compare with"),
        ({"name": {"$in": [["x"]]}}, "name $in: wanted text, found a list"),
        ({"labels.team": {"$eq": {"$eq": "x"}}}, "labels.team $eq: wanted text, found an object"),
        ({"rows": True}, "rows $eq: wanted a number, found true"),
        ({"rows": {"$in": [1, False]}}, "rows $in: wanted a number, found false"),
        ({"scores.f1.mean": {"$gt": "0.5"}}, "scores.f1.mean $gt: wanted a number, found '0.5'"),
        ({"scores.f1.mean": {"$like": 5}}, "scores.f1.mean $like: wanted another operator"),
        ({"rows": {"$like": "5"}}, "rows $like: wanted another operator"),
        ({"created_at": {"$eq": 1735689600}}, "created_at $eq: wanted a date or time like"),
        ({"created_at": {"$gt": "yesterday"}}, "created_at $gt: wanted a date or time like"),
        ({"created_at": {"$gt": "2025-02-30"}}, "found '2025-02-30'"),
        ({"created_at": {"$gt": "0001-01-01T00:00:00+10:00"}}, "wanted a date or time"),
        ({"created_at": {"$gt": "9999-12-31T23:59:59-10:00"}}, "wanted a date or time"),
        ({"created_at": {"$gt": ""}}, "wanted a date or time"),
        ({"created_at": {"$gt": "2025-01-01\u0000"}}, "wanted a date or time"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_by_its_place(given: dict[str, JsonValue], says: str) -> None:
    assert says in refusal(given).message
    assert says in refusal(json.dumps(given)).message


@pytest.mark.parametrize(
    "number",
    [float("nan"), float("inf"), float("-inf"), 10**400, -(10**5000)],
    ids=["nan", "inf", "minus inf", "large", "huge"],
)
def test_a_number_is_finite_and_fits_a_double(number: float) -> None:
    for field in ("rows", "scores.f1.mean"):
        assert "a number that a double can hold" in refusal({field: {"$gt": number}}).message


def test_a_huge_number_where_text_is_wanted_is_not_written_out() -> None:
    assert refusal({"name": 10**5000}).message == "name $eq: wanted text, found a huge number"


@pytest.mark.parametrize(
    "given",
    [
        {5: "x"},
        {None: "x"},
        {"name": {5: "x"}},
        {b"name": "x"},
        {("name",): "x"},
        {"name": b"x"},
        {"name": ("x",)},
        {"name": {"x"}},
        {"name": object()},
        {"rows": 1j},
        {"name": {"$in": ("x",)}},
        ["name", "x"],
        5,
        5.5,
        True,
        b"name:x",
        [{"name": "x"}],
    ],
)
def test_what_is_no_json_at_all_is_refused_as_well(given: object) -> None:
    refusal(given)


@pytest.mark.parametrize(
    "given",
    [
        "{",
        '{"name": "x"',
        '{"name": "x"} {"name": "y"}',
        '{"name": NaN}',
        '{"rows": {"$gt": Infinity}}',
        '{"rows": {"$gt": 1e999}}',
        '{"rows": {"$gt": ' + "9" * 400 + "}}",
        "{'name': 'x'}",
        '{name: "x"}',
        '{"name": "x",}',
        '{"name": "\\ud800"}',
        '{"name": "\ud800"}',
        '{"name": "\\x"}',
        "{" * 10_000,
        '{"a":' * 10_000,
        '{"$and":[' * 3_000 + "]}" * 3_000,
    ],
    ids=lambda given: ascii(given[:40]),
)
def test_what_begins_like_json_and_is_none_says_so(given: str) -> None:
    assert "is no JSON" in refusal(given).message


# --- characters that no database takes ----------------------------------------------------------

UNSTORABLE = ["\x00", "a\x00b", "\ud800", "\udfff\ud800", "a" * 50 + "\udc80"]


@pytest.mark.parametrize("text", UNSTORABLE)
def test_nul_and_half_characters_are_refused_wherever_they_stand(text: str) -> None:
    for operator in ("$eq", "$like", "$lt", "$gte"):
        refusal({"name": {operator: text}})
    refusal({"name": {"$in": ["a", text]}})
    refusal({f"labels.{text}": "x"})
    refusal({f"scores.{text}.mean": 1})
    refusal({f"scores.f1.{text}": 1})
    refusal({"created_at": {"$like": text}})
    refusal({"created_at": text + "!"})
    refusal({text: "x"})
    refusal({"name": {text: "x"}})
    refusal({f"${text}": []})
    refusal(f"labels.{text}:x")
    refusal(f'name:"{text}"')
    refusal(f"name:{text}")
    refusal(text)


def test_a_nul_can_be_written_as_an_escape_and_is_refused_all_the_same() -> None:
    refusal('{"name": "\\u0000"}')
    refusal('name:"\\u0000"')
    refusal('"labels.\\u0000":x')


# --- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "at", "wanted"),
    [
        ("name", 5, "one of : = ~ > >= < <= IN, found the end"),
        ("name llama", 6, "one of : = ~"),
        ("name:", 6, "a value, found the end"),
        ("name:a OR", 10, "a field, found the end"),
        ("name:a AND", 11, "a field, found the end"),
        ("name:a AND OR name:b", 12, "a field (AND, OR, NOT, IN are written large), found 'OR'"),
        ("name:a or name:b", 8, "a field (AND, OR, NOT, IN are written large), found 'or'"),
        ("OR name:a", 1, "a field"),
        ("name:OR name:a", 6, "a value, found 'OR'"),
        ("(name:a", 8, "), found the end"),
        ("name:a)", 7, "AND, OR or the end, found ')'"),
        ("()", 2, "a field, found ')'"),
        (":a", 1, "a field, found ':'"),
        ("name:(a)", 6, "a value, found '('"),
        ('name:"a', 6, "a string that ends, found '\"a'"),
        ('name:"a\\"', 6, "a string that ends"),
        ('name:"\\x"', 6, "a JSON string"),
        ('name:"a\nb"', 6, "a JSON string"),
        ('"name', 1, "a string that ends"),
        ("name IN a", 9, "[, found 'a'"),
        ("name IN", 8, "[, found the end"),
        ("name IN [a", 11, "], found the end"),
        ("name IN [a b]", 12, "], found 'b'"),
        ("name IN [,]", 10, "a value, found ','"),
        ("name IN [OR]", 10, "a value, found 'OR'"),
        ("name NOT a", 10, "IN, found 'a'"),
        ("name NOT:a", 9, "IN, found ':'"),
        ("-", 2, "a field, found the end"),
        ("NOT", 4, "a field, found the end"),
        ("name:a -", 9, "a field, found the end"),
        ("[1]", 1, "a field, found '['"),
    ],
)
def test_words_that_cannot_be_understood_say_where(given: str, at: int, wanted: str) -> None:
    assert f"at character {at}: wanted {wanted}" in refusal(given).message


# --- bombs --------------------------------------------------------------------------------------


def nested(key: str, depth: int, innermost: JsonValue) -> JsonValue:
    found = innermost
    for _ in range(depth):
        found = {key: found} if key == "$not" else {key: [found]}
    return found


A: JsonValue = {"name": "a"}

BOMBS: list[tuple[str, object]] = [
    ("parentheses", "(" * 10_000),
    ("closed parentheses", "(" * 10_000 + "name:a" + ")" * 10_000),
    ("minuses", "-" * 10_000 + "name:a"),
    ("spaced minuses", "- " * 10_000 + "name:a"),
    ("not in words", "NOT " * 10_000 + "name:a"),
    ("minuses and parentheses", "-(" * 10_000 + "name:a" + ")" * 10_000),
    ("one parenthesis too many", "(" * (DEPTH_MAX + 1) + "name:a" + ")" * (DEPTH_MAX + 1)),
    ("not", nested("$not", 10_000, A)),
    ("and", nested("$and", 10_000, A)),
    ("or", nested("$or", 10_000, A)),
    ("one too deep", nested("$not", DEPTH_MAX, A)),
    ("not in a field", {"name": nested("$not", 10_000, "a")}),
    ("or in a field", {"name": nested("$or", 10_000, "a")}),
    ("not in JSON", '{"$not":' * 300 + '{"name":"a"}' + "}" * 300),
    ("comparisons", {"$or": [A] * (COMPARISONS_MAX + 1)}),
    ("very many comparisons", {"$or": [A] * 100_000}),
    ("comparisons in JSON", json.dumps({"$or": [A] * 1000})),
    ("comparisons in words", "name:a " * 9_000),
    ("alternatives in words", "name:a" + " OR name:a" * 6_000),
    ("comparisons of a field", {"name": {"$or": ["a"] * 101}}),
    ("fields", {f"labels.{n}": "a" for n in range(100_000)}),
    ("operators", {"name": {f"${n}": "a" for n in range(100_000)}}),
    ("empty parts", {"$and": [{}] * (PARTS_MAX + 1)}),
    ("very many empty parts", {"$and": [{}] * 100_000}),
    ("empty parts in parts", {"$and": [{"$and": [{}] * 500}] * 500}),
    ("empty parts of a field", {"name": {"$and": [{"$and": []}] * 100_000}}),
    ("values", {"name": {"$in": ["a"] * (VALUES_MAX + 1)}}),
    ("very many values", {"name": {"$in": ["a"] * 100_000}}),
    ("values together", {"$or": [{"name": {"$in": ["a"] * 100}}] * 11}),
    ("values in words", "name IN [" + "a," * 30_000 + "]"),
    ("unended values in words", "name IN [" + "a," * 30_000),
    ("long JSON", '{"name":"' + "a" * FILTER_CHARACTERS_MAX + '"}'),
    ("long words", "name:a" + " " * FILTER_CHARACTERS_MAX),
    ("a megabyte of words", "x" * 1_048_576),
]


@pytest.mark.parametrize("bomb", [bomb for _, bomb in BOMBS], ids=[name for name, _ in BOMBS])
def test_a_bomb_is_refused_before_it_goes_off(bomb: object) -> None:
    started = time.perf_counter()
    refusal(bomb, OverLimit)

    assert time.perf_counter() - started < 2 * SECONDS_MAX


MEGABYTE = "x" * 1_048_576


@pytest.mark.parametrize(
    "given",
    [
        {MEGABYTE: "x"},
        {f"labels.{MEGABYTE}": "x"},
        {f"scores.{'a.' * 500_000}mean": 1},
        {f"scores.f1.{MEGABYTE}": 1},
        {"name": {MEGABYTE: "x"}},
        {f"${MEGABYTE}": "x"},
        {"name": MEGABYTE},
        {"name": "x" * (TEXT_CHARACTERS_MAX + 1)},
        {"name": {"$like": MEGABYTE}},
        {"created_at": MEGABYTE},
        {"created_at": {"$like": MEGABYTE}},
        {"rows": MEGABYTE},
        {"$and": MEGABYTE},
        {"$not": MEGABYTE},
        {"name": {"$in": MEGABYTE}},
        {"name": nested("$and", 100_000, "a")},
        "x" * FILTER_CHARACTERS_MAX,
        "labels." + "x" * 60_000 + ":y",
        "name:" + "x" * 60_000,
        'name:"' + "x" * 60_000 + '"',
        'name:"' + "x" * 60_000,
        'name:"' + "\\" * 60_001,
        '"' * 60_001,
        "name" + " " * 60_000 + "!",
        "name:a" + "\t" * 60_000 + ")",
        "scores." + "a." * 30_000 + "mean>1",
        "rows:" + "1" * 60_000,
        "rows:" + "1." * 30_000,
        "rows:1e" + "9" * 60_000,
        "created_at:" + "1" * 60_000,
    ],
    ids=lambda given: given[:20] if isinstance(given, str) else next(iter(given))[:20],
)
def test_what_is_long_is_refused_quickly_and_not_repeated(given: object) -> None:
    started = time.perf_counter()
    refusal(given, Refused)

    assert time.perf_counter() - started < 2 * SECONDS_MAX


def test_a_mapping_that_contains_itself_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["$not"] = endless
    refusal(endless, OverLimit)
    parts: list[Any] = []
    parts.append(parts)
    refusal({"$and": parts})
    refusal({"name": parts})


# --- fuzzing ------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        *("name", "labels.team", "scores.f1.mean", "created_at", "rows", "nobody"),
        *(":", "=", "~", ">", ">=", "<", "<=", "(", ")", "[", "]", ",", "-", '"', "\\", "{", "}"),
        *(" ", "\n", "AND", "OR", "NOT", "IN", "null", "5", "1e999", "a", '"a"', "2025-01-01"),
        *("\x00", "\ud800", "🎉", "$and", "%", "_", "'", ";"),
    ]
)


def parsed_or_refused(given: object) -> None:
    """Anything else that is raised fails the test."""
    for parse, fields in ((parse_filter, RESULT_FIELDS), (parse_search, SEARCH_FIELDS)):
        try:
            parse(cast("Spelling", given), fields)
        except (Invalid, OverLimit) as error:
            error.message.encode()
            json.dumps(error.data, ensure_ascii=False).encode()


@settings(max_examples=2000, deadline=None)
@given(
    st.text()
    | st.lists(PIECES, max_size=30).map("".join)
    | st.lists(PIECES, max_size=15).map(" ".join)
)
@example("name:a" + " " * 100 + "\x00")
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    parsed_or_refused(text)


KEYS = st.sampled_from(
    [
        *(
            "name",
            "rows",
            "created_at",
            "labels.team",
            "scores.f1.mean",
            "model",
            "nobody",
            "labels",
        ),
        *("$and", "$or", "$not", "$eq", "$like", "$in", "$nin", "$lt", "$gte", "$", ""),
    ]
) | st.text(max_size=5)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["2025-01-01", "a", 5, 10**400, b"x", 1j, ("a",)])
)


@settings(max_examples=2000, deadline=None)
@given(
    st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=15,
    )
)
def test_any_mapping_is_a_filter_or_is_refused(given: object) -> None:
    if isinstance(given, str | None):
        return
    parsed_or_refused(given)


@pytest.mark.parametrize("seed", range(40))
def test_sixty_four_kibibytes_of_anything_take_no_time(seed: int) -> None:
    chance = Random(seed)
    few = chance.choices(
        [
            "name",
            ":",
            "a",
            " ",
            "(",
            ")",
            "-",
            '"',
            "\\",
            "[",
            ",",
            "]",
            "IN",
            "NOT",
            "OR",
            "x.",
            ">",
        ],
        k=chance.randint(1, 6),
    )
    text = ("name:a " + "".join(chance.choices(few, k=65_536)))[:FILTER_CHARACTERS_MAX]

    best = min(_seconds(text) for _ in range(3))

    # A hundred times what it takes, and a hundredth of what going over it again and again would take.
    assert best < 0.5


def _seconds(text: str) -> float:
    started = time.process_time()
    with suppress(Invalid, OverLimit):
        parse_filter(text, RESULT_FIELDS)
    return time.process_time() - started


def test_a_filter_as_large_as_may_be_is_read() -> None:
    fields: Mapping[str, JsonValue] = {f"labels.{n}": "x" * TEXT_CHARACTERS_MAX for n in range(100)}
    values: Mapping[str, JsonValue] = {"name": {"$in": ["x" * TEXT_CHARACTERS_MAX] * VALUES_MAX}}
    words = " OR ".join(["name:a"] * COMPARISONS_MAX)

    parse_filter(fields, RESULT_FIELDS)
    parse_filter(values, RESULT_FIELDS)
    parse_filter(words, RESULT_FIELDS)
    parse_filter(words + " " * (FILTER_CHARACTERS_MAX - len(words)), RESULT_FIELDS)
    parse_filter("(" * DEPTH_MAX + "name:a" + ")" * DEPTH_MAX, RESULT_FIELDS)
    parse_filter("NOT " * DEPTH_MAX + "name:a", RESULT_FIELDS)
