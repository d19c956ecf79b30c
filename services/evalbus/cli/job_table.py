"""Jobs as tables."""

import sys
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel

from evalbus.cli.output import Style, write_document, write_table, write_text
from evalbus.writing.tables import Cell, Table, printable
from evalbus.writing.times import duration, moment
from evalbus_schemas.jobs import Job, LogLine
from evalbus_schemas.usage import ModelUsage

COLUMNS = (
    *("job", "benchmark", "status", "rows", "of", "failed", "rows/s", "left"),
    *("created", "finished"),
)

ASKED_COLUMNS = ("calls", "retries", "cached", "tokens in", "out", "cost", "p50 s", "p95 s")
MODEL_COLUMNS = ("model", "rows", "of", "failed", *ASKED_COLUMNS)


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


def job_fields(job: Job) -> Table:
    """The same with its datasets."""
    fields = fields_table(job)
    used = ", ".join(f"{each.dataset} ({each.rows} rows)" for each in job.datasets)
    datasets: list[tuple[Cell, ...]] = [("datasets", used)] if used else []
    return Table(columns=fields.columns, rows=[*fields.rows, *datasets])


def models_table(job: Job) -> Table:
    """What each model took; of recorded ones nothing is asked, so those cells are empty."""
    return Table(columns=MODEL_COLUMNS, rows=[_usage(model) for model in job.models])


def write_job(job: Job, *, as_json: bool) -> None:
    if as_json:
        write_document({"job": job})
        return
    write_table(job_fields(job), Style.TABLE)
    if job.models:
        write_text("")
        write_table(models_table(job), Style.TABLE)


def write_log_line(line: LogLine) -> None:
    """For people; a line that is no mere information says so."""
    level = "" if line.level == "info" else f"{line.level}: "
    message = line.message.replace("\n", " ")
    write_text(printable(f"{moment(line.at)}  {line.step:<11}  {level}{message}"))
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


def _usage(model: ModelUsage) -> tuple[Cell, ...]:
    asked: tuple[Cell, ...] = (None,) * len(ASKED_COLUMNS)
    if model.is_live:
        asked = (
            *(model.calls, model.retries, model.cache_hits),
            *(model.input_tokens, model.output_tokens, model.cost),
            *(model.latency_p50, model.latency_p95),
        )
    return (model.display_name, model.rows, model.rows_planned, model.failed_rows, *asked)


def _cell(value: object) -> Cell:
    match value:
        case None | tuple():
            # Lists of things have tables of their own.
            return None
        case dict() if not value:  # a pattern of `{}` would take every mapping
            return None
        case datetime():
            return moment(value)
        case float():
            return f"{value:.1f}"
        case BaseModel():
            return ", ".join(f"{key}: {each}" for key, each in value.model_dump().items())
        case dict():
            return ", ".join(f"{key}={each}" for key, each in value.items())  # pyright: ignore[reportUnknownVariableType]
        case _:
            return str(value)
