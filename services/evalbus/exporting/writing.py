"""From the pages of a job to a file: the format makes bytes of them, and the sink keeps them."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import assert_never

from evalbus.exporting.base import Sink, in_thread
from evalbus.exporting.configs import (
    CsvExportConfig,
    ExportConfig,
    JsonExportConfig,
    JsonlExportConfig,
    ParquetExportConfig,
)
from evalbus.exporting.csv import csv
from evalbus.exporting.json import json
from evalbus.exporting.jsonl import jsonl
from evalbus.exporting.parquet import parquet
from evalbus_schemas.exports import DatapointPage, ExportHead


async def file_chunks(
    pages: AsyncIterator[DatapointPage], config: ExportConfig, *, folder: Path | None = None
) -> AsyncGenerator[bytes]:
    """The file in pieces of about 1 MiB (Parquet: of a row group), in constant memory.

    Pages have whole datapoints, and the first one the head. What a table has to put aside until all pages were seen
    lies in `folder` (None: where the system has its temporary files). Raises WrongExport and OSError, and what `pages`
    raises.
    """
    first = await anext(pages)
    assert first.head is not None, "the first page of a job has its head"
    async with aclosing(_chunks(first.head, _lines(first, pages), config, folder)) as chunks:
        async for chunk in chunks:
            yield chunk


async def save(chunks: AsyncGenerator[bytes], sink: Sink) -> None:
    """Everything written and committed, or nothing."""
    with sink:
        async with aclosing(chunks):
            async for chunk in chunks:
                await in_thread(sink.write, chunk)
        await in_thread(sink.commit)


async def _lines(first: DatapointPage, others: AsyncIterator[DatapointPage]) -> AsyncIterator[str]:
    yield first.lines
    async for page in others:
        yield page.lines


def _chunks(
    head: ExportHead, pages: AsyncIterator[str], config: ExportConfig, folder: Path | None
) -> AsyncGenerator[bytes]:
    match config:
        case JsonExportConfig():
            return json(head, pages)
        case JsonlExportConfig():
            return jsonl(head, pages)
        case CsvExportConfig():
            return csv(head, pages, config, folder=folder)
        case ParquetExportConfig():
            return parquet(head, pages, folder=folder)
        case _:
            assert_never(config)
