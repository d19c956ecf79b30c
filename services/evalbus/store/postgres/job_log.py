"""What happened to a job, told in sentences: written with the change that they tell of, or not at all."""

from typing import Literal

from evalbus.store.postgres.database import Connection
from evalbus.store.postgres.records import NUMBER_MAX, fitting, not_a_cursor, storable
from evalbus.store.postgres.sql import load
from evalbus_schemas.jobs import LogLine
from evalbus_schemas.queries import LogPage

SQL = load("job_log.sql")

Step = Literal["job", "reading", "dispatching", "evaluating", "finalizing"]
Level = Literal["info", "warning", "error"]

WARNINGS_MAX = 1000
"""A warning comes back for as long as its cause lasts; of one job so many are kept."""
MESSAGE_CHARACTERS_MAX = 4096


async def write(
    connection: Connection, job_no: int, step: Step, level: Level, message: str
) -> None:
    """A line in the caller's transaction, last in it: it locks the job's row. One for a fact, never one for each chunk."""
    text = storable(message)[:MESSAGE_CHARACTERS_MAX]
    await connection.execute(SQL.write, job_no, step, level, text, WARNINGS_MAX)


async def page(connection: Connection, job_no: int, *, after: str | None, limit: int) -> LogPage:
    """Oldest first, behind the cursor; raises Invalid for a cursor that is none."""
    behind = _number(after)
    records = await connection.fetch(SQL.page, job_no, behind, limit + 1)
    lines = fitting(
        LogLine(
            at=record["at"], step=record["step"], level=record["level"], message=record["message"]
        )
        for record in records[:limit]
    )
    following = str(records[len(lines) - 1]["log_no"]) if len(lines) < len(records) else None
    return LogPage(lines=lines, next=following)


def _number(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and int(cursor) <= NUMBER_MAX):
        raise not_a_cursor(cursor)
    return int(cursor)
