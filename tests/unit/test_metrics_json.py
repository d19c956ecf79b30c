"""json-valid and json-schema: what is JSON, what a schema allows, and what is said of the rest."""

import json
import math
import socket
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import JsonValue

from evalbus.errors import Invalid
from evalbus.metrics import Batch, Columns, build_metric
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.scoring import a_plugin

DRAFT_7 = "http://json-schema.org/draft-07/schema#"


def scored(type: str, output: object, **parameters: Any) -> Columns:
    metric = build_metric(a_plugin(type, **parameters), RowLimits())
    sample: JsonObject = {"output_text": output}  # type: ignore[dict-item]  # it is JSON
    return metric.score(Batch([{}], [sample]))


def value_of(type: str, output: object, **parameters: Any) -> float:
    columns = scored(type, output, **parameters)
    assert not columns.notes
    return columns.values[0][0]


def detail_of(output: str, schema: JsonObject) -> JsonValue:
    remark = scored("json-schema", output, schema=schema).remarks[0, 0]
    return remark.detail


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5e3, true, null, "é"]}', 1.0),
        (" 5\n", 1.0),
        ('"text"', 1.0),
        ('"\\ud800"', 1.0),
        ('{"a": 1, "a": 2}', 1.0),
        ("9" * 5_000, 1.0),
        ("1e999", 1.0),
        ("[" * 100 + "]" * 100, 1.0),
        ("[" * 101 + "]" * 101, 0.0),
        ("[" * 100_000, 0.0),
        ("", 0.0),
        ("five", 0.0),
        ("NaN", 0.0),
        ("-Infinity", 0.0),
        ("{'a': 1}", 0.0),
        ("[1,]", 0.0),
        ("[1] // one", 0.0),
        ('"\n"', 0.0),
        ("\ufeff{}", 0.0),
        ("01", 0.0),
        ("１", 0.0),
        ("```json\n{}\n```", 0.0),
    ],
)
def test_an_answer_is_json_as_the_standard_has_it(text: str, value: float) -> None:
    assert value_of("json-valid", text) == value


def test_what_keeps_an_answer_from_being_json_is_said() -> None:
    # when
    remark = scored("json-valid", '{"a": 1,\n}').remarks[0, 0]

    # then
    assert remark.rationale is not None
    assert "line 2, column 1" in remark.rationale


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Here it is:\n```json\n{}\n```\nThat is all.", 1.0),
        ("```\n[1]\n```", 1.0),
        ("   ```JSON\n{}\n   ```", 1.0),
        ("```json\n{}", 1.0),
        ("```json\n{\n```\nand\n```json\n{}\n```", 0.0),
        ("```json\nno\n```", 0.0),
        ("{}", 1.0),
        ("It is `{}`", 0.0),
    ],
)
def test_the_first_fenced_block_can_be_asked_for(text: str, value: float) -> None:
    assert value_of("json-valid", text, extract="fenced") == value
    assert value_of("json-schema", text, schema={}, extract="fenced") == value


JSON_LIKE = st.text(
    alphabet=st.sampled_from(list('{}[]:,"\\ue0123456789.+-tfn ral\n\u00a0é')), max_size=12
)


@given(text=st.one_of(st.text(max_size=12), JSON_LIKE))
def test_json_is_what_another_strict_reader_takes_for_it(text: str) -> None:
    # given
    try:
        orjson.loads(text)
        wanted = 1.0
    except orjson.JSONDecodeError:
        wanted = 0.0

    # then
    if "\\u" not in text:  # the other reader refuses halves of characters, which the grammar allows
        assert value_of("json-valid", text) == wanted


def test_no_answer_gives_no_score() -> None:
    for columns in (scored("json-valid", None), scored("json-schema", None, schema={})):
        assert math.isnan(columns.values[0][0])
        assert columns.notes[0].code == "no_candidate"


CITY: JsonObject = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("output", "path"),
    [
        ('{"name": 5}', "$.name"),
        ('{"name": "Paris", "people": -1}', "$.people"),
        ('{"people": 1}', "$"),
        ('{"name": "Paris", "river": "Seine"}', "$"),
        ("[]", "$"),
    ],
)
def test_what_breaks_the_schema_is_said_with_its_place(output: str, path: str) -> None:
    assert value_of("json-schema", '{"name": "Paris", "people": 2}', schema=CITY) == 1.0
    assert value_of("json-schema", output, schema=CITY) == 0.0

    match detail_of(output, CITY):
        case {"parsed": True, "errors": [{"path": found, "message": str(message)}]}:
            assert found == path
            assert message
        case other:
            pytest.fail(f"unexpected detail {other}")


def test_an_answer_that_is_no_json_is_told_from_one_of_the_wrong_shape() -> None:
    # when
    detail = detail_of("Paris", CITY)

    # then
    assert detail == {
        "parsed": False,
        "errors": [{"path": "$", "message": "not JSON: Expecting value (line 1, column 1)"}],
    }


