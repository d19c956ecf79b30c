"""`evalbus run`: a benchmark file scored from beginning to end."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from evalbus.cli.arguments import WORKSPACE, Workspace
from evalbus.cli.estimate import rows_expected
from evalbus.cli.modes import client_settings
from evalbus.cli.output import CsvFlag, JsonFlag, MarkdownFlag, chosen
from evalbus.cli.working import DetachFlag, NewName, Working
from evalbus.client import AsyncClient, load_benchmark
from evalbus.errors import Invalid, NotFound
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.jobs import Job


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The benchmark file.")],
    name: NewName = None,
    workspace: Workspace = WORKSPACE,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many rows of each dataset.")
    ] = None,
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be scored; start nothing.")
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
    benchmark = _limited(load_benchmark(file), limit)
    if is_dry:
        from evalbus.cli.dry_run import (
            dry_run,  # brings templates and datasets, which take time to load
        )

        with _about(file):
            dry_run(benchmark, style)
        return
    working = Working(
        settings=client_settings(), workspace=workspace, is_detached=is_detached, style=style
    )

    async def start(client: AsyncClient) -> Job:
        with _about(file):
            return await client.jobs.start(benchmark, job=name)

    working.work(start, expected=lambda: asyncio.to_thread(rows_expected, benchmark))


def _limited(benchmark: Benchmark, limit: int | None) -> Benchmark:
    if limit is None:
        return benchmark
    params = benchmark.params.model_copy(update={"limit_samples": limit})
    return benchmark.model_copy(update={"params": params})


@contextmanager
def _about(file: Path) -> Generator[None, None, None]:
    """What is wrong in a benchmark, or not where the benchmark says, is a mistake in its file."""
    try:
        yield
    except (Invalid, NotFound) as error:
        raise Invalid(f"{file.name}: {error.message}", error.data) from None
