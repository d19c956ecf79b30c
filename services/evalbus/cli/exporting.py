"""`evalbus results export`: every datapoint of a job as a file."""

import sys
from collections.abc import Mapping
from pathlib import PurePath
from types import TracebackType
from typing import Annotated, Self

import typer
from rich.progress import MofNCompleteColumn, ProgressColumn, TimeRemainingColumn

from evalbus.cli import loop
from evalbus.cli.arguments import WORKSPACE, JobName, Workspace
from evalbus.cli.bars import bar
from evalbus.cli.modes import asking_client, client_settings, working_client
from evalbus.cli.output import note
from evalbus.cli.progress import RateColumn
from evalbus.client.job_export import Destination, Exported, bucket_url
from evalbus.exporting import CsvExportConfig, config_of
from evalbus_schemas.exports import ExportFormat

STANDARD_OUTPUT = "-"
ENDINGS: Mapping[str, ExportFormat] = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
}


def export(
    job: JobName,
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="A file, s3://bucket/key, gs://bucket/key, or - for standard output.",
        ),
    ],
    format: Annotated[
        ExportFormat | None,
        typer.Option(help="What the path ends with, else json."),
    ] = None,
    sep: Annotated[
        str | None, typer.Option(help="Of CSV: between cells; \\t is a tab.  [default: ,]")
    ] = None,
    quotechar: Annotated[
        str | None, typer.Option(help='Of CSV: around texts.  [default: "]')
    ] = None,
    escapechar: Annotated[
        str | None, typer.Option(help="Of CSV: doubled inside of texts.  [default: \\]")
    ] = None,
    no_neutralise: Annotated[
        bool,
        typer.Option(
            "--no-neutralise",
            help="Of CSV: no apostrophe before text that a spreadsheet would run as a formula.",
        ),
    ] = False,
    connector: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which gives access to a private bucket.")
    ] = None,
    workspace: Workspace = WORKSPACE,
) -> None:
    """Every row of a job with its outputs and scores as a file, that is there whole or not at all.

    Also of a job that has not completed: then it is what there is. JSON and JSONL have everything, CSV and Parquet a
    line for each answer.
    """
    given = {"sep": _tab(sep), "quotechar": quotechar, "escapechar": escapechar}
    cells = {name: character for name, character in given.items() if character is not None}
    chosen = format or ENDINGS.get(PurePath(path).suffix.lower(), "json")
    if chosen != "csv" and (cells or no_neutralise):
        raise typer.BadParameter(
            f"separators, quotes and apostrophes are those of csv, not {chosen}"
        )
    config = config_of(chosen, csv=CsvExportConfig(**cells, neutralise=not no_neutralise))
    settings = client_settings()
    is_remote = bucket_url(path) is not None
    destination = _standard_output(chosen) if path == STANDARD_OUTPUT else path

    async def work() -> Exported:
        opened = working_client if is_remote else asking_client
        async with opened(settings, workspace) as client:
            with bar("rows", *_columns()) as tell:
                return await client.results.export(
                    job, destination, config, connector=connector, tell=tell
                )

    _tell(loop.run(work))


def _columns() -> tuple[ProgressColumn, ...]:
    return (MofNCompleteColumn(), RateColumn(), TimeRemainingColumn(compact=True))


def _tell(exported: Exported) -> None:
    job = exported.job
    rows = f"{exported.datapoints} {'row' if exported.datapoints == 1 else 'rows'}"
    if exported.partial:
        note(f"partial: job {job.name} is {job.status.value}; this is what there is of it")
    where = "" if exported.destination == STANDARD_OUTPUT else f" to {exported.destination}"
    note(f"{rows} of job {job.name} written{where}")


def _tab(sep: str | None) -> str | None:
    """A shell makes it hard to write one."""
    return "\t" if sep == "\\t" else sep


def _standard_output(format: ExportFormat) -> Destination:
    if format == "parquet":
        raise typer.BadParameter("parquet is no text: give it a file")
    return _StandardOutput()


class _StandardOutput:
    """A Sink; whoever reads sees what there is, so a half is no file."""

    def __str__(self) -> str:
        return STANDARD_OUTPUT

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing can be taken back."""

    def write(self, chunk: bytes) -> None:
        sys.stdout.buffer.write(chunk)

    def commit(self) -> None:
        sys.stdout.buffer.flush()
