"""From database records to values, and what both sides of that border must bear."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import asyncpg
import orjson
from pydantic import BaseModel

from evalbus.errors import Invalid
from evalbus.store.ports import ModelFacts
from evalbus_schemas.jobs import Job, JobError, JobStatus
from evalbus_schemas.names import reference

if TYPE_CHECKING:
    Record = asyncpg.Record

M = TypeVar("M", bound=BaseModel)

NUMBER_MAX = 2**63 - 1
PAGE_BYTES_MAX = 1024 * 1024


def storable(text: str) -> str:
    """Postgres takes neither NUL nor half a surrogate pair, and hostile text may carry them anywhere."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def storable_json(text: str) -> str:
    """The same for JSON that becomes jsonb, which takes NUL not even as an escape."""
    return storable(text.replace("\\u0000", "\\ufffd"))


def facts_of(record: "Record") -> ModelFacts:
    return ModelFacts(
        is_live=record["is_live"],
        endpoint=record["endpoint"],
        metric_endpoints=tuple(record["metric_endpoints"]),
    )


def id_in(text: str) -> UUID | None:
    """For a thing that is asked for by its name or its id."""
    try:
        return UUID(text)
    except ValueError:
        return None


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
        derived_from=record["derived_from"],
        derivation=record["derivation"],
        rows_per_second=record["rows_per_second"],
        eta_seconds=_eta(record),
        uid=record["job_no"],
        created_by=record["created_by"],
        archived=record["archived_at"] is not None,
    )


def _eta(record: "Record") -> float | None:
    """At the rate so far; None while nothing can be said."""
    rate: float | None = record["rows_per_second"]
    if not rate or record["rows_total"] is None:
        return None
    left: int = record["rows_total"] - record["rows_done"]
    return left / rate


def number_after(cursor: str | None) -> int:
    """A newest-first page goes on below this number; raises Invalid for a cursor that is none."""
    if cursor is None:
        return NUMBER_MAX
    if not (cursor.isascii() and cursor.isdigit() and int(cursor) <= NUMBER_MAX):
        raise not_a_cursor(cursor)
    return int(cursor)


def not_a_cursor(text: str) -> Invalid:
    return Invalid(f"{text!r} is no cursor: give the `next` of the page before")


def page_of(
    records: "Sequence[Record]", limit: int, key: str, value: "Callable[[Record], M]"
) -> tuple[tuple[M, ...], str | None]:
    """What one page bears of the records, of which one more than the limit was asked for, and where the next begins."""
    kept = fitting(map(value, records[:limit]))
    return kept, str(records[len(kept) - 1][key]) if len(kept) < len(records) else None


def fitting(values: Iterable[M]) -> tuple[M, ...]:
    """As many of the first as a page's bytes bear, and at least one."""
    kept: list[M] = []
    size = 0
    for value in values:
        size += len(value.model_dump_json().encode())
        if kept and size > PAGE_BYTES_MAX:
            break
        kept.append(value)
    return tuple(kept)
