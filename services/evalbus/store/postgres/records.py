"""From database records to values: nothing else in the house sees a record."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import asyncpg
import orjson

from evalbus.errors import Invalid
from evalbus_schemas.jobs import Job, JobError, JobStatus
from evalbus_schemas.names import reference

if TYPE_CHECKING:
    Record = asyncpg.Record

NEWEST = 2**63 - 1


def job_of(record: "Record") -> Job:
    code: str | None = record["error_code"]
    return Job(
        name=record["name"],
        job_id=record["job_id"],
        workspace=record["workspace"],
        benchmark=reference(record["workspace"], record["benchmark"]),
        status=JobStatus(record["status"]),
        rows=record["rows_done"],
        rows_total=record["rows_total"],
        failed_rows=record["rows_failed"],
        chunks=record["chunks_done"],
        chunks_total=record["n_chunks"],
        labels=orjson.loads(record["labels"]),
        created_at=record["created_at"],
        started_at=record["started_at"],
        finished_at=record["finished_at"],
        error=None if code is None else JobError(code=code, message=record["error_message"]),
        correlation_id=record["correlation_id"],
    )


def number_after(cursor: str | None) -> int:
    """A newest-first page goes on below this number; raises Invalid for a cursor that is none."""
    if cursor is None:
        return NEWEST
    if not (cursor.isascii() and cursor.isdigit() and int(cursor) <= NEWEST):
        raise Invalid(f"{cursor!r} is no cursor: give the `next` of the page before")
    return int(cursor)


def page_of(
    records: "Sequence[Record]", limit: int, key: str
) -> "tuple[Sequence[Record], str | None]":
    """One more than the limit was asked for: is there a next page, and where does it begin?"""
    kept = records[:limit]
    return kept, str(kept[-1][key]) if len(records) > limit else None
