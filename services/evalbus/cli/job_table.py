"""Jobs as tables."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel

from evalbus.cli.output import Cell, Style, Table, write_document, write_table
from evalbus_schemas.jobs import Job

COLUMNS = ("job", "benchmark", "status", "rows", "of", "failed", "created", "finished")


def jobs_table(jobs: Sequence[Job]) -> Table:
    return Table(columns=COLUMNS, rows=[_line(job) for job in jobs])


def fields_table(value: BaseModel) -> Table:
    """One model, a line for each field that says something."""
    rows: list[tuple[Cell, ...]] = []
    for name in type(value).model_fields:
        cell = _cell(getattr(value, name))
        if cell is not None:
            rows.append((name, cell))
    return Table(columns=("field", "value"), rows=rows)


def write_job(job: Job, *, as_json: bool) -> None:
    if as_json:
        write_document({"job": job})
    else:
        write_table(fields_table(job), Style.TABLE)


def moment(when: datetime | None) -> str | None:
    """UTC to the second."""
    return None if when is None else f"{when:%Y-%m-%d %H:%M:%S}"


def _line(job: Job) -> tuple[Cell, ...]:
    return (
        job.name,
        job.benchmark,
        job.status.value,
        job.rows,
        job.rows_total,
        job.failed_rows,
        moment(job.created_at),
        moment(job.finished_at),
    )


def _cell(value: object) -> Cell:
    match value:
        case None | {}:
            return None
        case datetime():
            return moment(value)
        case BaseModel():
            return ", ".join(f"{key}: {each}" for key, each in value.model_dump().items())
        case dict():
            return ", ".join(f"{key}={each}" for key, each in value.items())  # pyright: ignore[reportUnknownVariableType]
        case _:
            return str(value)
