"""`evalbus jobs`: looking at jobs, waiting for them, ending them."""

from typing import Annotated

import typer

from evalbus.cli import loop
from evalbus.cli.arguments import LIMIT, WORKSPACE, JobName, Limit, Workspace
from evalbus.cli.exits import exit_of_job
from evalbus.cli.job_table import fields_table, jobs_table, write_job
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
from evalbus.client import AsyncClient
from evalbus_schemas.jobs import Job, JobStatus, Why
from evalbus_schemas.queries import Deleted

app = typer.Typer(help="Look at jobs, wait for them, end them.", no_args_is_help=True)


@app.command("list")
def list_jobs(
    workspace: Workspace = WORKSPACE,
    status: Annotated[JobStatus | None, typer.Option(help="Only jobs in this status.")] = None,
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
            return [job async for job in client.jobs.list(status=status, limit=limit)]

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

    async def work() -> Why:
        async with asking_client(settings, workspace) as client:
            return await client.jobs.why(job)

    found = loop.run(work)
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
        if job != last:
            write_line(job)
        last = job
    assert last is not None, "watching begins with the job as it is"
    return last
