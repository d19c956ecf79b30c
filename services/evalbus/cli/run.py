"""`evalbus run`: a benchmark file scored from beginning to end."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from evalbus.cli import loop
from evalbus.cli.arguments import WORKSPACE, Workspace
from evalbus.cli.estimate import rows_expected
from evalbus.cli.exits import Stopped, exit_of_job
from evalbus.cli.job_table import write_job
from evalbus.cli.modes import client_settings, working_client
from evalbus.cli.output import CsvFlag, JsonFlag, MarkdownFlag, Style, chosen, leave, note
from evalbus.cli.progress import follow
from evalbus.cli.scores import finish
from evalbus.client import AsyncClient, load_benchmark
from evalbus.errors import Invalid, NotFound
from evalbus.settings import Settings
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.jobs import Job


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The benchmark file.")],
    name: Annotated[str | None, typer.Option(help="The job's name; made up when left out.")] = None,
    workspace: Workspace = WORKSPACE,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many rows of each dataset.")
    ] = None,
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be scored; start nothing.")
    ] = False,
    is_detached: Annotated[
        bool, typer.Option("--detach", help="Start the job and do not wait for it.")
    ] = False,
    as_json: JsonFlag = False,
    as_markdown: MarkdownFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """Score a benchmark and print the result.

    With EVALBUS_AMQP_URL running services do the work and Ctrl-C only detaches; without, everything runs in this
    process, and after Ctrl-C the job goes on at the next start.
    """
    style = chosen(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    benchmark = _limited(load_benchmark(file), limit)
    if is_dry:
        from evalbus.cli.dry_run import (
            dry_run,  # brings templates and datasets, which take time to load
        )

        with _about(file):
            dry_run(benchmark, style)
        return
    settings = client_settings()
    if is_detached and settings.amqp_url is None:
        raise typer.BadParameter(
            "--detach needs running services (EVALBUS_AMQP_URL): without them this process does the work"
        )
    started: list[Job] = []

    async def work() -> Job:
        async with working_client(settings, workspace) as client:
            job = await _start(client, benchmark, name, file)
            started.append(job)
            if is_detached:
                return job
            note(f"job {job.name}")
            expected = await asyncio.to_thread(rows_expected, benchmark)
            ended = await follow(client, job, expected=expected)
            await finish(client, ended, style)
            return ended

    try:
        job = loop.run(work)
    except Stopped:
        note(_farewell(started, settings, workspace))
        raise
    if is_detached:
        write_job(job, as_json=style is Style.JSON)
    else:
        leave(exit_of_job(job))


def _limited(benchmark: Benchmark, limit: int | None) -> Benchmark:
    if limit is None:
        return benchmark
    params = benchmark.params.model_copy(update={"limit_samples": limit})
    return benchmark.model_copy(update={"params": params})


async def _start(client: AsyncClient, benchmark: Benchmark, name: str | None, file: Path) -> Job:
    with _about(file):
        return await client.jobs.start(benchmark, job=name)


@contextmanager
def _about(file: Path) -> Generator[None, None, None]:
    """What is wrong in a benchmark, or not where the benchmark says, is a mistake in its file."""
    try:
        yield
    except (Invalid, NotFound) as error:
        raise Invalid(f"{file.name}: {error.message}", error.data) from None


def _farewell(started: list[Job], settings: Settings, workspace: str) -> str:
    if not started:
        return "stopped before a job was started"
    job = started[0].name
    where = "" if workspace == WORKSPACE else f" --workspace {workspace}"
    if settings.amqp_url is None:
        return (
            f"stopped; job {job} is kept and goes on with `evalbus jobs wait {job}{where}`,"
            f" or ends with `evalbus jobs cancel {job}{where}`"
        )
    return (
        f"detached; job {job} goes on. Come back with `evalbus jobs wait {job}{where}`,"
        f" end it with `evalbus jobs cancel {job}{where}`"
    )
