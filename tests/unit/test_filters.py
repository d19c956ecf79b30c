"""What a filter says, in each of its spellings, comes to the same expression."""

from datetime import UTC, datetime

import pytest
from pydantic import JsonValue

from evalbus.filters import (
    And,
    Comparison,
    Expression,
    FieldPath,
    Not,
    Operator,
    Or,
    parse_filter,
    parse_search,
)
from evalbus.filters.expression import EVERYTHING, Value
from evalbus.filters.parsing import Spelling
from evalbus.filters.results import RESULT_FIELDS, SEARCH_FIELDS, STATISTICS
from evalbus.store.postgres.filter_sql import RESULT_COLUMNS, STATISTIC_COLUMNS
from evalbus_schemas.scores import ScoreStatistics


def a_comparison(field: str, operator: Operator, *values: Value) -> Comparison:
    name, _, rest = field.partition(".")
    return Comparison(field=FieldPath(name=name, rest=rest), operator=operator, values=values)


def filtered(given: Spelling) -> Expression:
    return parse_filter(given, RESULT_FIELDS)


def searched(given: Spelling) -> Expression:
    return parse_search(given, SEARCH_FIELDS)


A = a_comparison("name", Operator.EQ, "a")
B = a_comparison("name", Operator.EQ, "b")
C = a_comparison("benchmark", Operator.LIKE, "c")


@pytest.mark.parametrize("given", [None, "", "  \n", {}, "{}", " { } "])
def test_no_filter_lets_everything_pass(given: Spelling) -> None:
    assert filtered(given) == EVERYTHING
    assert searched(given) == EVERYTHING


@pytest.mark.parametrize(
    ("spellings", "meaning"),
    [
        (({"name": "a"}, '{"name": "a"}', 'name:"a"', "name:a", "name = a", '"name"="a"'), A),
        (({"name": {"$eq": "a"}}, "(name:a)", "((name:a))"), A),
        (
            ({"$or": [{"name": "a"}, {"name": "b"}]}, {"name": {"$or": ["a", {"$eq": "b"}]}},
             "name:a OR name:b", 'name:"a"OR name:"b"', "(name:a)OR(name:b)"),
            Or((A, B)),
        ),
        (
            ({"name": "a", "benchmark": {"$like": "c"}},
             {"$and": [{"name": "a"}, {"benchmark": {"$like": "c"}}]},
             "name:a benchmark~c", "name:a AND benchmark~c", "(name:a) (benchmark~c)"),
            And((A, C)),
        ),
        (
            ({"$not": {"name": "a"}}, {"name": {"$not": "a"}}, {"name": {"$not": {"$eq": "a"}}},
             "-name:a", "- name:a", "NOT name:a", "NOT(name:a)", "-(name:a)", '-"name":a'),
            Not(A),
        ),
        (("--name:a", "NOT NOT name:a", "-NOT name:a", {"$not": {"$not": {"name": "a"}}}), Not(Not(A))),
        (
            ("name:a OR name:b benchmark~c", "name:a OR name:b AND benchmark~c",
             {"$or": [{"name": "a"}, {"$and": [{"name": "b"}, {"benchmark": {"$like": "c"}}]}]}),
            Or((A, And((B, C)))),
        ),
        (("(name:a OR name:b) benchmark~c",), And((Or((A, B)), C))),
        (("-name:a name:b",), And((Not(A), B))),
        (("-(name:a OR name:b)",), Not(Or((A, B)))),
        (
            ({"name": {"$in": ["a", "b", None]}}, 'name IN ["a", b,null]', "name IN[a,b,null,]"),
            a_comparison("name", Operator.IN, "a", "b", None),
        ),
        (
            ({"name": {"$nin": []}}, "name NOT IN []", "name NOT IN [ ]"),
            a_comparison("name", Operator.NIN),
        ),
        (
            ({"name": None}, {"name": {"$eq": None}}, "name:null", "name=null"),
            a_comparison("name", Operator.EQ, None),
        ),
        (
            ({"rows": {"$gt": 5, "$lte": 10}}, "rows>5 rows<=10", "rows > 5.0 AND rows <= 1e1"),
            And((a_comparison("rows", Operator.GT, 5.0), a_comparison("rows", Operator.LTE, 10.0))),
        ),
        (("rows>=-5", "rows>= -5.0", {"rows": {"$gte": -5}}), a_comparison("rows", Operator.GTE, -5.0)),
    ],
)  # fmt: skip
def test_spellings_agree(spellings: tuple[Spelling, ...], meaning: Expression) -> None:
    for spelling in spellings:
        assert filtered(spelling) == meaning, spelling


