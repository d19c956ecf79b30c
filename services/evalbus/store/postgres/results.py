"""Results in Postgres: made in one transaction from the stored rows, and read back."""

import asyncio
import math
from array import array
from collections.abc import Callable, Sequence
from datetime import date

import asyncpg
import orjson

from evalbus.errors import NotFound
from evalbus.store.base import ScoreColumn, ScoresOf
from evalbus.store.postgres import events, jobs
from evalbus.store.postgres.database import Connection, Database
from evalbus.store.postgres.packed import columns_of
from evalbus.store.postgres.records import (
    PAGE_BYTES_MAX,
    fitting,
    id_in,
    not_a_cursor,
    number_after,
    storable,
)
from evalbus.store.postgres.sql import load
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.jobs import Job
from evalbus_schemas.names import reference
from evalbus_schemas.queries import (
    ListResults,
    ListRows,
    NamedScore,
    Result,
    ResultPage,
    Row,
    RowPage,
)
from evalbus_schemas.scores import MetricResult, ScoreStatistics

SQL = load("results.sql")

SLAB_ROWS = 20_000

SCORE_COLUMNS = (
    "result_no",
    "position",
    "dataset",
    "model",
    "metric",
    "score",
    "count",
    "nan_count",
    "n_failed",
    "sum",
    "mean",
    "min",
    "max",
    "variance",
    "std_dev",
)

Aggregate = Callable[[Sequence[ScoreColumn]], Sequence[MetricResult]]


class PostgresResults:
    def __init__(self, database: Database, scores_of: ScoresOf) -> None:
        self._database = database
        self._scores_of = scores_of

    async def finalize_next(self, aggregate: Aggregate) -> str | None:
        async with self._database.transaction() as connection:
            record = await connection.fetchrow(SQL.claim_whole)
            if record is None:
                return None
            job_no: int = record["job_no"]
            benchmark = Benchmark.model_validate_json(record["spec"])
            job = await jobs.job_by_no(connection, job_no)
            if too_many := _too_many_failed(job, benchmark):
                await jobs.fail(connection, job_no, code="too_many_failed_rows", message=too_many)
                return job.name
            columns = await self._columns(connection, job, job_no, record["month"], benchmark)
            # Exact sums of millions of numbers take a moment, and heartbeats must go on.
            results = await asyncio.to_thread(aggregate, columns)
            await _add_result(connection, job, job_no, benchmark, results)
            await connection.fetchval(jobs.SQL.end_job, job_no, "completed", None, None)
            done = await jobs.job_by_no(connection, job_no)
            await events.put(connection, "completed", events.event_of(done, results))
            return job.name

    async def _columns(
        self, connection: Connection, job: Job, job_no: int, month: date, benchmark: Benchmark
    ) -> list[ScoreColumn]:
        sizes = [record["n_rows"] for record in await connection.fetch(SQL.dataset_sizes, job_no)]
        names = self._scores_of(benchmark)
        found: list[ScoreColumn] = []
        for dataset_no, dataset in enumerate(benchmark.datasets):
            for model_no, model in enumerate(benchmark.models):
                values = [array("d") for _ in names]
                n_failed = 0
                for first_row in range(0, sizes[dataset_no], SLAB_ROWS):
                    slab = await connection.fetchrow(
                        SQL.slab,
                        job_no,
                        dataset_no,
                        model_no,
                        month,
                        first_row,
                        first_row + SLAB_ROWS,
                    )
                    assert slab, "an aggregate always has a row"
                    n_failed += slab["n_failed"]
                    parts = columns_of(slab["scores"], len(names))
                    for column, part in zip(values, parts, strict=True):
                        column.extend(part)
                found += [
                    ScoreColumn(
                        dataset=reference(job.workspace, dataset.name),
                        model=reference(job.workspace, model.name),
                        metric=reference(job.workspace, metric),
                        score=score,
                        n_failed=n_failed,
                        values=column,
                    )
                    for (metric, score), column in zip(names, values, strict=True)
                ]
        return found

    async def result(self, workspace: str, name: str) -> Result:
        async with self._database.connection() as connection:
            record = await connection.fetchrow(SQL.find_result, workspace, storable(name))
            if record is None:
                raise NotFound(
                    f"no result {name!r} in workspace {workspace!r}",
                    {"wanted": "a result", "found": name},
                )
            (result,) = await _with_scores(connection, [record])
            return result

    async def list(self, query: ListResults) -> ResultPage:
        async with self._database.connection() as connection:
            records = await connection.fetch(
                SQL.list_results,
                query.workspace,
                query.benchmark,
                number_after(query.after),
                query.limit + 1,
            )
            results = fitting(await _with_scores(connection, records[: query.limit]))
        is_last = len(results) == len(records)
        following = None if is_last else str(records[len(results) - 1]["result_no"])
        return ResultPage(results=results, next=following)

    async def rows(self, query: ListRows) -> RowPage:
        async with self._database.transaction() as connection:
            await connection.execute(SQL.plan_for_these_arguments)
            job = await connection.fetchrow(
                SQL.find_rows_of, query.workspace, storable(query.job), id_in(query.job)
            )
            if job is None:
                raise NotFound(
                    f"no job {query.job!r} in workspace {query.workspace!r}",
                    {"wanted": "a job", "found": query.job},
                )
            benchmark = Benchmark.model_validate_json(job["spec"])
            records = await connection.fetch(
                SQL.rows,
                job["job_no"],
                job["month"],
                *_position(query.after),
                _index("dataset", query.dataset, [d.name for d in benchmark.datasets]),
                _index("model", query.model, [m.name for m in benchmark.models]),
                query.failed_only,
                query.limit + 1,
                PAGE_BYTES_MAX,
            )
        names = self._scores_of(benchmark)
        rows = fitting(
            _row(record, job["workspace"], benchmark, names) for record in records[: query.limit]
        )
        is_last = not records or len(rows) == records[0]["n_found"]
        return RowPage(
            rows=rows,
            next=None if is_last else _cursor(records[len(rows) - 1]),
            partial=job["status"] != "completed",
        )


