"""`evalbus run`: a benchmark, from a file or saved, scored from beginning to end."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from evalbus.cli import loop
from evalbus.cli.arguments import WORKSPACE, Workspace
from evalbus.cli.catalogue import about_file
from evalbus.cli.estimate import rows_expected
from evalbus.cli.modes import asking_client, client_settings
from evalbus.cli.output import CsvFlag, JsonFlag, MarkdownFlag, Style, chosen, note
from evalbus.cli.uploading import with_uploaded_sources
from evalbus.cli.working import DetachFlag, NewName, Working
from evalbus.client import AsyncClient, load_benchmark
from evalbus.client.benchmark_file import is_reference
from evalbus_schemas.benchmark import Benchmark, BenchmarkFile, Params
from evalbus_schemas.jobs import Job


def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="The benchmark file, or workspace/name of a saved benchmark."
        ),
    ],
    name: NewName = None,
    workspace: Workspace = WORKSPACE,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many rows of each dataset.")
    ] = None,
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be scored; start nothing.")
    ] = False,
    is_uploading: Annotated[
        bool,
        typer.Option(
            "--upload", help="Send local dataset files to the services, which read those."
        ),
    ] = False,
    is_detached: DetachFlag = False,
    as_json: JsonFlag = False,
    as_markdown: MarkdownFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """Score a benchmark and print the result.

    With EVALBUS_AMQP_URL running services do the work and Ctrl-C only detaches; without, everything runs in this
    process, and after Ctrl-C the job goes on at the next start.
    """
    style = chosen(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    if is_reference(source):
        if is_uploading:
            raise typer.BadParameter("--upload is for files; a saved benchmark has sources already")
        # Where nothing else is said, a saved benchmark runs where it is saved.
        where = source.partition("/")[0] if workspace == WORKSPACE else workspace
        if is_dry:
            _dry_run(source, where, limit, style)
            return
        _working(where, is_detached, style).work(
            lambda client: _start_saved(client, source, name, limit)
        )
        return
    file = Path(source)
    benchmark = _limited(load_benchmark(file), limit)
    if is_dry:
        with about_file(file.name):
            _dry_run(benchmark, workspace, limit, style)
        return
    working = _working(workspace, is_detached, style)
    sends = is_uploading and working.settings.amqp_url is not None
    if is_uploading and not sends:
        note("--upload: everything runs in this process, which reads the files where they are")

    async def start(client: AsyncClient) -> Job:
        with about_file(file.name):
            sent = await with_uploaded_sources(client, benchmark) if sends else benchmark
            return await client.jobs.start(sent, job=name)

    working.work(start, expected=lambda: asyncio.to_thread(rows_expected, benchmark))


def _working(workspace: str, is_detached: bool, style: Style) -> Working:
    return Working(
        settings=client_settings(), workspace=workspace, is_detached=is_detached, style=style
    )


async def _start_saved(
    client: AsyncClient, source: str, name: str | None, limit: int | None
) -> Job:
    # What is given takes the place of the saved one, and the rest stays.
    params = None if limit is None else {"limit_samples": limit}
    return await client.jobs.start(source, job=name, params=params)


def _dry_run(
    benchmark: BenchmarkFile | str, workspace: str, limit: int | None, style: Style
) -> None:
    # They bring templates and datasets, which take time to load.
    from evalbus.cli.dry_run import dry_run
    from evalbus.cli.written_out import written_out

    if isinstance(benchmark, BenchmarkFile) and benchmark.is_written_out:
        dry_run(benchmark.written_out(), style)
        return
    settings = client_settings()

    async def work() -> Benchmark:
        async with asking_client(settings, workspace) as client:
            return await written_out(client, benchmark)

    found = loop.run(work)
    if limit is not None:
        found = found.model_copy(update={"params": _limited_params(found, limit)})
    dry_run(found, style)


def _limited(benchmark: BenchmarkFile, limit: int | None) -> BenchmarkFile:
    if limit is None:
        return benchmark
    return benchmark.model_copy(update={"params": _limited_params(benchmark, limit)})


def _limited_params(benchmark: Benchmark | BenchmarkFile, limit: int) -> Params:
    return benchmark.params.model_copy(update={"limit_samples": limit})
