"""Jobs as tables."""

import sys
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel

from evalbus.cli.output import (
    Cell,
    Style,
    Table,
    printable,
    write_document,
    write_table,
    write_text,
)
from evalbus_schemas.jobs import Job, LogLine

COLUMNS = (
    *("job", "benchmark", "status", "rows", "of", "failed", "rows/s", "left"),
    *("created", "finished"),
)

UNITS = ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


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


def duration(seconds: float) -> str:
    """In the two largest units: `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = round(seconds)
    for size, unit, smaller_size, smaller in UNITS:
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def write_log_line(line: LogLine) -> None:
    """For people; a line that is no mere information says so."""
    level = "" if line.level == "info" else f"{line.level}: "
    write_text(printable(f"{moment(line.at)}  {line.step:<11}  {level}{line.message}"))
    sys.stdout.flush()


def _line(job: Job) -> tuple[Cell, ...]:
    return (
        job.name,
        job.benchmark,
        job.status.value,
        job.rows,
        job.rows_total,
        job.failed_rows,
        None if job.rows_per_second is None else round(job.rows_per_second),
        None if job.eta_seconds is None else duration(job.eta_seconds),
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
