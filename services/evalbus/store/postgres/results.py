"""Results as they are asked for: one, a page of them, or none of it any more."""

from collections.abc import Sequence
from itertools import chain, islice

import asyncpg
import orjson
from pydantic import TypeAdapter

from evalbus.errors import NotFound, OverLimit
from evalbus.filters import parse_filter, parse_search
from evalbus.filters.expression import And
from evalbus.filters.results import RESULT_FIELDS, SEARCH_FIELDS
from evalbus.store.postgres.database import Connection, Database
from evalbus.store.postgres.filter_sql import RESULT_COLUMNS, WhereClause
from evalbus.store.postgres.finalizing import SHAPE, STATISTICS
from evalbus.store.postgres.records import PAGE_BYTES_MAX, fitting, not_a_cursor, storable
from evalbus.store.postgres.sql import load
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import ALL, SLICES_MAX
from evalbus_schemas.names import reference
from evalbus_schemas.queries import (
    AggregateFields,
    Deleted,
    GetResult,
    ListResults,
    ListSlices,
    Pagination,
    Result,
    ResultPage,
    ResultSort,
    SlicePage,
    SliceScores,
)
from evalbus_schemas.scores import MetricResult, ScoreStatistics, Signature
from evalbus_schemas.usage import DatasetUsed, ModelUsage

SQL = load("results.sql")

_USAGE = TypeAdapter(tuple[ModelUsage, ...])
_DATA = TypeAdapter(tuple[DatasetUsed, ...])
RESULTS = TypeAdapter(tuple[MetricResult, ...])
_SIGNATURES = TypeAdapter(tuple[tuple[Signature, ...], ...])

CORPUS_FIELDS = frozenset({"scope", "count", "nan_count", "n_failed", "mean"})
"""Of what lies in columns, all that a score of scope `corpus` has: it is no range score of one row."""

# The number of a result decides among equals, so that no page repeats or passes one by.
ORDERS: dict[ResultSort, str] = {
    "created_at": "created_at, result_no",
    "-created_at": "created_at DESC, result_no DESC",
    "updated_at": "updated_at, result_no",
    "-updated_at": "updated_at DESC, result_no DESC",
    "name": "name, result_no",
    "-name": "name DESC, result_no DESC",
}


