"""The rows of a saved benchmark, dataset after dataset, in pages that go on where the one before ended."""

import asyncio
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated

import orjson
from pydantic import Field, ValidationError

from evalbus.bus.base import Message
from evalbus.bus.rpc import Answerer
from evalbus.datasets.base import DatasetReader, ItemRow, Position
from evalbus.datasets.sources import Uploads
from evalbus.errors import Invalid, SourceBroken
from evalbus.producer.opening import DatasetOpening
from evalbus.producer.uploads import UploadFiles
from evalbus.store.ports import CatalogueStore
from evalbus_schemas.base import JsonObject, Open
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.catalogue import (
    BenchmarkRow,
    BenchmarkRowPage,
    Entry,
    GetEntry,
    ListBenchmarkRows,
)
from evalbus_schemas.names import reference

PAGE_BYTES = 1000 * 1000
"""Of items; with what is written around them a page stays below 1 MiB."""
NUMBER_MAX = 2**62
"""No file is larger, and no operating system takes a larger place in one."""
ROW_FRAME_BYTES = 512
"""At most what is written around an item: names, and an id of 255 characters."""


class Cursor(Open):
    """Where the next page begins, in the revision that the first page was of."""

    revision: Annotated[int, Field(ge=1)]
    dataset: Annotated[int, Field(ge=0)]
    position: Position


@dataclass(frozen=True, kw_only=True)
class BenchmarkRows:
    store: CatalogueStore
    opening: DatasetOpening
    uploads: UploadFiles

    def methods(self) -> dict[str, Answerer]:
        async def rows(query: ListBenchmarkRows, _: Message) -> BenchmarkRowPage:
            return await self.page(query)

        return {"benchmarks.rows": rows}

    async def page(self, query: ListBenchmarkRows) -> BenchmarkRowPage:
        """Raises NotFound, NotAllowed, or Invalid for a cursor that is none and for rows that cannot be read."""
        cursor = None if query.after is None else _parsed(query.after)
        entry = await self.store.get(
            "benchmark",
            GetEntry(
                name=query.name,
                uid=query.uid,
                workspace=query.workspace,
                revision=None if cursor is None else cursor.revision,
            ),
        )
        benchmark = Benchmark.model_validate_json(orjson.dumps(entry.definition))
        start = cursor or Cursor(revision=entry.revision, dataset=0, position=Position())
        # Only what is left to read need be at hand.
        async with self.uploads.at_hand(benchmark.datasets[start.dataset :]) as uploads:
            page = _Page(
                entry=entry,
                benchmark=benchmark,
                opening=self.opening,
                uploads=uploads,
                limit=query.limit,
            )
            return await asyncio.to_thread(page.read, start)


@dataclass(frozen=True, kw_only=True)
class _Page:
    """The blocking half."""

    entry: Entry
    benchmark: Benchmark
    opening: DatasetOpening
    uploads: Uploads
    limit: int

    def read(self, start: Cursor) -> BenchmarkRowPage:
        rows: list[BenchmarkRow] = []
        size = 0
        dataset_no, position = start.dataset, start.position
        while dataset_no < len(self.benchmark.datasets):
            dataset = self.benchmark.datasets[dataset_no]
            with closing(
                self.opening.open(dataset, uploads=self.uploads, position=position)
            ) as reader:
                while found := _next_row(reader):
                    size += len(found.item) + ROW_FRAME_BYTES
                    if rows and (size > PAGE_BYTES or len(rows) == self.limit):
                        return self._page(rows, dataset_no, position)
                    rows.append(self._row(found, dataset.name))
                    position = reader.position
            dataset_no, position = dataset_no + 1, Position()
        return BenchmarkRowPage(rows=tuple(rows), next=None)

    def _row(self, row: ItemRow, dataset: str) -> BenchmarkRow:
        # A row over the size limit has an id and no fields, as in a job.
        item: JsonObject = orjson.loads(row.item) if row.item else {}
        return BenchmarkRow(
            row_id=row.row_id, dataset=reference(self.entry.workspace, dataset), item=item
        )

    def _page(
        self, rows: list[BenchmarkRow], dataset_no: int, position: Position
    ) -> BenchmarkRowPage:
        cursor = Cursor(revision=self.entry.revision, dataset=dataset_no, position=position)
        return BenchmarkRowPage(rows=tuple(rows), next=cursor.model_dump_json())


def _next_row(reader: DatasetReader) -> ItemRow | None:
    try:
        return next(iter(reader.read(1, PAGE_BYTES)), None)
    except SourceBroken as error:
        raise Invalid(error.message, {"found": error.code}) from None


def _parsed(text: str) -> Cursor:
    try:
        found = Cursor.model_validate_json(text)
    except ValidationError:
        raise _not_a_cursor(text) from None
    position = found.position
    if max(found.revision, position.file, position.offset, position.line) > NUMBER_MAX:
        raise _not_a_cursor(text)
    return found


def _not_a_cursor(text: str) -> Invalid:
    return Invalid(f"{text[:100]!r} is no cursor: give the `next` of the page before")
