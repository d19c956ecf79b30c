"""`evalbus results report`: a job as something to read, to paste, or to hand on as one file."""

from pathlib import Path
from typing import Annotated

import typer

from evalbus.cli import loop
from evalbus.cli.arguments import WORKSPACE, JobName, Workspace
from evalbus.cli.modes import asking_client, client_settings
from evalbus.cli.output import note, write_text
from evalbus.exporting.local import LocalFile


def report(
    job: JobName,
    workspace: Workspace = WORKSPACE,
    output: Annotated[
        Path | None,
        typer.Option(help="A file, that is there whole or not at all; standard output if none."),
    ] = None,
    html: Annotated[
        bool, typer.Option("--html", help="One self-contained page with charts, not Markdown.")
    ] = False,
) -> None:
    """What a job was, how its models did, on which slices, what stands out, and what was run: as Markdown, or HTML.

    Also of a job that has not completed: what there is, and says so at the top.
    """
    settings = client_settings()

    async def work() -> str:
        async with asking_client(settings, workspace) as client:
            return await client.results.report(job, html=html)

    text = loop.run(work)
    if output is None:
        write_text(text)
        return
    with LocalFile(output) as file:
        file.write(text.encode())
        file.commit()
    note(f"report of job {job} written to {output}")
