"""`evalbus jobs`: looking at jobs, waiting for them, holding them, ending them, going on from them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from evalbus.cli import loop
from evalbus.cli.arguments import LIMIT, WORKSPACE, JobName, Limit, Workspace
from evalbus.cli.exits import exit_of_job
from evalbus.cli.job_table import fields_table, jobs_table, write_job, write_log_line
from evalbus.cli.modes import asking_client, client_settings, working_client
from evalbus.cli.output import (
    CsvFlag,
    JsonFlag,
    MarkdownFlag,
    Style,
    chosen,
    leave,
    note,
    write_document,
    write_line,
    write_table,
)
from evalbus.cli.progress import follow
from evalbus.cli.scores import finish
from evalbus.cli.why import why_of
from evalbus.cli.working import DetachFlag, NewName, Working
from evalbus.client import AsyncClient
from evalbus.errors import Invalid
from evalbus_schemas.jobs import Job, JobStatus
from evalbus_schemas.queries import Deleted

app = typer.Typer(
    help="Look at jobs, wait for them, hold or end them, go on from them.", no_args_is_help=True
)


@app.command("list")
def list_jobs(
    workspace: Workspace = WORKSPACE,
    status: Annotated[JobStatus | None, typer.Option(help="Only jobs in this status.")] = None,
    include_archived: Annotated[
        bool, typer.Option("--archived", help="Those that were put away as well.")
    ] = False,
    limit: Limit = LIMIT,
    as_json: JsonFlag = False,
    as_markdown: MarkdownFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """The jobs of a workspace, newest first."""
    style = chosen(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    settings = client_settings()

    async def work() -> list[Job]:
        async with asking_client(settings, workspace) as client:
            jobs = client.jobs.list(status=status, include_archived=include_archived, limit=limit)
            return [job async for job in jobs]

    found = loop.run(work)
    if style is Style.JSON:
        write_document({"jobs": found})
    else:
        write_table(jobs_table(found), style)


@app.command()
def get(job: JobName, workspace: Workspace = WORKSPACE, as_json: JsonFlag = False) -> None:
    """One job."""
    settings = client_settings()

    async def work() -> Job:
        async with asking_client(settings, workspace) as client:
            return await client.jobs.get(job)

    write_job(loop.run(work), as_json=as_json)


@app.command()
def why(job: JobName, workspace: Workspace = WORKSPACE, as_json: JsonFlag = False) -> None:
    """What a job waits for, and what to do about it."""
    settings = client_settings()
    found = loop.run(lambda: why_of(settings, workspace, job))
    if as_json:
        write_document(found)
    else:
        write_table(fields_table(found), Style.TABLE)


@app.command()
def wait(
    job: JobName,
    workspace: Workspace = WORKSPACE,
    as_json: JsonFlag = False,
    as_markdown: MarkdownFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """Wait until a job has ended and print its result; the exit code is that of `run`.

    Without servers this takes the job up again, if nobody works on it.
    """
    style = chosen(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    settings = client_settings()

    async def work() -> Job:
        async with working_client(settings, workspace) as client:
            ended = await follow(client, await client.jobs.get(job))
            await finish(client, ended, style)
            return ended

    leave(exit_of_job(loop.run(work)))


@app.command()
def watch(job: JobName, workspace: Workspace = WORKSPACE, as_json: JsonFlag = False) -> None:
    """Show a job's progress until it has ended; with --json one line for every change."""
    settings = client_settings()

    async def work() -> Job:
        async with asking_client(settings, workspace) as client:
            if as_json:
                return await _print_changes(client, job)
            return await follow(client, await client.jobs.get(job))

    ended = loop.run(work)
    if not as_json:
        write_job(ended, as_json=False)
    leave(exit_of_job(ended))


@app.command()
def cancel(job: JobName, workspace: Workspace = WORKSPACE, as_json: JsonFlag = False) -> None:
    """End a job; the rows that are stored stay readable."""
    settings = client_settings()

    async def work() -> Job:
        # Without servers as well: another process may be at work on the job in this folder.
        async with asking_client(settings, workspace) as client:
            return await client.jobs.cancel(job)

    found = loop.run(work)
    if not as_json:
        note(f"job {found.name} is {found.status.value}")
    write_job(found, as_json=as_json)


@app.command()
def pause(job: JobName, workspace: Workspace = WORKSPACE, as_json: JsonFlag = False) -> None:
    """Send no more of a job's rows until it is resumed; what is in flight still comes in."""
    settings = client_settings()

    async def work() -> Job:
        async with asking_client(settings, workspace) as client:
            return await client.jobs.pause(job)

    found = loop.run(work)
    if not as_json:
        note(f"job {found.name} is {found.status.value}; `evalbus jobs resume` lets it go on")
    write_job(found, as_json=as_json)


