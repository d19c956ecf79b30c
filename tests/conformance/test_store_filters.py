"""A filter selects the same results in Postgres as it does when it is worked out in memory, however it is spelt."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import TypeAlias

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from evalbus.filters import Expression, parse_filter, parse_search
from evalbus.filters.limits import COMPARISONS_MAX, DEPTH_MAX, PARTS_MAX, VALUES_MAX
from evalbus.filters.parsing import Spelling
from evalbus.filters.results import RESULT_FIELDS, SEARCH_FIELDS
from evalbus.store.postgres.filter_sql import RESULT_COLUMNS, WhereClause
from evalbus_schemas.queries import ListResults
from tests.filterable import (
    LABELS,
    SCORE_PATHS,
    STATISTICS,
    a_result,
    some_results,
    wishes,
    write_results,
)
from tests.filtering import ScoreLine, StoredResult, Wish, holds
from tests.servers.background import run
from tests.servers.postgres import Databases
from tests.servers.versions import on_each_postgres
from tests.spelling import Use, as_json, as_mapping, as_words
from tests.stores import Stores

pytestmark = on_each_postgres

RESULTS = some_results(150)
CASES = 1500


Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True)
class Filled:
    """A database with results in it, those of RESULTS and as many of another workspace; a filter only reads it."""

    connection: "Connection"

    def selected(self, wanted: Expression) -> list[str]:
        where = WhereClause(RESULT_FIELDS, RESULT_COLUMNS, ["default"], workspace="default")
        sql = f"SELECT name FROM result WHERE workspace = $1 AND {where.of(wanted)}"
        return sorted(
            record["name"] for record in run(self.connection.fetch(sql, *where.parameters))
        )

    def by_filter(self, given: Spelling) -> list[str]:
        return self.selected(parse_filter(given, RESULT_FIELDS))

    def by_search(self, given: Spelling) -> list[str]:
        return self.selected(parse_search(given, SEARCH_FIELDS))


@pytest.fixture(scope="module")
def filled(databases: Databases) -> Iterator[Filled]:
    url = databases.make()
    connection = run(asyncpg.connect(url))
    # Far from UTC, for no answer depends on where the server is.
    run(connection.execute("SET TIME ZONE INTERVAL '-09:30' HOUR TO MINUTE"))
    run(write_results(connection, [*RESULTS, *some_results(150, workspace="other", seed=2)]))
    yield Filled(connection)
    run(connection.close())
    databases.drop(url)


@pytest.fixture
def few(database_url: str) -> Iterator["Few"]:
    connection = run(asyncpg.connect(database_url))
    yield Few(connection)
    run(connection.close())


@dataclass(frozen=True)
class Few(Filled):
    """A database for the results that a test names."""

    def write(self, *results: StoredResult) -> None:
        run(write_results(self.connection, results))


def expected(wish: Wish) -> list[str]:
    return sorted(result.name for result in RESULTS if holds(wish, result))


@settings(max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    wish=wishes(),
    use=st.sampled_from(["filter", "search"]),
    chance=st.randoms(use_true_random=True),
)
def test_every_spelling_selects_what_the_filter_means(
    filled: Filled, wish: Wish, use: Use, chance: Random
) -> None:
    select = filled.by_filter if use == "filter" else filled.by_search
    spellings: list[Spelling] = [
        as_mapping(wish, use, chance),
        as_json(wish, use, chance),
        as_words(wish, use, chance),
    ]

    for spelling in spellings:
        assert select(spelling) == expected(wish), spelling


# --- operators ----------------------------------------------------------------------------------

TRUE: JsonValue = {"name": "there"}
FALSE: JsonValue = {"name": "elsewhere"}
NOTHING: JsonValue = {"created_by": "somebody"}
"""A comparison with a value that the result does not have: in SQL it would be neither true nor false."""


@pytest.mark.parametrize(
    ("given", "is_selected"),
    [
        ({}, True),
        (TRUE, True),
        (FALSE, False),
        (NOTHING, False),
        ({"$not": TRUE}, False),
        ({"$not": FALSE}, True),
        ({"$not": NOTHING}, True),
        ({"$not": {"$not": NOTHING}}, False),
        ({"$and": [TRUE, TRUE]}, True),
        ({"$and": [TRUE, FALSE]}, False),
        ({"$and": [TRUE, NOTHING]}, False),
        ({"$and": [NOTHING, NOTHING]}, False),
        ({"$not": {"$and": [TRUE, NOTHING]}}, True),
        ({"$not": {"$and": [FALSE, NOTHING]}}, True),
        ({"$or": [FALSE, TRUE]}, True),
        ({"$or": [NOTHING, TRUE]}, True),
        ({"$or": [NOTHING, FALSE]}, False),
        ({"$not": {"$or": [NOTHING, FALSE]}}, True),
        ({"$not": {"$or": [NOTHING, TRUE]}}, False),
        ({"$and": []}, True),
        ({"$or": []}, False),
        ({"$not": {}}, False),
        ({"created_by": None}, True),
        ({"created_by": {"$not": {"$eq": None}}}, False),
        ({"created_by": {"$in": []}}, False),
        ({"created_by": {"$in": ["somebody"]}}, False),
        ({"created_by": {"$in": ["somebody", None]}}, True),
        ({"created_by": {"$nin": []}}, True),
        ({"created_by": {"$nin": ["somebody"]}}, True),
        ({"created_by": {"$nin": ["somebody", None]}}, False),
        ({"name": {"$in": ["elsewhere", "there"]}}, True),
        ({"name": {"$nin": ["elsewhere", "there"]}}, False),
        ({"labels.team": None}, True),
        ({"labels.team": {"$not": "red"}}, True),
        ({"started_at": {"$lt": "2030-01-01"}}, False),
        ({"started_at": {"$not": {"$lt": "2030-01-01"}}}, True),
        ({"scores.f1.mean": None}, True),
        ({"scores.f1.mean": {"$gte": -1e308}}, False),
        ({"scores.f1.mean": {"$not": {"$gte": -1e308}}}, True),
    ],
)
def test_what_is_not_there_is_false_and_its_negation_true(
    few: Few, given: dict[str, JsonValue], is_selected: bool
) -> None:
    few.write(a_result(name="there", created_by=None, labels={}, started_at=None, scores=[]))

    assert few.by_filter(given) == (["there"] if is_selected else [])


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("%", ["100%", "a%b"]),
        ("_", ["a_b"]),
        ("\\", ["a\\b"]),
        ("a_b", ["a_b"]),
        ("A_B", ["a_b"]),
        ("a%b", ["a%b"]),
        ("\\%", []),
        ("", ["100%", "AB", "a%b", "a\\b", "a_b", "ab"]),
        ("ab", ["AB", "ab"]),
        ("B", ["AB", "a%b", "a\\b", "a_b", "ab"]),
    ],
)
def test_containment_takes_every_character_for_itself_and_ignores_case(
    few: Few, wanted: str, found: list[str]
) -> None:
    few.write(*(a_result(name=name) for name in ("ab", "AB", "a_b", "a%b", "a\\b", "100%")))

    assert few.by_filter({"name": {"$like": wanted}}) == found
    assert few.by_search({"name": wanted}) == found


async def _other_collation(connection: Connection) -> str:
    """One that does not go by code points, where the server has any."""
    found: str | None = await connection.fetchval(
        "SELECT collname FROM pg_collation WHERE collname = 'und-x-icu'"
    )
    return found or "default"


def test_texts_are_ordered_by_code_points_whatever_the_database_thinks(few: Few) -> None:
    few.write(*(a_result(name=name) for name in ("a", "B", "c", "é", "z", "🎉")))
    collation = run(_other_collation(few.connection))
    run(
        few.connection.execute(
            f'ALTER TABLE result ALTER COLUMN name TYPE text COLLATE "{collation}"'
        )
    )

    assert few.by_filter({"name": {"$lt": "a"}}) == ["B"]
    assert few.by_filter({"name": {"$gte": "c"}}) == ["c", "z", "é", "🎉"]
    assert few.by_filter({"name": {"$gt": "z"}}) == ["é", "🎉"]
    assert few.by_filter({"name": {"$lte": "a"}}) == ["B", "a"]


@pytest.mark.parametrize(
    "moment",
    [
        "2025-01-01T02:00:00+02:00",
        "2024-12-31T13:00:00-11:00",
        "2025-01-01T00:00:00Z",
        "2025-01-01T00:00:00",
        "2025-01-01T00:00:00.000000",
        "2025-01-01 00:00:00",
        "2025-01-01T00:00",
        "2025-01-01",
    ],
)
def test_moments_are_instants_and_without_an_offset_in_utc(few: Few, moment: str) -> None:
    for name, at in (
        ("before", "2024-12-31T23:59:59.999999+00:00"),
        ("then", "2025-01-01T00:00:00+00:00"),
        ("after", "2025-01-01T00:00:00.000001+00:00"),
    ):
        few.write(a_result(name=name, created_at=datetime.fromisoformat(at)))

    assert few.by_filter({"created_at": moment}) == ["then"]
    assert few.by_filter({"created_at": {"$lt": moment}}) == ["before"]
    assert few.by_filter({"created_at": {"$lte": moment}}) == ["before", "then"]
    assert few.by_filter({"created_at": {"$gt": moment}}) == ["after"]
    assert few.by_filter({"created_at": {"$gte": moment}}) == ["after", "then"]
    assert few.by_filter({"created_at": {"$in": [moment, "1999-01-01"]}}) == ["then"]
    assert few.by_filter(f'created_at>="{moment}"') == ["after", "then"]


def test_a_month_can_be_searched_for(few: Few) -> None:
    few.write(
        a_result(name="january", created_at=datetime.fromisoformat("2025-01-31T23:30:00-00:15")),
        a_result(name="february", created_at=datetime.fromisoformat("2025-02-01T00:00:00+00:00")),
    )

    assert few.by_search({"created_at": "2025-01"}) == ["january"]
    assert few.by_search("created_at:2025-02") == ["february"]


def test_a_result_with_several_matches_by_any_of_them(few: Few) -> None:
    few.write(
        a_result(name="both", models=["default/small", "default/large"]),
        a_result(name="one", models=["default/small"]),
    )

    assert few.by_filter({"model": "default/small"}) == ["both", "one"]
    assert few.by_filter({"models": "default/large"}) == ["both"]
    assert few.by_filter({"model": {"$not": "default/large"}}) == ["one"]
    assert few.by_filter({"model": {"$nin": ["default/large"]}}) == ["one"]
    assert few.by_filter({"model": {"$like": "LARG"}}) == ["both"]
    assert few.by_filter({"model": {"$lt": "default/m"}}) == ["both"]


def test_a_label_has_its_own_key_whatever_it_looks_like(few: Few) -> None:
    few.write(*(a_result(name=f"{n}", labels={key: "x"}) for n, key in enumerate(HOSTILE)))

    for number, key in enumerate(HOSTILE):
        assert few.by_filter({f"labels.{key}": "x"}) == [f"{number}"]
        assert few.by_filter({f"labels.{key}": {"$like": "X"}}) == [f"{number}"]


def test_scores_are_found_by_metric_or_by_metric_and_score(few: Few) -> None:
    few.write(
        a_result(name="good", scores=[a_line("judge", "help", 0.9), a_line("judge", "tone", 0.1)]),
        a_result(name="bad", scores=[a_line("judge", "help", 0.2), a_line("judge", "tone", 0.7)]),
        a_result(name="dotted", scores=[a_line("judge.help", "judge.help", 0.95)]),
    )

    assert few.by_filter({"scores.judge.mean": {"$gt": 0.8}}) == ["good"]
    assert few.by_filter({"scores.judge.mean": {"$gt": 0.6}}) == ["bad", "good"]
    assert few.by_filter({"scores.judge.help.mean": {"$gt": 0.6}}) == ["dotted", "good"]
    assert few.by_filter({"scores.judge.tone.mean": {"$lte": 0.1}}) == ["good"]
    assert few.by_filter({"scores.default/judge.tone.mean": 0.7}) == ["bad"]
    assert few.by_filter({"scores.other/judge.tone.mean": 0.7}) == []
    assert few.by_filter("scores.judge.n_rows=12 -scores.judge.tone.mean>0.5") == ["good"]


def a_line(metric: str, score: str, mean: float) -> ScoreLine:
    statistics: dict[str, float | None] = dict.fromkeys(STATISTICS)
    counts = {"count": 10, "nan_count": 2, "n_rows": 12, "n_failed": 1}
    return ScoreLine(
        metric=f"default/{metric}", score=score, statistics=statistics | counts | {"mean": mean}
    )


# --- hostile values, and the largest filters ----------------------------------------------------

HOSTILE = [
    *(label for label in LABELS if label),
    "name' OR '1'='1",
    "{condition}",
    "%s",
    "a.b",
    ".",
    "--",
    "/*",
    "\\'",
    "x" * 63,
]


@pytest.mark.parametrize("text", [*HOSTILE, "x" * 1000])
def test_no_word_of_a_caller_is_taken_for_sql(few: Few, text: str) -> None:
    few.write(a_result(name="innocent", labels={"team": "blue"}))

    for field in ("name", "benchmark", "dataset", "created_by", "labels.team"):
        for operator in ("$eq", "$like"):
            assert few.by_filter({field: {operator: text}}) == []
        for operator in ("$lt", "$lte", "$gt", "$gte"):
            few.by_filter({field: {operator: text}})
        assert few.by_filter({"id": {"$in": [text]}}) == []
        assert few.by_filter({field: {"$in": [text, None]}}) in ([], ["innocent"])
    assert few.by_filter({f"scores.{text[:99]}.mean": {"$gt": 0}}) == []
    assert few.by_filter({}) == ["innocent"]


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("path", SCORE_PATHS)
def test_every_statistic_can_be_compared(filled: Filled, path: str, statistic: str) -> None:
    field = f"scores.{path}.{statistic}"

    compared = filled.by_filter({field: {"$gte": -1e308}})
    absent = filled.by_filter({field: None})

    assert sorted(compared + absent) == filled.by_filter({})


def test_the_largest_filters_are_answered(filled: Filled) -> None:
    everything = filled.by_filter({})
    deepest: dict[str, JsonValue] = {"name": None}
    for _ in range(DEPTH_MAX - 1):
        deepest = {"$not": deepest}
    dotted = "scores." + "a." * 100 + "mean"

    assert filled.by_filter({"name": {"$nin": ["🎉" * 1000] * VALUES_MAX}}) == everything
    assert filled.by_filter({"labels.team": {"$nin": ["🎉" * 1000] * VALUES_MAX}}) == everything
    assert filled.by_filter({"model": {"$nin": ["🎉" * 1000] * VALUES_MAX}}) == everything
    most: list[JsonValue] = [{dotted: 1}] * COMPARISONS_MAX
    assert filled.by_filter({"$or": [*most, {}]}) == everything
    assert filled.by_filter({"$and": [{}] * (PARTS_MAX - 1)}) == everything
    assert filled.by_filter(deepest) == everything
    assert filled.by_filter("(" * DEPTH_MAX + "name:null" + ")" * DEPTH_MAX) == []


# --- through the port ---------------------------------------------------------------------------


async def names(stores: Stores, **query: object) -> list[str]:
    page = await stores.results.list(ListResults.model_validate({"sort": "name"} | query))
    assert page.pagination.total_results == len(page.data)
    return [result.name for result in page.data]


async def test_what_the_documentation_shows_works(stores: Stores) -> None:
    async with stores.database.connection() as connection:
        await write_results(
            connection,
            [
                a_result(
                    name="my-llama",
                    benchmark="my-workspace/my-benchmark",
                    created_at=datetime.fromisoformat("2025-01-01T00:00:00+00:00"),
                ),
                a_result(
                    name="llama-2",
                    benchmark="default/other",
                    created_at=datetime.fromisoformat("2025-01-01T00:00:00.5+00:00"),
                ),
                a_result(name="qwen", created_at=datetime.fromisoformat("2024-12-31T00:00:00Z")),
            ],
        )

    benchmark = {"benchmark": "my-workspace/my-benchmark"}
    newer = {"created_at": {"$gt": "2025-01-01T00:00:00"}}
    both = {"$and": [{"name": {"$like": "llama"}}, newer]}

    assert await names(stores, filter=benchmark) == ["my-llama"]
    assert await names(stores, search={"name": "llama"}) == ["llama-2", "my-llama"]
    assert await names(stores, search={"name": {"$like": "llama"}}) == ["llama-2", "my-llama"]
    assert await names(stores, search=newer) == ["llama-2"]
    assert await names(stores, filter=both) == ["llama-2"]
    assert await names(stores, filter=benchmark, search={"name": "qwen"}) == []
    assert await names(stores, filter='benchmark:"my-workspace/my-benchmark" OR name~"qwen"') == [
        "my-llama",
        "qwen",
    ]
