"""Keeping scored chunks: gate on the chunk row, COPY the rows, job counters last, all or nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import orjson

from evalbus.errors import Malformed, UnknownJob
from evalbus.store.base import Kept, ScoresOf
from evalbus.store.postgres import job_log, jobs
from evalbus.store.postgres.copying import asked_fields, copy_scores, score_rows
from evalbus.store.postgres.database import Connection, Database
from evalbus.store.postgres.records import storable
from evalbus.store.postgres.sql import load
from evalbus.store.postgres.verdicts import judge
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import Benchmark, Params
from evalbus_schemas.chunks import Asked, ChunkProgress, ChunkScored

SQL = load("scores.sql")

JOBS_REMEMBERED = 1024
CHUNK_NO_MAX = 2**31 - 1
NAN = math.nan


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What never changes of a job whose chunks arrive."""

    job_no: int
    month: date
    n_scores: int
    models: tuple[str, ...]
    params: Params


class _HasEnded(Exception):
    """The job took no more chunks: roll back what was written."""

    def __init__(self, job_no: int) -> None:
        super().__init__()
        self.job_no = job_no


class PostgresScores:
    def __init__(self, database: Database, scores_of: ScoresOf) -> None:
        self._database = database
        self._scores_of = scores_of
        self._facts: dict[UUID, _Facts] = {}

    async def keep(self, chunk: ChunkScored, samples: Sequence[bytes]) -> Kept:
        try:
            async with self._database.connection() as connection:
                facts = await self._facts_of(connection, chunk.job_id)
                _check(chunk, samples, facts)
                async with connection.transaction():
                    return await _keep(connection, chunk, samples, facts)
        except _HasEnded as ended:
            async with self._database.connection() as connection:
                await connection.execute(SQL.let_go, ended.job_no, chunk.chunk)
            return Kept(is_new=False)

    async def note_progress(self, progress: ChunkProgress) -> None:
        if progress.chunk > CHUNK_NO_MAX:
            return
        async with self._database.connection() as connection:
            await connection.execute(
                SQL.progress, progress.job_id, progress.chunk, progress.waits_for
            )

    async def set_aside(self, job_id: UUID, chunk: int) -> int:
        if chunk > CHUNK_NO_MAX:
            return 0
        async with self._database.transaction() as connection:
            record = await connection.fetchrow(SQL.set_aside, job_id, chunk)
            if record is None:
                return 0
            told = f"chunk {chunk} was set aside; `evalbus dlq list` shows its message"
            await job_log.write(connection, record["job_no"], "evaluating", "warning", told)
            await connection.execute(SQL.notify_work)
        times: int = record["set_aside"]
        return times

    async def _facts_of(self, connection: Connection, job_id: UUID) -> _Facts:
        if facts := self._facts.get(job_id):
            return facts
        record = await connection.fetchrow(SQL.facts, job_id)
        if record is None:
            raise UnknownJob(f"no job has the id {job_id}")
        benchmark = Benchmark.model_validate_json(record["spec"])
        if len(self._facts) >= JOBS_REMEMBERED:
            self._facts.clear()
        facts = self._facts[job_id] = _Facts(
            job_no=record["job_no"],
            month=record["month"],
            n_scores=len(self._scores_of(benchmark)),
            models=tuple(model.name for model in benchmark.models),
            params=benchmark.params,
        )
        return facts


def _check(chunk: ChunkScored, samples: Sequence[bytes], facts: _Facts) -> None:
    """Raises Malformed: an answer that does not fit its job must not be stored in part."""
    if len(chunk.scores) != facts.n_scores:
        raise Malformed("misfit", f"{len(chunk.scores)} scores, wanted {facts.n_scores}")
    if any(len(column) != chunk.n_rows for column in chunk.scores) or len(samples) != chunk.n_rows:
        raise Malformed("misfit", f"not every column and sample has {chunk.n_rows} rows")
    if any(error.row >= chunk.n_rows for error in chunk.errors):
        raise Malformed("misfit", f"an error names a row beyond {chunk.n_rows}")
    if chunk.asked and len(chunk.asked) != chunk.n_rows:
        raise Malformed("misfit", f"not every row says what was asked for it, of {chunk.n_rows}")
    for row, sample in enumerate(samples):
        if not _is_object(sample):
            raise Malformed("misfit", f"the sample of row {row} is no JSON object")


def _is_object(text: bytes) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False