class PostgresResults:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def result(self, query: GetResult) -> Result:
        async with self._database.connection() as connection:
            record = await connection.fetchrow(
                SQL.find_result, query.workspace, storable(query.result)
            )
            if record is None:
                raise no_result(query.workspace, query.result)
            (result,) = await with_scores(connection, [record], query.aggregate_fields)
            return result

    async def slices(self, query: ListSlices) -> SlicePage:
        async with self._database.connection() as connection:
            record = await connection.fetchrow(
                SQL.find_result, query.workspace, storable(query.result)
            )
            if record is None:
                raise no_result(query.workspace, query.result)
            first = query.after is None
            after = 0 if query.after is None else _slice_no(query.after)
            lines = await connection.fetch(
                SQL.result_slices, record["result_no"], after, query.limit, PAGE_BYTES_MAX
            )
            whole = await with_scores(connection, [record], None) if first else []
        found = chain(map(_all_rows, whole), map(_slice, lines))
        kept = fitting(islice(found, query.limit))
        n_left: int = len(whole) + (lines[0]["n_found"] if lines else 0) - len(kept)
        # The place of a slice is its number: that of all rows is 0.
        last = after + len(kept) - first
        return SlicePage(slices=kept, next=str(last) if n_left else None)

    async def list(self, query: ListResults) -> ResultPage:
        wanted = And(
            (
                parse_filter(query.filter, RESULT_FIELDS),
                parse_search(query.search, SEARCH_FIELDS),
            )
        )
        page = WhereClause(
            RESULT_FIELDS,
            RESULT_COLUMNS,
            [query.workspace, query.page_size, (query.page - 1) * query.page_size],
            workspace=query.workspace,
        )
        page_sql = SQL.list_results.format(condition=page.of(wanted), order=ORDERS[query.sort])
        count = WhereClause(
            RESULT_FIELDS, RESULT_COLUMNS, [query.workspace], workspace=query.workspace
        )
        count_sql = SQL.count_results.format(condition=count.of(wanted))
        async with self._database.connection() as connection:
            records = await connection.fetch(page_sql, *page.parameters)
            total: int = await connection.fetchval(count_sql, *count.parameters)
            results = await with_scores(connection, records, query.aggregate_fields)
        _check_size(results, already=len(str(query.filter)))
        return ResultPage(
            data=tuple(results),
            pagination=Pagination(
                page=query.page,
                page_size=query.page_size,
                current_page_size=len(results),
                total_pages=-(-total // query.page_size),
                total_results=total,
            ),
            sort=query.sort,
            filter=query.filter,
        )

    async def delete(self, workspace: str, name: str) -> Deleted:
        async with self._database.connection() as connection:
            deleted_at = await connection.fetchval(SQL.delete_result, workspace, storable(name))
        if deleted_at is None:
            raise no_result(workspace, name)
        return Deleted(id=reference(workspace, name), deleted_at=deleted_at)


def no_result(workspace: str, name: str) -> NotFound:
    return NotFound(
        f"no result {name!r} in workspace {workspace!r}", {"wanted": "a result", "found": name}
    )


def _slice_no(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and int(cursor) <= SLICES_MAX + 1):
        raise not_a_cursor(cursor)
    return int(cursor)


def _all_rows(result: Result) -> SliceScores:
    return SliceScores(
        slice=ALL, rows=result.rows, failed_rows=result.failed_rows, results=result.results
    )


def _slice(line: "asyncpg.Record") -> SliceScores:
    return SliceScores(
        slice=line["slice"],
        description=line["description"],
        rows=line["n_rows"],
        failed_rows=line["n_failed"],
        results=RESULTS.validate_json(line["results"]),
    )


def _check_size(results: Sequence[Result], *, already: int) -> None:
    """A numbered page cannot be cut like one with a cursor, so it is refused with what helps."""
    size = already
    for count, result in enumerate(results):
        size += len(result.model_dump_json())
        if count and size > PAGE_BYTES_MAX:
            raise OverLimit(
                f"a page of {len(results)} results is larger than {PAGE_BYTES_MAX} bytes: "
                f"ask for a page_size of {count}, or for fewer aggregate_fields",
                {"page_size": count},
            )


async def with_scores(
    connection: Connection, records: "Sequence[asyncpg.Record]", fields: AggregateFields
) -> list[Result]:
    numbers = [record["result_no"] for record in records]
    lines: dict[int, list[asyncpg.Record]] = {number: [] for number in numbers}
    for line in await connection.fetch(SQL.result_scores, numbers):
        lines[line["result_no"]].append(line)
    wanted = None if fields is None else frozenset(fields)
    return [_result(record, lines[record["result_no"]], wanted) for record in records]


def _result(
    record: "asyncpg.Record", lines: "Sequence[asyncpg.Record]", fields: frozenset[str] | None
) -> Result:
    grouped: dict[tuple[str, str, str], list[ScoreStatistics]] = {}
    details: dict[tuple[str, str, str], JsonObject] = {}
    for line in lines:
        key = (line["dataset"], line["model"], line["metric"])
        grouped.setdefault(key, []).append(_statistics(line, fields))
        if line["detail"] is not None:
            details[key] = orjson.loads(line["detail"])
    signatures = dict(
        zip(record["metrics"], _SIGNATURES.validate_json(record["signatures"]), strict=False)
    )
    datasets: list[str] = record["datasets"]
    models: list[str] = record["models"]
    return Result(
        id=record["result_id"],
        name=record["name"],
        job_id=record["job_id"],
        workspace=record["workspace"],
        benchmark=record["benchmark"],
        datasets=tuple(datasets),
        models=tuple(models),
        dataset=datasets[0] if len(datasets) == 1 else None,
        model=models[0] if len(models) == 1 else None,
        metrics=tuple(record["metrics"]),
        labels=orjson.loads(record["labels"]),
        rows=record["n_rows"],
        failed_rows=record["n_failed"],
        started_at=record["started_at"],
        finished_at=record["finished_at"],
        created_at=record["created_at"],
        updated_at=record["updated_at"],
        created_by=record["created_by"],
        results=tuple(
            MetricResult(
                dataset=key[0],
                model=key[1],
                metric=key[2],
                scores=tuple(scores),
                signatures=signatures.get(key[2], ()),
                detail=details.get(key),
            )
            for key, scores in grouped.items()
        ),
        usage=_USAGE.validate_json(record["usage"]),
        data=_DATA.validate_json(record["data"]),
    )


def _statistics(line: "asyncpg.Record", fields: frozenset[str] | None) -> ScoreStatistics:
    is_corpus = line["scope"] == "corpus"
    found: dict[str, object] = {
        name: line[name]
        for name in ("scope", *STATISTICS)
        if not is_corpus or name in CORPUS_FIELDS
    }
    found["n_rows"] = line["count"] + line["nan_count"]
    if is_corpus:
        found |= {"value": line["mean"], "confidence_interval": None}
    elif fields is None or not fields.isdisjoint(SHAPE):
        found |= orjson.loads(line["shape"])
    if line["agreement"] is not None:
        found["agreement"] = orjson.loads(line["agreement"])
    if fields is not None:
        # Without its scope a value for all rows together would pass for the mean over them.
        always = {"count", "scope"} if is_corpus else {"count"}
        found = {name: value for name, value in found.items() if name in fields | always}
    # By way of JSON, whose arrays and numbers are what the contract was written with.
    return ScoreStatistics.model_validate_json(orjson.dumps({"name": line["score"]} | found))
