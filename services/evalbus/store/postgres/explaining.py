"""Evenly chosen rows of a job, looked up one by one, so that a large job costs no more than a middling one."""

import math
from collections.abc import AsyncIterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING
from uuid import UUID

from evalbus.store.means import mean_of_told
from evalbus.store.ports import (
    AnswerToExplain,
    AskedOfModel,
    DatasetToExplain,
    ExplainingLimits,
    JobToExplain,
    Layout,
    LayoutOf,
    RowToExplain,
)
from evalbus.store.postgres import jobs
from evalbus.store.postgres.database import Connection, Database
from evalbus.store.postgres.sql import load
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.queries import JobNamed

if TYPE_CHECKING:
    import asyncpg

SQL = load("explaining.sql")

SLAB_ANSWERS = 4000
"""Held at a time."""


class PostgresExplaining:
    def __init__(
        self,
        database: Database,
        layout_of: LayoutOf,
        limits: ExplainingLimits | None = None,
    ) -> None:
        self._database = database
        self._layout_of = layout_of
        self._limits = limits or ExplainingLimits()

    async def job_id(self, named: JobNamed) -> UUID:
        async with self._database.connection() as connection:
            record = await jobs.stored(connection, named.workspace, named.job, columns="job_id")
        job_id: UUID = record["job_id"]
        return job_id

    async def job(self, named: JobNamed) -> JobToExplain:
        async with self._database.transaction() as connection:
            record = await jobs.stored(
                connection,
                named.workspace,
                named.job,
                columns="job_no, month, job_id, workspace, spec, status, finished_at",
            )
            benchmark = Benchmark.model_validate_json(record["spec"])
            return JobToExplain(
                job_no=record["job_no"],
                month=record["month"],
                job_id=record["job_id"],
                workspace=record["workspace"],
                benchmark=benchmark,
                finished_at=record["finished_at"],
                is_complete=record["status"] == "completed",
                datasets=await _datasets(connection, record, benchmark, self._limits),
            )

    async def rows(
        self, job: JobToExplain, dataset: DatasetToExplain
    ) -> AsyncIterator[Sequence[RowToExplain]]:
        layout = self._layout_of(job.benchmark)
        n_models = len(job.benchmark.models)
        step = dataset.every * max(SLAB_ANSWERS // n_models, 1)
        for first in range(0, dataset.n_rows, step):
            last = min(first + step, dataset.n_rows) - 1
            place = (job.job_no, job.month, dataset.dataset_no, first, last, dataset.every)
            async with self._database.transaction() as connection:
                items = await connection.fetch(SQL.items, *place, self._limits.text_bytes_max)
                answers = await connection.fetch(
                    SQL.answers, *place, self._limits.text_bytes_max, n_models
                )
            yield _rows(items, answers, layout, n_models)


async def _datasets(
    connection: Connection,
    job: "asyncpg.Record",
    benchmark: Benchmark,
    limits: ExplainingLimits,
) -> list[DatasetToExplain]:
    job_no: int = job["job_no"]
    sizes = await connection.fetchrow(SQL.sizes, job_no)
    assert sizes is not None, "a SELECT of two values always has a row"
    asked = {
        (record["dataset_no"], record["model_no"]): AskedOfModel(
            calls=record["calls"],
            input_tokens=record["input_tokens"],
            output_tokens=record["output_tokens"],
            cost=record["cost"],
        )
        for record in await connection.fetch(SQL.asked, job_no)
    }
    n_datasets, n_models = len(benchmark.datasets), len(benchmark.models)
    answers_max = limits.answers_max // (n_datasets * max(sizes["answers_of_row"], 1))
    rows_max = max(min(limits.rows_max, answers_max), 1)
    found: list[DatasetToExplain] = []
    for dataset_no, (dataset, n_rows) in enumerate(
        zip(benchmark.datasets, sizes["datasets"], strict=True)
    ):
        every = max(math.ceil(n_rows / rows_max), 1)
        size: int = await connection.fetchval(
            SQL.weigh,
            *(job_no, job["month"], dataset_no, n_rows, every),
            *(limits.text_bytes_max, n_models),
        )
        found.append(
            DatasetToExplain(
                dataset_no=dataset_no,
                name=dataset.name,
                n_rows=n_rows,
                every=every * max(math.ceil(size * n_datasets / limits.bytes_max), 1),
                asked=[asked.get((dataset_no, model_no)) for model_no in range(n_models)],
            )
        )
    return found


def _rows(
    items: "Sequence[asyncpg.Record]",
    answers: "Sequence[asyncpg.Record]",
    layout: Layout,
    n_models: int,
) -> list[RowToExplain]:
    given: dict[int, list[AnswerToExplain | None]] = {
        item["row_index"]: [None] * n_models for item in items
    }
    for (row_index, model_no), repeats in groupby(answers, itemgetter("row_index", "model_no")):
        # A row's item is stored before any of its answers, but perhaps after its items were read.
        if row_index in given:
            given[row_index][model_no] = _answer(list(repeats), layout)
    return [
        RowToExplain(
            row_index=item["row_index"],
            row_id=item["row_id"],
            item=item["item"],
            slices=item["slices"],
            answers=given[item["row_index"]],
        )
        for item in items
    ]


def _answer(repeats: "Sequence[asyncpg.Record]", layout: Layout) -> AnswerToExplain:
    """It failed if all of them did, as in the result."""
    columns: list[tuple[float, ...]] = list(zip(*(each["scores"] for each in repeats), strict=True))
    said: list[Sequence[float]] = [each["truths"] for each in repeats if each["truths"]]
    latencies: list[float] = [each["latency"] for each in repeats if each["latency"] is not None]
    return AnswerToExplain(
        is_failed=all(each["is_failed"] for each in repeats),
        scores=[rule(column) for rule, column in zip(layout.over_repeats, columns, strict=True)],
        truths=[mean_of_told(column) for column in zip(*said, strict=True)],
        sample=repeats[0]["sample"],
        latency=mean_of_told(latencies) if latencies else None,
        errors=[each["errors"] for each in repeats if each["errors"]],
    )
