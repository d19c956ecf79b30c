"""Making a result in one transaction, from the stored rows in row order."""

import asyncio
import math
from array import array
from collections.abc import Sequence
from datetime import date

import asyncpg
import orjson

from evalbus.logs import get_logger
from evalbus.store.base import Aggregate, ScoreColumn, ScoresOf
from evalbus.store.postgres import events, job_log, jobs, usage
from evalbus.store.postgres.database import Connection, Database
from evalbus.store.postgres.packed import columns_of
from evalbus.store.postgres.sql import load
from evalbus.store.tolerance import too_many_failed
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.jobs import Job
from evalbus_schemas.names import reference
from evalbus_schemas.scores import MetricResult, ScoreStatistics

SQL = load("finalizing.sql")

log = get_logger(__name__)

SLAB_ROWS = 20_000

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


class PostgresFinals:
    def __init__(self, database: Database, scores_of: ScoresOf) -> None:
        self._database = database
        self._scores_of = scores_of

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
            except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                raise
            except (OSError, TimeoutError):
                raise
            except Exception:
                # Whatever it is would be the same at every try, and no later job would have its turn.
                log.exception("job.not_finalized", job=job.name)
                message = "its result could not be made; the log of the results service says more"
                await jobs.fail(connection, job_no, code="internal", message=message)
            return job.name

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
        results: list[MetricResult] = []
        for dataset_no, dataset in enumerate(benchmark.datasets):
            for model_no, model in enumerate(benchmark.models):
                read = self._values if repeats[model_no] == 1 else self._means_of_repeats
                n_failed, values = await read(
                    connection, benchmark, (job_no, dataset_no, model_no, month), sizes[dataset_no]
                )
                columns = [
                    ScoreColumn(
                        dataset=reference(job.workspace, dataset.name),
                        model=reference(job.workspace, model.name),
                        metric=reference(job.workspace, metric),
                        score=score,
                        n_failed=n_failed,
                        values=column,
                    )
                    for (metric, score), column in zip(
                        self._scores_of(benchmark), values, strict=True
                    )
                ]
                # Exact sums of millions of numbers take a moment, and heartbeats must go on.
                results += await asyncio.to_thread(aggregate, benchmark, columns)
        return results

    async def _values(
        self,
        connection: Connection,
        benchmark: Benchmark,
        key: tuple[int, int, int, date],
        n_rows: int,
    ) -> "tuple[int, list[array[float]]]":
        """Failed rows, and the values of every score in row order."""
        values = [array("d") for _ in self._scores_of(benchmark)]
        n_failed = 0
        for first_row in range(0, n_rows, SLAB_ROWS):
            slab = await connection.fetchrow(SQL.slab, *key, first_row, first_row + SLAB_ROWS)
            assert slab, "an aggregate always has a row"
            n_failed += slab["n_failed"]
            # Nothing at all where a derived job had no samples to score.
            parts = columns_of(slab["scores"] or b"", len(values))
            for column, part in zip(values, parts, strict=True):
                column.extend(part)
        return n_failed, values

    async def _means_of_repeats(
        self,
        connection: Connection,
        benchmark: Benchmark,
        key: tuple[int, int, int, date],
        n_rows: int,
    ) -> "tuple[int, list[array[float]]]":
        """The same where each row was asked for more than once: a row's value is the mean over its repeats."""
        values = [array("d") for _ in self._scores_of(benchmark)]
        n_failed = 0
        for first_row in range(0, n_rows, SLAB_ROWS):
            end = first_row + SLAB_ROWS
            for row in await connection.fetch(SQL.slab_of_repeats, *key, first_row, end):
                n_failed += row["is_failed"]
                for column, repeats in zip(
                    values, columns_of(row["scores"], len(values)), strict=True
                ):
                    column.append(_mean(repeats))
        return n_failed, values


def _mean(repeats: Sequence[float]) -> float:
    """Over those that have a value; NaN if none has."""
    finite = [value for value in repeats if math.isfinite(value)]
    return math.fsum(finite) / len(finite) if finite else math.nan


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
        orjson.dumps([metric.model_dump(mode="json") for metric in benchmark.metrics]).decode(),
        orjson.dumps([model.model_dump(mode="json") for model in models]).decode(),
        orjson.dumps([dataset.model_dump(mode="json") for dataset in data]).decode(),
    )
    lines = [(result, score) for result in results for score in result.scores]
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
        ),
        records=[
            (result_no, position, result.dataset, result.model, result.metric, *_columns_of(score))
            for position, (result, score) in enumerate(lines)
        ],
    )


def _columns_of(score: ScoreStatistics) -> tuple[object, ...]:
    shape = score.model_dump_json(include=SHAPE, exclude_none=True)
    return (score.name, *(getattr(score, name) for name in STATISTICS), shape)
