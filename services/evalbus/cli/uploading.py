"""`evalbus datasets upload`, and the local files of a benchmark on their way to the services."""

import asyncio
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import DownloadColumn, TransferSpeedColumn

from evalbus.cli import loop
from evalbus.cli.arguments import WORKSPACE, Workspace
from evalbus.cli.bars import Tell, bar
from evalbus.cli.catalogue import saving_client
from evalbus.cli.modes import client_settings
from evalbus.cli.output import JsonFlag, note, write_document, write_text
from evalbus.client import AsyncClient
from evalbus.client.benchmark_file import is_url
from evalbus.errors import Invalid
from evalbus.writing.tables import printable
from evalbus_schemas.benchmark import BenchmarkFile, Dataset
from evalbus_schemas.catalogue import EntrySaved

SOURCES_MAX = 1000
"""What a dataset may name."""


def upload(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to send.")],
    name: Annotated[
        str | None, typer.Option(help="Save a dataset under this name that reads the file.")
    ] = None,
    workspace: Workspace = WORKSPACE,
    as_json: JsonFlag = False,
) -> None:
    """Send a file to the services; prints the source that datasets read it as.

    What was sent before is not sent again, and an upload that was interrupted goes on.
    """
    settings = client_settings()

    async def work() -> tuple[str, EntrySaved | None]:
        async with saving_client(settings, workspace) as client:
            with _bar(file) as tell:
                source = await client.datasets.upload(file, progress=tell)
            if name is None:
                return source, None
            return source, await client.datasets.save({"name": name, "source": source})

    source, saved = loop.run(work)
    if as_json:
        write_document({"source": source, "dataset": None if saved is None else saved.entry})
        return
    write_text(source)
    if saved is not None:
        note(f"dataset {saved.entry.id} is {saved.change}, revision {saved.entry.revision}")


async def with_uploaded_sources(client: AsyncClient, benchmark: BenchmarkFile) -> BenchmarkFile:
    """The same benchmark, with every local file sent and read from where it was sent to."""
    datasets = [
        part if isinstance(part, str) else await _uploaded(client, part)
        for part in benchmark.datasets
    ]
    return benchmark.model_copy(update={"datasets": tuple(datasets)})


async def _uploaded(client: AsyncClient, dataset: Dataset) -> Dataset:
    sources: list[str] = []
    for source in dataset.sources:
        if is_url(source):
            sources.append(source)
            continue
        for path in await asyncio.to_thread(_files, source, dataset):
            with _bar(path) as tell:
                sources.append(await client.datasets.upload(path, progress=tell))
    if not sources:
        return dataset
    if len(sources) > SOURCES_MAX:
        raise Invalid(
            f"dataset {dataset.name!r} has {len(sources)} files, more than the {SOURCES_MAX} that can be uploaded for one"
        )
    return dataset.model_copy(
        update={"source": sources[0] if len(sources) == 1 else tuple(sources)}
    )


def _files(source: str, dataset: Dataset) -> list[Path]:
    from evalbus.datasets.formats import (
        is_known,
    )  # brings every format, and most commands need none
    from evalbus.datasets.places import find_files

    def is_wanted(name: str) -> bool:
        return dataset.format is not None or is_known(name)

    places = find_files(source, roots=None, base=Path.cwd(), is_wanted=is_wanted)
    return [place.path for place in places]


def _bar(file: Path) -> AbstractContextManager[Tell | None]:
    return bar(printable(file.name), DownloadColumn(), TransferSpeedColumn())
