"""Holding a job still and letting it go on, in the caller's transactions."""

from evalbus.errors import Conflict
from evalbus.store.postgres import job_log
from evalbus.store.postgres.database import Connection
from evalbus.store.postgres.sql import load
from evalbus_schemas.jobs import Job

SQL = load("pausing.sql")
DISPATCH = load("dispatch.sql")
SCORES = load("scores.sql")


async def pause(connection: Connection, job_no: int, job: Job, *, by: str | None) -> None:
    """Nothing more of it is taken after this transaction; one that pauses already stays so. Raises Conflict."""
    if await connection.fetchval(SQL.pause, job_no):
        await job_log.write(connection, job_no, "job", "info", f"paused{named(by)}")
        return
    status: str = await connection.fetchval(SQL.status, job_no)
    if status not in ("pausing", "paused"):
        raise _has_ended(job, status, "paused")


async def stand_still(connection: Connection, job_no: int) -> None:
    """In the transaction after `pause`: it is paused now, if nothing of it is in flight."""
    # Whoever was filling the window meanwhile took the job for an active one: look when they are done.
    await connection.execute(DISPATCH.lock_window)
    await connection.execute(SCORES.drained, job_no)


async def resume(connection: Connection, job_no: int, job: Job, *, by: str | None) -> None:
    """One that pauses or is paused goes on, one that runs is left alone. Raises Conflict."""
    if await connection.fetchval(SQL.resume, job_no):
        await job_log.write(connection, job_no, "job", "info", f"resumed{named(by)}")
        await connection.execute(DISPATCH.notify_work)
        await connection.execute(DISPATCH.notify_final)
        return
    status: str = await connection.fetchval(SQL.status, job_no)
    if status not in ("created", "pending", "active", "resuming"):
        raise _has_ended(job, status, "resumed")


def named(by: str | None) -> str:
    """The end of a sentence about what somebody did."""
    return "" if by is None else f" by {by}"


def _has_ended(job: Job, status: str, what: str) -> Conflict:
    return Conflict(
        f"job {job.name!r} is {status}: it cannot be {what}",
        {"wanted": "a job that has not ended", "found": status},
    )
