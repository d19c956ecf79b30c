"""From a chunk's row to everything its message needs."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import asyncpg

from evalbus.store.ports import ChunkBroken, ChunkToSend, JobLimits
from evalbus.store.postgres.database import Connection
from evalbus.store.postgres.recent_lines import RecentLines
from evalbus.store.postgres.sql import load
from evalbus_schemas.benchmark import Benchmark, Params
from evalbus_schemas.chunks import Asking, Plan

SQL = load("dispatch.sql")

JOBS_REMEMBERED = 1024


@dataclass(frozen=True, kw_only=True)
class _JobToSend:
    """What never changes of a job."""

    job_no: int
    job_id: UUID
    name: str
    workspace: str
    month: date
    limits: JobLimits
    params: Params
    datasets: tuple[str, ...]
    plans: tuple[Plan, ...]
    """One for each model."""
    source: tuple[int, date] | None
    """The job that it is derived from."""
    source_job_id: UUID | None


class Sending:
    """Remembers what never changes of the jobs it sends chunks of."""

    def __init__(self, recent: RecentLines) -> None:
        self._recent = recent
        self._jobs: dict[int, _JobToSend] = {}

    async def chunk(
        self, connection: Connection, job_no: int, record: "asyncpg.Record"
    ) -> ChunkToSend:
        """Given the chunk's row as it was taken. Raises ChunkBroken."""
        job = await self._job(connection, job_no)
        try:
            lines = await self._lines(connection, job, record)
        except asyncpg.DataError as error:
            raise ChunkBroken(job.job_id) from error
        model_no: int = record["model_no"]
        dataset_no: int = record["dataset_no"]
        concurrency: int | None = record["concurrency"]
        return ChunkToSend(
            job_no=job_no,
            job_id=job.job_id,
            job=job.name,
            workspace=job.workspace,
            source_job_id=job.source_job_id,
            plan=job.plans[model_no],
            limits=job.limits,
            chunk_no=record["chunk_no"],
            dataset=job.datasets[dataset_no],
            first_row=record["first_row"],
            n_rows=record["n_rows"],
            rows=None if record["rows"] is None else tuple(record["rows"]),
            repeat=record["repeat"],
            is_live=record["is_live"],
            samples_are_given=record["is_given"],
            asking=_asking(job.params, concurrency) if record["is_live"] and concurrency else None,
            lines=lines,
        )

    async def _lines(
        self, connection: Connection, job: _JobToSend, record: "asyncpg.Record"
    ) -> bytes:
        key = (job.job_no, record["dataset_no"], job.month)
        first_row, n_rows = record["first_row"], record["n_rows"]
        lines: bytes
        if record["is_given"] and job.source is not None:
            rows = record["rows"] or range(first_row, first_row + n_rows)
            whose = (record["model_no"], record["repeat"])
            lines = await connection.fetchval(
                SQL.answered_lines, *key, list(rows), *job.source, *whose
            )
            return lines
        if record["rows"] is not None:
            lines = await connection.fetchval(SQL.scattered_lines, *key, record["rows"])
            return lines
        if not record["is_live"]:
            recent = self._recent.take(
                job_no=job.job_no, dataset_no=record["dataset_no"], first_row=first_row
            )
            if recent is not None:
                return recent
        lines = await connection.fetchval(SQL.lines, *key, first_row, n_rows)
        return lines

    async def _job(self, connection: Connection, job_no: int) -> _JobToSend:
        if job := self._jobs.get(job_no):
            return job
        record = await connection.fetchrow(SQL.job_to_send, job_no)
        assert record, "its chunks were taken a moment ago"
        if len(self._jobs) >= JOBS_REMEMBERED:
            self._jobs.clear()
        benchmark = Benchmark.model_validate_json(record["spec"])
        source_no: int | None = record["source_no"]
        job = self._jobs[job_no] = _JobToSend(
            job_no=job_no,
            job_id=record["job_id"],
            name=record["name"],
            workspace=record["workspace"],
            month=record["month"],
            limits=JobLimits.model_validate_json(record["limits"]),
            params=benchmark.params,
            datasets=tuple(dataset.name for dataset in benchmark.datasets),
            plans=tuple(Plan(model=model, metrics=benchmark.metrics) for model in benchmark.models),
            source=None if source_no is None else (source_no, record["source_month"]),
            source_job_id=record["source_job_id"],
        )
        return job


def _asking(params: Params, concurrency: int) -> Asking:
    return Asking(
        concurrency=concurrency,
        max_retries=params.max_retries,
        request_timeout=params.request_timeout,
        row_timeout=params.row_timeout,
    )
