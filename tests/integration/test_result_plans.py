"""Among 100,000 results and a million rows, a page is found by an index."""

from collections.abc import Iterator

import asyncpg
import orjson
import pytest
from pydantic import JsonValue

from evalbus.filters import parse_filter
from evalbus.filters.results import RESULT_FIELDS
from evalbus.metrics import layout_of
from evalbus.store.postgres import open_database
from evalbus.store.postgres.filter_sql import RESULT_COLUMNS, WhereClause
from evalbus.store.postgres.results import ORDERS
from evalbus.store.postgres.rows import PostgresRows
from evalbus.store.postgres.sql import load
from evalbus_schemas.queries import ListRows
from tests.builders import a_benchmark
from tests.many_results import write_job, write_results
from tests.servers.background import run
from tests.servers.postgres import Databases

RESULTS = load("results.sql")
OF_ROWS = load("rows.sql")

N_RESULTS = 100_000
N_ROWS = 1_000_000

# A page reads its own hundred results, a few index pages and no table as a whole.
PAGE_BLOCKS_MAX = 1500


@pytest.fixture(scope="module")
def large_database(databases: Databases) -> Iterator[str]:
    url = databases.make()
    run(write_results(url, N_RESULTS))
    spec = a_benchmark().model_dump_json()
    run(write_job(url, "large", spec, rows=N_ROWS, scores=1))
    yield url
    databases.drop(url)


def listing(filter: dict[str, JsonValue], order: str) -> tuple[str, list[object]]:
    clause = WhereClause(RESULT_FIELDS, RESULT_COLUMNS, ["default", 100, 0], workspace="default")
    condition = clause.of(parse_filter(filter, RESULT_FIELDS))
    return RESULTS.list_results.format(condition=condition, order=order), clause.parameters


async def plan_of(url: str, sql: str, parameters: list[object]) -> dict[str, object]:
    connection = await asyncpg.connect(url)
    try:
        explained = await connection.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql.rstrip(';')}", *parameters
        )
    finally:
        await connection.close()
    found: dict[str, object] = orjson.loads(explained)[0]["Plan"]
    return found


def scanned_through(plan: dict[str, object]) -> set[str]:
    found = {str(plan["Relation Name"])} if plan["Node Type"] == "Seq Scan" else set[str]()
    below = plan.get("Plans", [])
    assert isinstance(below, list)
    return found.union(*(scanned_through(child) for child in below))


def blocks(plan: dict[str, object]) -> int:
    hit, read = plan["Shared Hit Blocks"], plan["Shared Read Blocks"]
    assert isinstance(hit, int)
    assert isinstance(read, int)
    return hit + read


@pytest.mark.parametrize(
    ("filter", "order"),
    [
        ({}, ORDERS["-created_at"]),
        ({}, ORDERS["created_at"]),
        ({}, ORDERS["name"]),
        ({}, ORDERS["-updated_at"]),
        ({"benchmark": "default/bench-7"}, ORDERS["-created_at"]),
        ({"created_at": {"$gt": "2020-01-01"}}, ORDERS["-created_at"]),
        ({"labels.team": "team-3"}, ORDERS["-created_at"]),
        ({"model": "default/model-7"}, ORDERS["-created_at"]),
        ({"scores.exact-match.mean": {"$gt": 0.99}}, ORDERS["-created_at"]),
        ({"name": "result-77777"}, ORDERS["-created_at"]),
    ],
)
async def test_a_page_of_results_is_found_by_an_index(
    large_database: str, filter: dict[str, JsonValue], order: str
) -> None:
    plan = await plan_of(large_database, *listing(filter, order))

    assert "result" not in scanned_through(plan)
    assert "result_score" not in scanned_through(plan)
    assert blocks(plan) <= PAGE_BLOCKS_MAX * 10


@pytest.mark.parametrize("after", [(-1, -1, -1, -1), (0, 0, N_ROWS - 500, 0)])
@pytest.mark.parametrize("condition", ["true", "is_failed"])
async def test_a_page_of_rows_is_found_by_an_index_however_deep(
    large_database: str, after: tuple[int, ...], condition: str
) -> None:
    job = await _job(large_database)

    plan = await plan_of(
        large_database,
        OF_ROWS.rows.format(condition=condition),
        [*job, *after, 101, 2**20],
    )

    assert scanned_through(plan) == set()
    assert blocks(plan) <= PAGE_BLOCKS_MAX


async def test_a_million_rows_are_paged_through_by_cursor(large_database: str) -> None:
    async with open_database(large_database) as database:
        rows = PostgresRows(database, layout_of)
        page = await rows.list(ListRows(job="large", after=f"0.0.{N_ROWS - 3}.0"))

    assert [row.row_index for row in page.rows] == [N_ROWS - 2, N_ROWS - 1]
    assert page.next is None


async def _job(url: str) -> list[object]:
    connection = await asyncpg.connect(url)
    try:
        record = await connection.fetchrow("SELECT job_no, month FROM job WHERE name = 'large'")
    finally:
        await connection.close()
    assert record, "it was written by the fixture"
    return list(record)