@pytest.mark.parametrize(
    ("given", "meaning"),
    [
        ({"name": "llama"}, a_comparison("name", Operator.LIKE, "llama")),
        ('{"name": "llama"}', a_comparison("name", Operator.LIKE, "llama")),
        ("name:llama", a_comparison("name", Operator.LIKE, "llama")),
        ("name~llama", a_comparison("name", Operator.LIKE, "llama")),
        ({"name": {"$not": "llama"}}, Not(a_comparison("name", Operator.LIKE, "llama"))),
        ({"created_at": "2025-01"}, a_comparison("created_at", Operator.LIKE, "2025-01")),
        ("name=llama", a_comparison("name", Operator.EQ, "llama")),
        ({"name": {"$eq": "llama"}}, a_comparison("name", Operator.EQ, "llama")),
        ({"name": None}, a_comparison("name", Operator.EQ, None)),
        ({"rows": 5}, a_comparison("rows", Operator.EQ, 5.0)),
        ("rows:5", a_comparison("rows", Operator.EQ, 5.0)),
        ({"name": {"$in": ["a"]}}, a_comparison("name", Operator.IN, "a")),
    ],
)
def test_in_a_search_a_bare_text_means_containment_and_all_else_is_as_in_a_filter(
    given: Spelling, meaning: Expression
) -> None:
    assert searched(given) == meaning


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("2", "2"),
        ("007", "007"),
        ("1.10", "1.10"),
        ("a:b", "a:b"),
        ("-x", "-x"),
        (":a:", ":a:"),
        (">5", ">5"),
        ("a<b>c~d=e", "a<b>c~d=e"),
        ("ключ", "ключ"),
        ("true", "true"),
        ('"null"', "null"),
        ('"AND"', "AND"),
        ('"a\\"b\\\\c\\u0041\\n"', 'a"b\\cA\n'),
        ('"() [] , : ~"', "() [] , : ~"),
        ('""', ""),
    ],
)
def test_in_words_a_text_needs_quotes_only_where_it_could_be_something_else(
    written: str, text: str
) -> None:
    assert filtered(f"labels.version:{written}") == a_comparison(
        "labels.version", Operator.EQ, text
    )
    assert filtered(f"labels.version IN [{written}]") == a_comparison(
        "labels.version", Operator.IN, text
    )


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("0", 0.0),
        ("-1", -1.0),
        ("+1", 1.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e-3", 0.001),
        ("1E3", 1e3),
    ],
)
def test_in_words_numbers_are_written_as_anybody_writes_them(written: str, number: float) -> None:
    assert filtered(f"scores.f1.mean>{written}") == a_comparison(
        "scores.f1.mean", Operator.GT, number
    )


def test_in_words_a_time_needs_no_quotes() -> None:
    found = filtered("created_at>=2025-01-01T10:30:00+02:00 -name:a")

    at = datetime(2025, 1, 1, 8, 30, tzinfo=UTC)
    assert found == And((a_comparison("created_at", Operator.GTE, at), Not(A)))


@pytest.mark.parametrize(
    "field",
    [
        "labels.team",
        "labels.te.am",
        "labels.a b",
        'labels.q"uote',
        "labels.ключ",
        "labels.$eq",
        "labels..",
        "scores.exact-match.mean",
        "scores.judge.help.ful.std_dev",
        "scores.default/judge.mean_failures_as_worst",
        "scores.mean.mean",
    ],
)
def test_what_follows_the_first_dot_of_labels_and_scores_is_the_users_own(field: str) -> None:
    path = FieldPath(name=field[:6], rest=field[7:])

    assert RESULT_FIELDS.find(field) == path
    assert str(path) == field


def test_every_field_and_statistic_that_can_be_named_has_a_column() -> None:
    assert set(RESULT_COLUMNS) | {"scores"} == set(RESULT_FIELDS.kinds)
    assert set(STATISTIC_COLUMNS) == STATISTICS


def test_every_statistic_that_is_a_number_can_be_filtered_by() -> None:
    not_numbers = {
        "name",
        "scope",
        # Of corpus scores, which have it as their mean as well.
        "value",
        "confidence_interval",
        "score_type",
        "percentiles",
        "histogram",
        "rubric_distribution",
        "mode_category",
        # Several numbers, of which none can be named.
        "agreement",
    }

    assert set(ScoreStatistics.model_fields) - not_numbers == STATISTICS


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2025-01-01", datetime(2025, 1, 1, tzinfo=UTC)),
        ("2025-01-01T10:30", datetime(2025, 1, 1, 10, 30, tzinfo=UTC)),
        ("2025-01-01T10:30:00.5Z", datetime(2025, 1, 1, 10, 30, 0, 500_000, UTC)),
        ("2025-01-01T00:00:00+02:00", datetime(2024, 12, 31, 22, tzinfo=UTC)),
        ("2025-01-01T00:00:00-05:45", datetime(2025, 1, 1, 5, 45, tzinfo=UTC)),
    ],
)
def test_moments_are_read_as_utc_unless_they_say_otherwise(given: str, expected: datetime) -> None:
    values: dict[str, JsonValue] = {"created_at": {"$gt": given}}

    assert filtered(values) == a_comparison("created_at", Operator.GT, expected)