async def _keep(
    connection: Connection, chunk: ChunkScored, samples: Sequence[bytes], facts: _Facts
) -> Kept:
    failed = {error.row for error in chunk.errors if error.failed}
    failed_samples = {
        error.row for error in chunk.errors if error.failed and error.stage == "sample"
    }
    unknown = UnknownJob(f"job {chunk.job} has no chunk {chunk.chunk}")
    if chunk.chunk > CHUNK_NO_MAX:
        raise unknown
    key = (facts.job_no, chunk.chunk)
    evaluator = storable(chunk.evaluator)
    gate = await connection.fetchrow(
        SQL.gate, *key, len(failed), chunk.seconds, evaluator, len(failed_samples)
    )
    if gate is None:
        if await connection.fetchval(SQL.has_chunk, *key):
            return Kept(is_new=False)
        raise unknown
    if gate["n_rows"] != chunk.n_rows:
        raise Malformed("misfit", f"{chunk.n_rows} rows, wanted {gate['n_rows']}")
    first_row: int = gate["first_row"]
    rows = score_rows(
        month=facts.month,
        job_no=facts.job_no,
        dataset_no=gate["dataset_no"],
        model_no=gate["model_no"],
        rows=gate["rows"] or range(first_row, first_row + chunk.n_rows),
        repeat_no=gate["repeat"],
        columns=[_with_nan(column) for column in chunk.scores],
        samples=samples,
        failed=failed,
        errors=_errors_by_row(chunk),
        asked=[asked_fields(row.seconds, _log(row)) for row in chunk.asked] or None,
    )
    await copy_scores(connection, rows)
    cost = math.fsum(row.cost or 0 for row in chunk.asked)
    if chunk.asked:
        await connection.execute(SQL.note_asked, *key, *_sums(chunk.asked))
    counts = (chunk.n_rows, len(failed), cost)
    count = await connection.fetchrow(SQL.count_chunk, facts.job_no, *counts)
    if count is None:
        raise _HasEnded(facts.job_no)
    if gate["is_live"]:
        model_no: int = gate["model_no"]
        # With the rows and not after them: once it is stored, the last chunk completes the job.
        await judge(
            connection,
            job_no=facts.job_no,
            month=facts.month,
            model_no=model_no,
            model=facts.models[model_no],
            params=facts.params,
            chunk=chunk,
            spent=count["cost"],
        )
    if count["status"] != "active" or facts.params.budget is not None:
        await settle(connection, facts.job_no)
    return Kept(
        is_new=True,
        is_last=count["is_last"],
        rows_failed=count["rows_failed"],
        rows_done=count["rows_done"],
        rows_total=count["rows_total"],
        max_row_error_ratio=facts.params.max_row_error_ratio,
    )


async def settle(connection: Connection, job_no: int) -> None:
    """A job that only waited for what was in flight stands still or ends, if that has come in."""
    await connection.execute(SQL.drained, job_no)
    ending = await connection.fetchrow(SQL.may_end, job_no)
    if ending is not None:
        await jobs.fail(
            connection, job_no, code=ending["error_code"], message=ending["error_message"]
        )


def _log(asked: Asked) -> bytes:
    return orjson.dumps(asked.requests)


def _sums(asked: Sequence[Asked]) -> tuple[int, int, int, int, int, float | None]:
    """Calls, retries, answers out of the cache, tokens in and out, and cost: None if no row has one."""
    costs = [row.cost for row in asked if row.cost is not None]
    return (
        sum(row.calls for row in asked),
        sum(row.retries for row in asked),
        sum(row.is_cached for row in asked),
        sum(row.input_tokens or 0 for row in asked),
        sum(row.output_tokens or 0 for row in asked),
        math.fsum(costs) if costs else None,
    )


def _with_nan(column: Sequence[float | None]) -> Sequence[float]:
    return [NAN if value is None else value for value in column]


def _errors_by_row(chunk: ChunkScored) -> dict[int, bytes]:
    """Offset → a JSON list of what went wrong there."""
    found: dict[int, list[JsonObject]] = {}
    for error in chunk.errors:
        found.setdefault(error.row, []).append(
            {
                "metric": error.metric,
                "stage": error.stage,
                # Postgres looks into these, and takes no escaped NUL.
                "code": storable(error.code),
                "message": storable(error.message),
            }
        )
    return {row: orjson.dumps(errors) for row, errors in found.items()}