@app.command()
def resume(job: JobName, workspace: Workspace = WORKSPACE, as_json: JsonFlag = False) -> None:
    """Let a paused job go on.

    Without servers it goes on in the process that works in this folder, or when one begins to.
    """
    settings = client_settings()

    async def work() -> Job:
        async with asking_client(settings, workspace) as client:
            return await client.jobs.resume(job)

    found = loop.run(work)
    if not as_json:
        note(f"job {found.name} is {found.status.value}; `evalbus jobs wait` waits for its end")
    write_job(found, as_json=as_json)


@app.command()
def retry(
    job: JobName,
    name: NewName = None,
    workspace: Workspace = WORKSPACE,
    is_detached: DetachFlag = False,
    as_json: JsonFlag = False,
    as_markdown: MarkdownFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """Run the failed and missing rows of an ended job again, as a new job that has the others as they are.

    Waits for the new job and prints its result; the exit code is that of `run`.
    """
    style = chosen(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    working = Working(
        settings=client_settings(), workspace=workspace, is_detached=is_detached, style=style
    )
    working.work(lambda client: client.jobs.retry(job, name=name))


@app.command()
def rescore(
    job: JobName,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A file with `metrics:`; a benchmark file will do."),
    ],
    name: NewName = None,
    workspace: Workspace = WORKSPACE,
    is_detached: DetachFlag = False,
    as_json: JsonFlag = False,
    as_markdown: MarkdownFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """Score the stored samples of an ended job with the metrics of a file, as a new job; no model is asked.

    Waits for the new job and prints its result; the exit code is that of `run`.
    """
    style = chosen(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    metrics = _metrics_in(file)
    working = Working(
        settings=client_settings(), workspace=workspace, is_detached=is_detached, style=style
    )
    working.work(lambda client: client.jobs.rescore(job, metrics, name=name))


@app.command()
def logs(
    job: JobName,
    workspace: Workspace = WORKSPACE,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="At most so many lines, the first ones.")
    ] = None,
    is_followed: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """What happened to a job, oldest first; with --json one line for each."""
    if is_followed and limit is not None:
        raise typer.BadParameter("choose one of --follow and --limit")
    settings = client_settings()

    async def work() -> None:
        async with asking_client(settings, workspace) as client:
            lines = (
                client.jobs.follow_log(job) if is_followed else client.jobs.logs(job, limit=limit)
            )
            async for line in lines:
                if as_json:
                    write_line(line)
                else:
                    write_log_line(line)

    loop.run(work)


@app.command()
def archive(
    job: JobName,
    is_undone: Annotated[bool, typer.Option("--undo", help="Take it out again.")] = False,
    workspace: Workspace = WORKSPACE,
    as_json: JsonFlag = False,
) -> None:
    """Put an ended job away, so that lists leave it out; nothing of it changes."""
    settings = client_settings()

    async def work() -> Job:
        async with asking_client(settings, workspace) as client:
            return await client.jobs.archive(job, archived=not is_undone)

    found = loop.run(work)
    if not as_json:
        where = "archived; `jobs list --archived` shows it" if found.archived else "listed again"
        note(f"job {found.name} is {where}")
    write_job(found, as_json=as_json)


@app.command()
def delete(job: JobName, workspace: Workspace = WORKSPACE, as_json: JsonFlag = False) -> None:
    """Delete an ended job and its rows; its result stays."""
    settings = client_settings()

    async def work() -> Deleted:
        async with asking_client(settings, workspace) as client:
            return await client.jobs.delete(job)

    deleted = loop.run(work)
    if as_json:
        write_document(deleted)
    else:
        note(f"job {deleted.id} is deleted, its result is kept")


async def _print_changes(client: AsyncClient, name: str) -> Job:
    last: Job | None = None
    async for job in client.jobs.watch(name):
        if last is None or _without_speed(job) != _without_speed(last):
            write_line(job)
        last = job
    assert last is not None, "watching begins with the job as it is"
    return last


def _without_speed(job: Job) -> Job:
    """That is another at every look, also when nothing happens."""
    return job.model_copy(update={"rows_per_second": None, "eta_seconds": None})


def _metrics_in(file: Path) -> Sequence[Mapping[str, object] | str]:
    # YAML takes time to load.
    from evalbus.client.documents import read_document

    document = read_document(file)
    metrics = document.get("metrics") if isinstance(document, dict) else None
    if not isinstance(metrics, list):
        raise Invalid(f"{file.name}: there is no list of metrics in it")
    found: list[Mapping[str, object] | str] = []
    for number, metric in enumerate(metrics):
        if not isinstance(metric, dict | str):
            raise Invalid(f"{file.name}: metrics.{number}: neither a metric nor the name of one")
        found.append(metric)
    return found
