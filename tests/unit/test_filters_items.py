"""What a filter says about items, in each of its spellings, and what it then lets pass."""

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from evalbus.errors import Invalid, OverLimit
from evalbus.filters import Operator, parse_filter
from evalbus.filters.expression import Comparison, FieldPath
from evalbus.filters.items import ITEM_FIELDS
from evalbus.filters.limits import COMPARISONS_MAX, DEPTH_MAX
from evalbus.filters.matching import predicate
from evalbus.filters.parsing import Spelling
from tests.filtering import Wish, holds
from tests.sliceable import some_items, wishes_about_items
from tests.spelling import as_json, as_mapping, as_words

ITEMS = some_items(120)


def passes(given: Spelling, item: dict[str, JsonValue]) -> bool:
    return predicate(parse_filter(given, ITEM_FIELDS))(item)


@settings(max_examples=300, deadline=None)
@given(wish=wishes_about_items(), chance=st.randoms(use_true_random=True))
def test_every_spelling_lets_pass_what_the_filter_means(wish: Wish, chance: Random) -> None:
    expected = [holds(wish, item) for item in ITEMS]
    spellings: list[Spelling] = [
        as_mapping(wish, "slice", chance),
        as_json(wish, "slice", chance),
        as_words(wish, "slice", chance),
    ]

    for spelling in spellings:
        lets_pass = predicate(parse_filter(spelling, ITEM_FIELDS))
        assert [lets_pass(item) for item in ITEMS] == expected, spelling


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("hard", "hard"),
        ('"hard"', "hard"),
        ("4", 4),
        ("-4.5e1", -45.0),
        (".5", 0.5),
        ("+1", 1),
        ('"4"', "4"),
        ("007", "007"),
        ("1.2.3", "1.2.3"),
        ("2025-01-01T10:30:00+02:00", "2025-01-01T10:30:00+02:00"),
        ("true", True),
        ("false", False),
        ('"true"', "true"),
        ("True", "True"),
        ("null", None),
        ('"null"', "null"),
        ("9007199254740993", 9007199254740993),
    ],
)
def test_a_bare_word_about_an_item_is_what_json_makes_of_it(written: str, value: JsonValue) -> None:
    for words, operator in (
        (f"level:{written}", Operator.EQ),
        (f"item.level = {written}", Operator.EQ),
        (f"level NOT IN [{written}]", Operator.NIN),
    ):
        (found,) = one(words).values

        assert (found, type(found)) == (value, type(value))
        assert one(words).operator is operator
    assert passes({"level": value}, {"level": value})


def one(words: str) -> Comparison:
    found = parse_filter(words, ITEM_FIELDS)
    assert isinstance(found, Comparison)
    return found


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("level", "level"),
        ("item.level", "level"),
        ("meta.source", "meta.source"),
        ("item.meta.source", "meta.source"),
        ("item", "item"),
        ("item.item", "item"),
        ("item.", "item."),
        ("name", "name"),
        ("labels", "labels"),
        ("scores.f1", "scores.f1"),
        ("$", "$"),
        ("a b", "a b"),
    ],
)
def test_any_field_of_an_item_can_be_named_with_or_without_the_word_item(
    field: str, path: str
) -> None:
    assert ITEM_FIELDS.find(field) == FieldPath(name="item", rest=path)


@pytest.mark.parametrize(
    ("item", "is_there", "is_hard"),
    [
        ({}, False, False),
        ({"meta": None}, False, False),
        ({"meta": "hard"}, False, False),
        ({"meta": {}}, False, False),
        ({"meta": {"level": None}}, False, False),
        ({"meta": {"level": []}}, False, False),
        ({"meta": {"level": [None]}}, False, False),
        ({"meta": {"level": {}}}, True, False),
        ({"meta": {"level": {"hard": "hard"}}}, True, False),
        ({"meta": {"level": 4}}, True, False),
        ({"meta": {"level": "hard"}}, True, True),
        ({"meta": {"level": ["easy", "hard"]}}, True, True),
        ({"meta": {"level": [["easy", ["hard"]]]}}, True, True),
        ({"meta": [{"level": "easy"}, {"level": "hard"}]}, True, True),
        ({"meta": [{"level": "easy"}, None, "hard"]}, True, False),
        ({"meta.level": "hard"}, True, True),
        ({"meta.level": "hard", "meta": {"level": "easy"}}, True, True),
        ({"meta.level": "easy", "meta": {"level": "hard"}}, True, False),
    ],
)
def test_a_path_finds_no_value_one_or_several(
    item: dict[str, JsonValue], is_there: bool, is_hard: bool
) -> None:
    assert passes("meta.level:hard", item) is is_hard
    assert passes("-meta.level:hard", item) is not is_hard
    assert passes("meta.level NOT IN [hard]", item) is not is_hard
    assert passes("meta.level~HAR", item) is is_hard
    assert passes("meta.level >= hard", item) is is_hard
    assert passes("meta.level:null", item) is not is_there
    assert passes("meta.level IN [null]", item) is not is_there
    assert passes("-meta.level:null", item) is is_there


