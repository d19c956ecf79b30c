"""Making a result in one transaction, from the stored rows in row order."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import asyncpg
import orjson

from evalbus.errors import NoResult
from evalbus.logs import get_logger
from evalbus.store.ports import Aggregate, CountedMetric, Layout, LayoutOf, ScoreColumn
from evalbus.store.postgres import events, job_log, jobs, usage
from evalbus.store.postgres.database import Connection, Database
from evalbus.store.postgres.records import storable, storable_json
from evalbus.store.postgres.sql import load
from evalbus.store.postgres.stored_values import StoredValues, read_values
from evalbus.store.tolerance import too_many_failed
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import NO_SLICE, Benchmark
from evalbus_schemas.jobs import Job
from evalbus_schemas.names import reference
from evalbus_schemas.scores import MetricResult, ScoreStatistics

SQL = load("finalizing.sql")

log = get_logger(__name__)

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
        results, slices = await self._results(connection, job, job_no, month, benchmark, aggregate)
        result_no = await _add_result(connection, job, job_no, benchmark, results)
        await _add_slices(connection, result_no, slices)
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
    ) -> "tuple[list[MetricResult], list[_Slice]]":
        """One (dataset, model) after another, so that only the values of one are held at a time."""
        sizes: list[int] = [
            record["n_rows"] for record in await connection.fetch(SQL.dataset_sizes, job_no)
        ]
        repeats = [record["repeats"] for record in await connection.fetch(SQL.repeats, job_no)]
        layout = self._layout_of(benchmark)
        results: list[MetricResult] = []
        slices = _slices_of(benchmark)
        for dataset_no, dataset in enumerate(benchmark.datasets):
            for model_no, model in enumerate(benchmark.models):
                found = await read_values(
                    connection,
                    layout,
                    (job_no, dataset_no, model_no, month),
                    # Fewer have values where a derived job had no samples to score.
                    size=sizes[dataset_no],
                    n_slices=len(benchmark.slices),
                    is_repeated=repeats[model_no] > 1,
                )
                names = _Names(job.workspace, dataset.name, model.name)
                # Exact sums of millions of numbers take a moment, and heartbeats must go on.
                results += await asyncio.to_thread(
                    aggregate, benchmark, *names.columns(layout, found.whole)
                )
                parts = found.parts()
                for of_slice in slices:
                    part = await asyncio.to_thread(next, parts)
                    of_slice.n_rows += part.n_answers
                    of_slice.n_failed += part.n_failed_answers
                    of_slice.results += await asyncio.to_thread(
                        aggregate, benchmark, *names.columns(layout, part)
                    )
        return results, slices


@dataclass(kw_only=True)
class _Slice:
    """What a result says over the rows of one slice; rows are counted once for every model."""

    name: str
    description: str
    n_rows: int = 0
    n_failed: int = 0
    results: list[MetricResult] = field(default_factory=list[MetricResult])


def _slices_of(benchmark: Benchmark) -> list[_Slice]:
    """Those of a benchmark and the rows that are in none of them; nothing without slices."""
    declared = [_Slice(name=one.name, description=one.description) for one in benchmark.slices]
    return [*declared, _Slice(name=NO_SLICE, description="")] if declared else []


@dataclass(frozen=True)
class _Names:
    """Of one (dataset, model)."""

    workspace: str
    dataset: str
    model: str

    def columns(
        self, layout: Layout, stored: StoredValues
    ) -> tuple[list[ScoreColumn], list[CountedMetric]]:
        """What statistics are made of."""
        dataset = reference(self.workspace, self.dataset)
        model = reference(self.workspace, self.model)
        truths = dict(zip(layout.with_truth, stored.truths, strict=True))
        columns = [
            ScoreColumn(
                dataset=dataset,
                model=model,
                metric=reference(self.workspace, metric),
                score=score,
                n_failed=stored.n_failed,
                values=column,
                truths=truths.get((metric, score)),
            )
            for (metric, score), column in zip(layout.scores, stored.values, strict=True)
        ]
        counted = [
            CountedMetric(
                dataset=dataset,
                model=model,
                metric=reference(self.workspace, metric),
                total=sum_.total,
                count=sum_.count,
                n_rows=stored.n_rows,
                n_failed=stored.n_failed,
            )
            for metric, sum_ in zip(layout.counted, stored.sums, strict=True)
        ]
        return columns, counted


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
) -> int:
    """Its number."""
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
            "agreement",
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
                None if score.agreement is None else score.agreement.model_dump_json(),
            )
            for position, (result, score, detail) in enumerate(lines)
        ],
    )
    return result_no


async def _add_slices(connection: Connection, result_no: int, slices: Sequence[_Slice]) -> None:
    for slice_no, one in enumerate(slices, 1):
        results = b",".join(result.model_dump_json().encode() for result in one.results)
        await connection.execute(
            SQL.add_slice,
            *(result_no, slice_no, one.name, storable(one.description), one.n_rows, one.n_failed),
            storable(f"[{results.decode()}]"),
        )


def _columns_of(score: ScoreStatistics) -> tuple[object, ...]:
    shape = score.model_dump_json(include=SHAPE, exclude_none=True)
    return (score.name, *(getattr(score, name) for name in STATISTICS), shape)
