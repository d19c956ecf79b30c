"""Keeping scored chunks: gate on the chunk row, COPY the rows, job counters last, all or nothing."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from uuid import UUID

import orjson

from evalbus.errors import Malformed, UnknownJob
from evalbus.store.ports import Kept, LayoutOf
from evalbus.store.postgres import job_log, jobs
from evalbus.store.postgres.copying import asked_fields, copy_scores, score_rows
from evalbus.store.postgres.database import Connection, Database
from evalbus.store.postgres.records import storable
from evalbus.store.postgres.sql import load
from evalbus.store.postgres.verdicts import is_unanswered, judge
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import Benchmark, Params
from evalbus_schemas.chunks import Asked, ChunkProgress, ChunkScored
from evalbus_schemas.scores import Signature

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
    n_counted: int
    n_truths: int
    n_metrics: int
    models: tuple[str, ...]
    params: Params


class _HasEnded(Exception):
    """The job took no more chunks: roll back what was written."""

    def __init__(self, job_no: int) -> None:
        super().__init__()
        self.job_no = job_no


class PostgresScores:
    def __init__(self, database: Database, layout_of: LayoutOf) -> None:
        self._database = database
        self._layout_of = layout_of
        self._facts: dict[UUID, _Facts] = {}
        self._signed: dict[UUID, tuple[Signature, ...]] = {}
        """The signatures that are stored of a job for sure."""

    async def keep(self, chunk: ChunkScored, samples: Sequence[bytes]) -> Kept:
        try:
            async with self._database.connection() as connection:
                facts = await self._facts_of(connection, chunk.job_id)
                _check(chunk, samples, facts)
                async with connection.transaction():
                    kept = await _keep(
                        connection,
                        chunk,
                        samples,
                        facts,
                        is_signed=chunk.signatures == self._signed.get(chunk.job_id, ()),
                    )
        except _HasEnded as ended:
            async with self._database.connection() as connection:
                await connection.execute(SQL.let_go, ended.job_no, chunk.chunk)
            return Kept(is_new=False)
        if kept.is_new:
            if len(self._signed) >= JOBS_REMEMBERED:
                self._signed.clear()
            self._signed[chunk.job_id] = chunk.signatures
        return kept

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
        layout = self._layout_of(benchmark)
        facts = self._facts[job_id] = _Facts(
            job_no=record["job_no"],
            month=record["month"],
            n_scores=len(layout.scores),
            n_counted=len(layout.counted),
            n_truths=len(layout.with_truth),
            n_metrics=len(benchmark.metrics),
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
    if any(len(asked) not in (0, chunk.n_rows) for asked in (chunk.asked, chunk.asked_by_metrics)):
        raise Malformed("misfit", f"not every row says what was asked for it, of {chunk.n_rows}")
    if len(chunk.counts) != facts.n_counted:
        raise Malformed("misfit", f"counts of {len(chunk.counts)} metrics, not {facts.n_counted}")
    if any(len(column) != chunk.n_rows for column in chunk.counts):
        raise Malformed("misfit", f"not every column of counts has {chunk.n_rows} rows")
    # None of an evaluator that does not know of them yet.
    if len(chunk.truths) not in (0, facts.n_truths):
        raise Malformed("misfit", f"{len(chunk.truths)} ground truths, not {facts.n_truths}")
    if any(len(column) != chunk.n_rows for column in chunk.truths):
        raise Malformed("misfit", f"not every column of truths has {chunk.n_rows} rows")
    if any(remark.row >= chunk.n_rows for remark in chunk.remarks):
        raise Malformed("misfit", f"a remark names a row beyond {chunk.n_rows}")
    if len(chunk.signatures) not in (0, facts.n_metrics):
        raise Malformed(
            "misfit", f"{len(chunk.signatures)} signatures of {facts.n_metrics} metrics"
        )
    for row, sample in enumerate(samples):
        if not _is_object(sample):
            raise Malformed("misfit", f"the sample of row {row} is no JSON object")


def _is_object(text: bytes) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False


async def _keep(
    connection: Connection,
    chunk: ChunkScored,
    samples: Sequence[bytes],
    facts: _Facts,
    *,
    is_signed: bool,
) -> Kept:
    """`is_signed`: its signatures are stored already."""
    failed = {error.row for error in chunk.errors if error.failed}
    failed_samples = {
        error.row for error in chunk.errors if error.failed and error.stage == "sample"
    }
    unanswered = {error.row for error in chunk.errors if is_unanswered(error)}
    unknown = UnknownJob(f"job {chunk.job} has no chunk {chunk.chunk}")
    if chunk.chunk > CHUNK_NO_MAX:
        raise unknown
    key = (facts.job_no, chunk.chunk)
    evaluator = storable(chunk.evaluator)
    gate = await connection.fetchrow(
        SQL.gate,
        *key,
        len(failed),
        chunk.seconds,
        evaluator,
        len(failed_samples),
        len(unanswered),
    )
    if gate is None:
        if await connection.fetchval(SQL.has_chunk, *key):
            return Kept(is_new=False)
        raise unknown
    if gate["n_rows"] != chunk.n_rows:
        raise Malformed("misfit", f"{chunk.n_rows} rows, wanted {gate['n_rows']}")
    if not is_signed:
        # Behind the gate: what was scored twice is no part of the result, and neither is who scored it.
        await _add_signatures(connection, facts.job_no, chunk.signatures)
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
        asked=_asked_by_row(chunk),
        counts=_counts_by_row(chunk),
        remarks=_remarks_by_row(chunk),
        truths=[_with_nan(column) for column in chunk.truths],
    )
    await copy_scores(connection, rows)
    of_metrics = list(chain.from_iterable(chunk.asked_by_metrics))
    cost = math.fsum(asked.cost or 0 for asked in (*chunk.asked, *of_metrics))
    if chunk.asked:
        await connection.execute(SQL.note_asked, *key, *_sums(chunk.asked))
    if of_metrics:
        await connection.execute(SQL.note_asked_by_metrics, *key, *_sums(of_metrics))
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


async def _add_signatures(
    connection: Connection, job_no: int, signatures: Sequence[Signature]
) -> None:
    written = [orjson.dumps(one.model_dump(), option=orjson.OPT_SORT_KEYS) for one in signatures]
    await connection.execute(
        SQL.add_signatures, job_no, [storable(one.decode()) for one in written]
    )


def _asked_by_row(chunk: ChunkScored) -> list[bytes] | None:
    """The time of the model's call that was answered, and the log of all calls, of every row; None if nobody was asked."""
    if not chunk.asked and not chunk.asked_by_metrics:
        return None
    of_model = chunk.asked or (Asked(),) * chunk.n_rows
    of_metrics = chunk.asked_by_metrics or ((),) * chunk.n_rows
    return [
        asked_fields(answer.seconds, orjson.dumps([*answer.requests, *_requests(judged)]))
        for answer, judged in zip(of_model, of_metrics, strict=True)
    ]


def _requests(asked: Sequence[Asked]) -> Iterable[JsonObject]:
    return chain.from_iterable(one.requests for one in asked)


def _counts_by_row(chunk: ChunkScored) -> dict[int, bytes]:
    """Offset → a JSON list with an entry for each metric that counts; rows without any are left out."""
    return {
        row: _written(counts)
        for row, counts in enumerate(zip(*chunk.counts, strict=True))
        if any(of_metric is not None for of_metric in counts)
    }


def _remarks_by_row(chunk: ChunkScored) -> dict[int, bytes]:
    """Offset → a JSON list of what metrics say of the row."""
    found: dict[int, list[JsonObject]] = {}
    for remark in chunk.remarks:
        found.setdefault(remark.row, []).append(
            remark.model_dump(mode="json", exclude={"row"}, exclude_none=True)
        )
    return {row: _written(remarks) for row, remarks in found.items()}


def _written(said: Sequence[object]) -> bytes:
    """Raises Malformed for an integer of more than 64 bits, which nobody could read again."""
    try:
        return orjson.dumps(said)
    except orjson.JSONEncodeError as error:
        raise Malformed("misfit", f"what is said of a row cannot be stored: {error}") from error


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