def test_only_what_has_the_same_type_is_compared() -> None:
    values: list[JsonValue] = ["1", 1, 1.0, True, "true", "", 0, False, {}, [0]]

    def found(words: str) -> list[JsonValue]:
        return [value for value in values if passes(words, {"x": value})]

    def types(words: str) -> list[tuple[JsonValue, type]]:
        return [(value, type(value)) for value in found(words)]

    assert types("x:1") == [(1, int), (1.0, float)]
    assert types('x:"1"') == [("1", str)]
    assert types("x:true") == [(True, bool)]
    assert types("x:0") == [(0, int), ([0], list)]
    assert types("x IN [false, 1]") == [(1, int), (1.0, float), (False, bool)]
    assert types("x>=0") == [(1, int), (1.0, float), (0, int), ([0], list)]
    assert types('x>=""') == [("1", str), ("true", str), ("", str)]
    assert types('x~""') == [("1", str), ("true", str), ("", str)]


def test_long_integers_are_told_apart() -> None:
    assert passes("id:9007199254740993", {"id": 9007199254740993})
    assert not passes("id:9007199254740993", {"id": 9007199254740992})
    assert not passes({"id": 9007199254740993}, {"id": 9007199254740992})


def test_containment_ignores_case_in_every_alphabet() -> None:
    assert passes("q~ПРИВЕТ", {"q": "ну, привет"})
    assert passes("q~straße", {"q": "HAUPTSTRASSE"})
    assert passes('q~"%"', {"q": "100%"})
    assert not passes('q~"%"', {"q": "100"})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"x": {"$gt": True}}, "item.x $gt: wanted a number or text, which have an order, found true"),
        ("x<false", "item.x $lt: wanted a number or text"),
        ({"x": {"$like": 4}}, "item.x $like: wanted text, found 4"),
        ({"x": {"$like": True}}, "item.x $like: wanted text, found true"),
        ("x~4", "item.x $like: wanted text, found 4"),
        ({"x": ["a"]}, "item.x $eq: wanted text, a number, true, false or null, found a list ($in takes a list)"),
        ({"x": {"$in": [{"a": 1}]}}, "item.x $in: wanted text, a number, true, false or null, found an object"),
        ({"x": {"$lt": None}}, "item.x $lt: wanted something to compare with, found null"),
        ({"x": 10**400}, "wanted a number that a double can hold"),
        ("x:" + "9" * 400, "wanted a number that a double can hold"),
        ("x:1e999", "wanted a number that a double can hold"),
        ({"x": "a\x00"}, "without NUL"),
        ({"": "x"}, "unknown filter field '' (known: item.<field>)"),
        ({"a\x00": "x"}, "unknown filter field"),
        ({"x" * 300: "x"}, "unknown filter field"),
        ({"x": {"$exists": True}}, "x: unknown operator '$exists'"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_of_an_item_is_told_by_its_place(
    given: dict[str, JsonValue] | str, says: str
) -> None:
    with pytest.raises(Invalid) as raised:
        parse_filter(given, ITEM_FIELDS)

    assert says in raised.value.message
    assert json.dumps(raised.value.data).encode()


@pytest.mark.parametrize(
    "bomb",
    [
        "(" * (DEPTH_MAX + 1) + "x:1" + ")" * (DEPTH_MAX + 1),
        "x:1 " * (COMPARISONS_MAX + 1),
        {f"x{n}": 1 for n in range(COMPARISONS_MAX + 1)},
        "x IN [" + "1," * 2000 + "]",
    ],
    ids=["depth", "words", "fields", "values"],
)
def test_filters_over_items_are_no_larger_than_others(bomb: dict[str, JsonValue] | str) -> None:
    with pytest.raises(OverLimit):
        parse_filter(bomb, ITEM_FIELDS)


def test_items_as_deep_as_there_are_have_no_bottom_that_hurts() -> None:
    deep: JsonValue = "hard"
    for _ in range(50_000):
        deep = [deep]

    assert passes("level:hard", {"level": deep})
    assert passes("level.level:null", {"level": deep})
