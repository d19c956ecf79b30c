"""How far a job is: a bar on a terminal, elsewhere a line now and then."""

import sys
import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from evalbus.cli.output import note
from evalbus.client import AsyncClient
from evalbus.writing.times import duration
from evalbus_schemas.jobs import Job

LINE_SECONDS = 10.0
POLL_SECONDS = 2.0
BAR_SECONDS = 0.25


async def follow(client: AsyncClient, job: Job, *, expected: int | None = None) -> Job:
    """Show the job's progress on standard error until it has ended; the job as it ended.

    `expected` stands in for the number of rows as long as the job's datasets are not read to the end.
    """
    if sys.stderr.isatty():
        return await _bar(client, job, expected)
    return await _lines(client, job, expected)


async def _bar(client: AsyncClient, job: Job, expected: int | None) -> Job:
    with Progress(
        TextColumn("{task.fields[status]}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        total = job.rows_total or expected
        bar = progress.add_task("", total=total, status=job.status.value)
        # The bar may begin in the middle of a job: rows scored earlier say nothing about the speed of now.
        progress.update(bar, completed=job.rows)
        progress.reset(bar, completed=job.rows, total=total, status=job.status.value)
        async for current in client.jobs.watch(job.name, every_seconds=BAR_SECONDS):
            failed = f" ({current.failed_rows} failed)" if current.failed_rows else ""
            progress.update(
                bar,
                completed=current.rows,
                total=current.rows_total or expected,
                status=f"{current.name} {current.status.value}{failed}",
            )
            job = current
    return job


async def _lines(client: AsyncClient, job: Job, expected: int | None) -> Job:
    pace = Pace(expected)
    async for current in client.jobs.watch(job.name, every_seconds=POLL_SECONDS):
        line = pace.line(current, time.monotonic())
        if line is not None:
            note(line)
        job = current
    return job


class Pace:
    """Remembers when it last spoke, and how far the job was then."""

    def __init__(self, expected: int | None = None) -> None:
        self._expected = expected
        self._spoke_at: float | None = None
        self._rows = 0

    def line(self, job: Job, now: float) -> str | None:
        """What to say now, if it is time and the job has not ended."""
        if job.is_terminal:
            return None
        if self._spoke_at is None:
            self._spoke_at, self._rows = now, job.rows
            return None
        seconds = now - self._spoke_at
        if seconds < LINE_SECONDS:
            return None
        speed = (job.rows - self._rows) / seconds
        self._spoke_at, self._rows = now, job.rows
        total = job.rows_total or self._expected
        of = "" if total is None else f" of {total}"
        failed = f", {job.failed_rows} failed" if job.failed_rows else ""
        left = ""
        if total is not None and speed > 0:
            left = f", about {duration(max(0.0, (total - job.rows) / speed))} left"
        return f"job {job.name} {job.status.value}: {job.rows}{of} rows{failed}, {speed:.0f} rows/s{left}"


class RateColumn(ProgressColumn):
    """Rows per second, as far as it is known."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} rows/s")
