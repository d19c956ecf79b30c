"""Should a job go on asking its live models and metrics? Looked at after each of their chunks, in the same transaction."""

from datetime import date

import orjson

from evalbus.store.postgres import job_log, jobs
from evalbus.store.postgres.database import Connection
from evalbus.store.postgres.records import storable
from evalbus.store.postgres.sql import load
from evalbus_schemas.benchmark import Params
from evalbus_schemas.chunks import ChunkScored, ScoreError

SQL = load("scores.sql")

HOPELESS_ROWS = 50
"""A live model that gave no answer for so many rows, and none before, gives none."""


async def judge(
    connection: Connection,
    *,
    job_no: int,
    month: date,
    model_no: int,
    model: str,
    params: Params,
    chunk: ChunkScored,
    spent: float,
) -> None:
    """End the job if it has to end at once. One whose budget is spent ends when what is in flight has come in."""
    without = [error for error in chunk.errors if is_unanswered(error)]
    if without and params.ignore_request_failure is False:
        first = without[0]
        who = _who(first.metric, model)
        message = f"{who} gave no answer for a row: {first.code}: {first.message}"
        await jobs.fail(connection, job_no, code="request_failed", message=message)
        return
    if (
        len({error.row for error in without}) == chunk.n_rows
        and params.ignore_request_failure is None
    ):
        n_rows: int = await connection.fetchval(SQL.model_rows, job_no, model_no)
        if n_rows >= HOPELESS_ROWS:
            metric, cause = await _first_cause(connection, job_no, month, model_no)
            who = _who(metric, model)
            message = f"{who} gave no answer for any of its first {n_rows} rows: {cause}"
            await jobs.fail(connection, job_no, code="model_failed", message=message)
            return
    if params.budget is not None and spent >= params.budget:
        message = f"its calls cost {spent:g}, and its budget is {params.budget:g}"
        if await connection.fetchval(SQL.end_gently, job_no, "budget_spent", message):
            told = f"{message}: nothing more of it is sent"
            await job_log.write(connection, job_no, "evaluating", "warning", told)


def is_unanswered(error: ScoreError) -> bool:
    """Whether a row has no score because somebody who was asked did not answer."""
    return error.failed and (error.stage == "sample" or error.unanswered)


def _who(metric: str | None, model: str) -> str:
    return f"model {model!r}" if metric is None else f"who is asked by metric {metric!r}"


async def _first_cause(
    connection: Connection, job_no: int, month: date, model_no: int
) -> tuple[str | None, str]:
    """Of the first row that failed: the metric for which somebody was asked, None for the model, and why."""
    errors: str | None = await connection.fetchval(SQL.first_cause, job_no, month, model_no)
    first: dict[str, str | None] = orjson.loads(errors or "[{}]")[0]
    cause = f"{first.get('code', 'failed')}: {first.get('message', '')}"
    return first.get("metric"), storable(cause)
