"""Making a result in one transaction, from the stored rows in row order."""

import asyncio
from array import array
from collections.abc import Callable, Sequence
from datetime import date

import asyncpg
import orjson

from evalbus.errors import NoResult
from evalbus.logs import get_logger
from evalbus.store.counts import Sum
from evalbus.store.ports import Aggregate, CountedMetric, Layout, LayoutOf, ScoreColumn
from evalbus.store.postgres import events, job_log, jobs, usage
from evalbus.store.postgres.database import Connection, Database
from evalbus.store.postgres.packed import columns_of
from evalbus.store.postgres.records import storable, storable_json
from evalbus.store.postgres.sql import load
from evalbus.store.tolerance import too_many_failed
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.jobs import Job
from evalbus_schemas.names import reference
from evalbus_schemas.scores import MetricResult, ScoreStatistics

SQL = load("finalizing.sql")

log = get_logger(__name__)

SLAB_ROWS = 20_000
ERROR_CHARACTERS_MAX = 500

STATISTICS = (
    "count",
    "nan_count",
    "n_failed",
    "sum",
    "mean",
    "min",
    "max",
    "variance",
    "std_dev",
    "mean_failures_as_worst",
    "score_type",
)
"""Of a score, what lies in columns of its own and can be filtered by."""
SHAPE = {"percentiles", "histogram", "rubric_distribution", "mode_category"}
"""And what is only ever read whole."""

Key = tuple[int, int, int, date]
"""Of the rows of one (dataset, model): job, dataset, model, and the month of the job."""

RepeatRule = Callable[[Sequence[float]], float]


class PostgresFinals:
    def __init__(self, database: Database, layout_of: LayoutOf) -> None:
        self._database = database
        self._layout_of = layout_of

    async def finalize_next(self, aggregate: Aggregate) -> str | None:
        async with self._database.transaction() as connection:
            record = await connection.fetchrow(SQL.claim_whole)
            if record is None:
                return None
            job_no: int = record["job_no"]
            month: date = record["month"]
            benchmark = Benchmark.model_validate_json(record["spec"])
            job = await jobs.job_by_no(connection, job_no)
            ratio = benchmark.params.max_row_error_ratio
            if too_many := too_many_failed(failed=job.failed_rows, of=job.rows, ratio=ratio):
                await jobs.fail(connection, job_no, code="too_many_failed_rows", message=too_many)
                return job.name
            try:
                async with connection.transaction():
                    await self._complete(connection, job, job_no, month, benchmark, aggregate)
            except asyncpg.DataError as error:
                # Text or a number that Postgres does not take, now or later.
                await self._give_up(connection, job_no, job, error)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                raise
            except (OSError, TimeoutError):
                raise
            except Exception as error:
                await self._give_up(connection, job_no, job, error)
            return job.name

    async def _give_up(
        self, connection: Connection, job_no: int, job: Job, error: Exception
    ) -> None:
        """End the job: whatever it is would be the same at every try, and no later job would have its turn."""
        log.error("job.not_finalized", job=job.name, exc_info=error)
        told = str(error) if isinstance(error, NoResult) else f"{type(error).__name__}: {error}"
        message = f"its result could not be made: {storable(told)[:ERROR_CHARACTERS_MAX]}"
        await jobs.fail(connection, job_no, code="internal", message=message)

    async def _complete(
        self,
        connection: Connection,
        job: Job,
        job_no: int,
        month: date,
        benchmark: Benchmark,
        aggregate: Aggregate,
    ) -> None:
        results = await self._results(connection, job, job_no, month, benchmark, aggregate)
        await _add_result(connection, job, job_no, benchmark, results)
        await connection.fetchval(jobs.SQL.end_job, job_no, "completed", None, None)
        done = await jobs.job_by_no(connection, job_no)
        told = f"completed: {done.rows} rows, {done.failed_rows} of them failed"
        await job_log.write(connection, job_no, "finalizing", "info", told)
        await events.put(connection, "completed", events.event_of(done, results))

    async def _results(
        self,
        connection: Connection,
        job: Job,
        job_no: int,
        month: date,
        benchmark: Benchmark,
        aggregate: Aggregate,
    ) -> list[MetricResult]:
        """One (dataset, model) after another, so that only the values of one are held at a time."""
        sizes: list[int] = [
            record["n_rows"] for record in await connection.fetch(SQL.dataset_sizes, job_no)
        ]
        repeats = [record["repeats"] for record in await connection.fetch(SQL.repeats, job_no)]
        layout = self._layout_of(benchmark)
        results: list[MetricResult] = []
        for dataset_no, dataset in enumerate(benchmark.datasets):
            for model_no, model in enumerate(benchmark.models):
                key, size = (job_no, dataset_no, model_no, month), sizes[dataset_no]
                # What needs several attempts has no value of a single one either.
                is_plain = repeats[model_no] == 1 and not layout.not_averaged
                read = _values if is_plain else _values_over_repeats
                # Fewer than the dataset has, where a derived job had no samples to score.
                n_rows, n_failed, values = await read(connection, layout, key, size)
                names = (
                    reference(job.workspace, dataset.name),
                    reference(job.workspace, model.name),
                )
                columns = [
                    ScoreColumn(
                        dataset=names[0],
                        model=names[1],
                        metric=reference(job.workspace, metric),
                        score=score,
                        n_failed=n_failed,
                        values=column,
                    )
                    for (metric, score), column in zip(layout.scores, values, strict=True)
                ]
                counted = [
                    CountedMetric(
                        dataset=names[0],
                        model=names[1],
                        metric=reference(job.workspace, metric),
                        total=sum_.total,
                        count=sum_.count,
                        n_rows=n_rows,
                        n_failed=n_failed,
                    )
                    for metric, sum_ in zip(
                        layout.counted, await _sums(connection, layout, key, size), strict=True
                    )
                ]
                # Exact sums of millions of numbers take a moment, and heartbeats must go on.
                results += await asyncio.to_thread(aggregate, benchmark, columns, counted)
        return results