def _too_many_failed(job: Job, benchmark: Benchmark) -> str | None:
    ratio = benchmark.params.max_row_error_ratio
    if ratio is None or job.failed_rows <= ratio * job.rows:
        return None
    return f"{job.failed_rows} of {job.rows} rows failed, more than max_row_error_ratio {ratio:g}"


async def _add_result(
    connection: Connection,
    job: Job,
    job_no: int,
    benchmark: Benchmark,
    results: Sequence[MetricResult],
) -> None:
    result_no: int = await connection.fetchval(
        SQL.add_result,
        job_no,
        job.benchmark,
        [reference(job.workspace, dataset.name) for dataset in benchmark.datasets],
        [reference(job.workspace, model.name) for model in benchmark.models],
        [reference(job.workspace, metric.name) for metric in benchmark.metrics],
    )
    lines = [
        (
            result.dataset,
            result.model,
            result.metric,
            score.name,
            score.count,
            score.nan_count,
            score.n_failed,
            score.sum,
            score.mean,
            score.min,
            score.max,
            score.variance,
            score.std_dev,
        )
        for result in results
        for score in result.scores
    ]
    await connection.copy_records_to_table(
        "result_score",
        columns=SCORE_COLUMNS,
        records=[(result_no, position, *line) for position, line in enumerate(lines)],
    )


async def _with_scores(connection: Connection, records: "Sequence[asyncpg.Record]") -> list[Result]:
    numbers = [record["result_no"] for record in records]
    lines: dict[int, list[asyncpg.Record]] = {number: [] for number in numbers}
    for line in await connection.fetch(SQL.result_scores, numbers):
        lines[line["result_no"]].append(line)
    return [_result(record, lines[record["result_no"]]) for record in records]


def _result(record: "asyncpg.Record", lines: "Sequence[asyncpg.Record]") -> Result:
    grouped: dict[tuple[str, str, str], list[ScoreStatistics]] = {}
    for line in lines:
        key = (line["dataset"], line["model"], line["metric"])
        grouped.setdefault(key, []).append(
            ScoreStatistics(
                name=line["score"],
                n_rows=line["count"] + line["nan_count"],
                **{
                    name: line[name]
                    for name in ScoreStatistics.model_fields
                    if name not in ("name", "n_rows")
                },
            )
        )
    return Result(
        name=record["name"],
        job_id=record["job_id"],
        workspace=record["workspace"],
        benchmark=record["benchmark"],
        datasets=tuple(record["datasets"]),
        models=tuple(record["models"]),
        metrics=tuple(record["metrics"]),
        labels=orjson.loads(record["labels"]),
        rows=record["n_rows"],
        failed_rows=record["n_failed"],
        started_at=record["started_at"],
        finished_at=record["finished_at"],
        created_at=record["created_at"],
        results=tuple(
            MetricResult(dataset=dataset, model=model, metric=metric, scores=tuple(scores))
            for (dataset, model, metric), scores in grouped.items()
        ),
    )


def _cursor(record: "asyncpg.Record") -> str:
    return "{dataset_no}.{model_no}.{row_index}.{repeat}".format_map(record)


def _position(cursor: str | None) -> tuple[int, int, int, int]:
    if cursor is None:
        return (-1, -1, -1, -1)
    parts = cursor.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts):
        raise not_a_cursor(cursor)
    dataset_no, model_no, row_index, repeat = (int(part) for part in parts)
    if max(dataset_no, model_no, repeat) > 32767 or row_index >= 2**63:
        raise not_a_cursor(cursor)
    return (dataset_no, model_no, row_index, repeat)


def _index(kind: str, name: str | None, known: Sequence[str]) -> int | None:
    if name is None:
        return None
    if name not in known:
        raise NotFound(
            f"the job has no {kind} {name!r} (it has {', '.join(known)})",
            {"wanted": kind, "found": name, "known": list(known)},
        )
    return known.index(name)


def _row(
    record: "asyncpg.Record",
    workspace: str,
    benchmark: Benchmark,
    names: Sequence[tuple[str, str]],
) -> Row:
    dataset_no: int = record["dataset_no"]
    model_no: int = record["model_no"]
    metrics: dict[str, list[NamedScore]] = {}
    for (metric, name), value in zip(names, record["scores"], strict=True):
        metrics.setdefault(reference(workspace, metric), []).append(
            NamedScore(name=name, value=None if math.isnan(value) else value)
        )
    wrong: list[dict[str, str | None]] = orjson.loads(record["errors"] or "[]")
    return Row(
        row_index=record["row_index"],
        row_id=record["row_id"],
        dataset=reference(workspace, benchmark.datasets[dataset_no].name),
        model=reference(workspace, benchmark.models[model_no].name),
        item=orjson.loads(record["item"]) if record["item"] else {},
        sample=orjson.loads(record["sample"]),
        metrics={metric: tuple(scores) for metric, scores in metrics.items()},
        metric_errors={
            reference(workspace, error["metric"])
            if error["metric"]
            else "sample": f"{error['code']}: {error['message']}"
            for error in wrong
        }
        or None,
        failed=record["is_failed"],
    )