def test_few_problems_and_little_of_each_are_kept() -> None:
    # given
    name = "\x00" + "x" * 1_000
    output = json.dumps({f"{name}{number}": "y" * 1_000 for number in range(20)})

    # when
    detail = detail_of(output, {"additionalProperties": {"type": "integer"}})

    # then
    match detail:
        case {"errors": list(errors)}:
            assert len(errors) == 5
            assert len(orjson.dumps(errors)) < 5_000
            assert "\x00" not in str(errors)
        case other:
            pytest.fail(f"unexpected detail {other}")


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"pattern": "^a+$"}, '"aa"', '"ab"'),
        ({"pattern": r"^\p{L}+$"}, '"é"', '"1"'),
        ({"pattern": "^x*$"}, "5", '"\\ud800"'),
        ({"patternProperties": {"^n_": {"type": "number"}}}, '{"n_a": 1, "b": ""}', '{"n_a": ""}'),
        (
            {"patternProperties": {"^n_": {}}, "additionalProperties": False},
            '{"n_a": 1}',
            '{"a": 1}',
        ),
        (
            {"properties": {"a": {}}, "additionalProperties": {"type": "string"}},
            '{"a": 1, "b": ""}',
            '{"b": 1}',
        ),
        ({"multipleOf": 0.1}, "0.3", "0.35"),
        ({"multipleOf": 3}, "9" * 400, "1" + "0" * 400),
        ({"multipleOf": 1}, "true", "1e999"),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}, "1", '""'),
        ({"type": ["array", "null"], "items": {"$ref": "#"}}, "[[null]]", "[[1]]"),
        (
            {"$ref": "https://json-schema.org/draft/2020-12/schema"},
            '{"type": "null"}',
            '{"type": 1}',
        ),
        ({"$schema": DRAFT_7, "items": [{"type": "integer"}]}, "[1]", '[""]'),
        (
            {
                "$schema": "http://json-schema.org/draft-04/schema#",
                "maximum": 5,
                "exclusiveMaximum": True,
            },
            "4",
            "5",
        ),
        ({"prefixItems": [{"type": "integer"}]}, "[1]", '[""]'),
        ({"format": "date"}, '"tomorrow"', None),
    ],
)
def test_a_schema_allows_what_it_says(schema: JsonObject, good: str, bad: str | None) -> None:
    assert value_of("json-schema", good, schema=schema) == 1.0
    assert bad is None or value_of("json-schema", bad, schema=schema) == 0.0


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "strin"}, "schema: $.type: 'strin'"),
        ({"properties": []}, "schema: $.properties"),
        ({"$schema": "http://example.com/my"}, "is unknown (known: https://json-schema.org"),
        ({"$schema": 7}, "is unknown"),
        ({"pattern": "(a"}, "missing )"),
        ({"not": {"properties": {"a": {"pattern": "(?=a)"}}}}, "look-around is not known"),
        ({"patternProperties": {"[": {}}}, "not a regular expression of RE2"),
        ({"$ref": "http://example.com/schema.json"}, "nothing is fetched"),
        ({"allOf": [{"$ref": "#/$defs/missing"}]}, "'#/$defs/missing' leads nowhere"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/b"}}}}, "'#/b' leads nowhere"),
        ({"$ref": "#"}, "round in a circle"),
        ({"anyOf": [{"type": "null"}, {"$ref": "#"}]}, "round in a circle"),
        ({"patternProperties": {}, "unevaluatedProperties": False}, "not supported"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(schema: JsonObject, words: str) -> None:
    # when
    with pytest.raises(Invalid) as raised:
        build_metric(a_plugin("json-schema", schema=schema), RowLimits())

    # then
    assert "metric 'json-schema': " in raised.value.message
    assert words in raised.value.message


def test_nobody_is_asked_for_a_schema() -> None:
    # given
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        reference = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"

        # when
        with pytest.raises(Invalid, match="nothing is fetched"):
            build_metric(a_plugin("json-schema", schema={"$ref": reference}), RowLimits())

        # then
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "^(a+)+$"},
        {"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False},
        {"propertyNames": {"pattern": "^(a|aa)+$"}, "not": {"type": "string"}},
    ],
)
def test_no_pattern_takes_for_ever(schema: JsonObject) -> None:
    # given
    text = "a" * 300_000 + "!"

    # then
    assert value_of("json-schema", json.dumps({text: text}), schema={"anyOf": [schema]}) in (
        0.0,
        1.0,
    )
    assert value_of("json-schema", json.dumps(text), schema=schema) in (0.0, 1.0)


def test_a_schema_and_an_answer_that_both_go_deep_are_followed() -> None:
    # given
    schema: JsonObject = {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "anyOf": [
                    {"type": "integer"},
                    {
                        "allOf": [
                            {"properties": {"next": {"$ref": "#/$defs/node"}}, "type": "object"}
                        ]
                    },
                ]
            }
        },
    }

    # then
    assert value_of("json-schema", '{"next":' * 99 + "1" + "}" * 99, schema=schema) == 1.0
    assert value_of("json-schema", '{"next":' * 99 + '""' + "}" * 99, schema=schema) == 0.0


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.5, 1.0])
    | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYWORDS: list[JsonObject] = [
    {"type": "object"},
    {"type": ["integer", "string", "null"]},
    {"minimum": 1},
    {"multipleOf": 2},
    {"pattern": "^a"},
    {"maxLength": 1},
    {"required": ["a"]},
    {"properties": {"a": {"type": "integer"}}},
    {"patternProperties": {"^a": {"type": "integer"}}},
    {"additionalProperties": False},
    {"additionalProperties": {"type": "string"}},
    {"items": {"type": "integer"}},
    {"uniqueItems": True},
    {"enum": [1, "a", None, {}]},
]


@given(chosen=st.lists(st.sampled_from(KEYWORDS), max_size=4), value=VALUES)
def test_a_value_is_valid_as_for_the_library_without_our_keywords(
    chosen: list[JsonObject], value: JsonValue
) -> None:
    # given
    schema: JsonObject = {}
    for keyword in chosen:
        schema |= keyword

    # then
    wanted = float(Draft202012Validator(schema).is_valid(value))
    assert value_of("json-schema", json.dumps(value), schema=schema) == wanted