async def _values(
    connection: Connection, layout: Layout, key: Key, size: int
) -> "tuple[int, int, list[array[float]]]":
    """Rows, how many of them failed, and the values of every score in row order."""
    values = [array("d") for _ in layout.scores]
    n_rows = n_failed = 0
    for first_row in range(0, size, SLAB_ROWS):
        slab = await connection.fetchrow(SQL.slab, *key, first_row, first_row + SLAB_ROWS)
        assert slab, "an aggregate always has a row"
        n_rows += slab["n_rows"]
        n_failed += slab["n_failed"]
        # Nothing at all where there are no rows.
        parts = columns_of(slab["scores"] or b"", len(values))
        for column, part in zip(values, parts, strict=True):
            column.extend(part)
    return n_rows, n_failed, values


async def _values_over_repeats(
    connection: Connection, layout: Layout, key: Key, size: int
) -> "tuple[int, int, list[array[float]]]":
    """The same where a row may have been answered repeatedly: its value is what its metric makes of its repeats."""
    values = [array("d") for _ in layout.scores]
    n_rows = n_failed = 0
    for first_row in range(0, size, SLAB_ROWS):
        slab = await connection.fetch(SQL.slab_of_repeats, *key, first_row, first_row + SLAB_ROWS)
        n_rows += len(slab)
        n_failed += sum(row["is_failed"] for row in slab)
        packed = [row["scores"] for row in slab]
        await asyncio.to_thread(_add_values, values, layout.over_repeats, packed)
    return n_rows, n_failed, values


def _add_values(
    values: "Sequence[array[float]]", rules: Sequence[RepeatRule], rows: Sequence[bytes]
) -> None:
    """Each row is the packed scores of its repeats, one behind the other."""
    for row in rows:
        for column, rule, repeats in zip(values, rules, columns_of(row, len(values)), strict=True):
            column.append(rule(repeats))


async def _sums(connection: Connection, layout: Layout, key: Key, size: int) -> list[Sum]:
    """The counts of every metric that counts, over all rows."""
    sums = [Sum() for _ in layout.counted]
    for first_row in range(0, size, SLAB_ROWS) if sums else ():
        slab = await connection.fetch(SQL.counts, *key, first_row, first_row + SLAB_ROWS)
        await asyncio.to_thread(_add_rows, layout, sums, [row["counts"] for row in slab])
    return sums


def _add_rows(layout: Layout, sums: Sequence[Sum], rows: Sequence[str]) -> None:
    """Each row is the lists of its repeats, with commas between them; raises NoResult."""
    for row in rows:
        repeats: list[list[list[int] | dict[str, int] | None]] = orjson.loads(f"[{row}]")
        for place, (name, sum_) in enumerate(zip(layout.counted, sums, strict=True)):
            try:
                sum_.add_row([counts[place] for counts in repeats])
            except TypeError as error:
                raise NoResult(f"metric {name!r}: {error}") from error


async def _signatures(
    connection: Connection, job_no: int, benchmark: Benchmark
) -> list[list[JsonObject]]:
    """Of every metric those that it was scored with, mostly one."""
    found: list[list[JsonObject]] = [[] for _ in benchmark.metrics]
    for record in await connection.fetch(SQL.signatures, job_no):
        metric_no: int = record["metric_no"]
        found[metric_no].append(orjson.loads(record["signature"]))
    return found


async def _add_result(
    connection: Connection,
    job: Job,
    job_no: int,
    benchmark: Benchmark,
    results: Sequence[MetricResult],
) -> None:
    data = await usage.datasets_of(connection, job_no, benchmark)
    models = await usage.models_of(connection, job_no, job.workspace, benchmark)
    result_no: int = await connection.fetchval(
        SQL.add_result,
        job_no,
        job.benchmark,
        [reference(job.workspace, dataset.name) for dataset in benchmark.datasets],
        [reference(job.workspace, model.name) for model in benchmark.models],
        [reference(job.workspace, metric.name) for metric in benchmark.metrics],
        [dataset.digest for dataset in data],
        storable_json(
            orjson.dumps([metric.model_dump(mode="json") for metric in benchmark.metrics]).decode()
        ),
        orjson.dumps([model.model_dump(mode="json") for model in models]).decode(),
        orjson.dumps([dataset.model_dump(mode="json") for dataset in data]).decode(),
        orjson.dumps(await _signatures(connection, job_no, benchmark)).decode(),
    )
    lines = [
        (result, score, result.detail if place == 0 else None)
        for result in results
        for place, score in enumerate(result.scores)
    ]
    await connection.copy_records_to_table(
        "result_score",
        columns=(
            "result_no",
            "position",
            "dataset",
            "model",
            "metric",
            "score",
            *STATISTICS,
            "shape",
            "scope",
            "detail",
        ),
        records=[
            (
                result_no,
                position,
                result.dataset,
                result.model,
                result.metric,
                *_columns_of(score),
                score.scope,
                None if detail is None else storable(orjson.dumps(detail).decode()),
            )
            for position, (result, score, detail) in enumerate(lines)
        ],
    )


def _columns_of(score: ScoreStatistics) -> tuple[object, ...]:
    shape = score.model_dump_json(include=SHAPE, exclude_none=True)
    return (score.name, *(getattr(score, name) for name in STATISTICS), shape)
