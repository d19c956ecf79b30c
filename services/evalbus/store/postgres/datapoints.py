"""Every row of a job's datasets with all its scores, as pages of text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby, takewhile
from operator import itemgetter
from zlib import crc32

import asyncpg

from evalbus.errors import Conflict
from evalbus.store.ports import LayoutOf
from evalbus.store.postgres import jobs, rows
from evalbus.store.postgres.database import Connection, Database
from evalbus.store.postgres.datapoint_lines import DatapointLines
from evalbus.store.postgres.export_head import head_of
from evalbus.store.postgres.records import (
    NUMBER_MAX,
    PAGE_BYTES_MAX,
    not_a_cursor,
)
from evalbus.store.postgres.sql import load
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.exports import DatapointPage, ListDatapoints

SQL = load("datapoints.sql")

JOBS_REMEMBERED = 256
SHARE_BYTES = PAGE_BYTES_MAX // 2
"""Of a page for its items, and as much for the answers of all models."""
DATASET_NO_MAX = 2**15 - 1

Key = tuple[int, date]
"""Of the rows of a job: its number and its month."""


@dataclass(frozen=True, kw_only=True)
class _Frozen:
    """What is never changed of a job, and needed for every page of it."""

    lines: DatapointLines
    n_models: int
    rows_max: int
    """More rows do not fit into a page, whatever is in them."""


@dataclass(frozen=True, kw_only=True)
class _Place:
    """The datapoint that a page begins with; of one that is larger than a page, how much of it was told before."""

    dataset_no: int = 0
    row_index: int = 0
    characters: int = 0
    checksum: int = 0

    @property
    def cursor(self) -> str:
        place = f"{self.dataset_no}.{self.row_index}"
        return f"{place}.{self.characters}.{self.checksum}" if self.characters else place


@dataclass(frozen=True, kw_only=True)
class _Stretch:
    """Rows of one dataset that follow one another, with every answer that they have."""

    dataset_no: int
    items: "Sequence[asyncpg.Record]"
    answers: "Sequence[asyncpg.Record]"
    is_last: bool


class PostgresDatapoints:
    def __init__(self, database: Database, layout_of: LayoutOf) -> None:
        self._database = database
        self._layout_of = layout_of
        self._frozen: dict[int, _Frozen] = {}

    async def page(self, query: ListDatapoints) -> DatapointPage:
        place = _place(query.after)
        async with self._database.transaction() as connection:
            await connection.execute(rows.SQL.plan_for_these_arguments)
            job = await jobs.stored(
                connection, query.workspace, query.job, columns="job_no, workspace, month"
            )
            job_no: int = job["job_no"]
            is_first = query.after is None
            head = await head_of(connection, job_no, self._layout_of) if is_first else None
            frozen = await self._frozen_of(connection, job_no, job["workspace"])
            key = (job_no, job["month"])
            stretch = await _stretch(connection, key, frozen, place, rows_max=query.limit)
        if stretch is None:
            return DatapointPage(head=head, lines="", count=0, next=None)
        text, count, following = _text(frozen.lines, stretch, place)
        return DatapointPage(
            head=head, lines=text, count=count, next=None if following is None else following.cursor
        )

    async def _frozen_of(self, connection: Connection, job_no: int, workspace: str) -> _Frozen:
        if frozen := self._frozen.get(job_no):
            return frozen
        record = await connection.fetchrow(SQL.frozen, job_no)
        assert record is not None, "its row was found in this transaction, and no row of a job goes"
        benchmark = Benchmark.model_validate_json(record["spec"])
        lines = DatapointLines(workspace, benchmark, self._layout_of(benchmark))
        row_bytes_min = lines.item_overhead + record["answers_of_row"] * lines.answer_overhead
        if len(self._frozen) >= JOBS_REMEMBERED:
            self._frozen.clear()
        frozen = self._frozen[job_no] = _Frozen(
            lines=lines,
            n_models=len(benchmark.models),
            rows_max=PAGE_BYTES_MAX // row_bytes_min + 1,
        )
        return frozen


def _place(cursor: str | None) -> _Place:
    if cursor is None:
        return _Place()
    parts = cursor.split(".")
    if len(parts) not in (2, 4) or not all(part.isascii() and part.isdigit() for part in parts):
        raise not_a_cursor(cursor)
    numbers = [int(part) for part in parts]
    if numbers[0] > DATASET_NO_MAX or max(numbers) > NUMBER_MAX:
        raise not_a_cursor(cursor)
    if len(numbers) == 2:
        return _Place(dataset_no=numbers[0], row_index=numbers[1])
    return _Place(
        dataset_no=numbers[0], row_index=numbers[1], characters=numbers[2], checksum=numbers[3]
    )


async def _stretch(
    connection: Connection, key: Key, frozen: _Frozen, place: _Place, *, rows_max: int
) -> _Stretch | None:
    """From the place on; None if there is nothing."""
    rows_max = 1 if place.characters else min(rows_max, frozen.rows_max)
    found = await connection.fetch(
        SQL.items,
        *key,
        place.dataset_no,
        place.row_index,
        rows_max + 1,
        frozen.lines.item_overhead,
        SHARE_BYTES,
    )
    if not found:
        return None
    dataset_no: int = found[0]["dataset_no"]
    items = list(takewhile(lambda item: item["dataset_no"] == dataset_no, found[:rows_max]))
    first_row, last_row = items[0]["row_index"], items[-1]["row_index"]
    answers = await connection.fetch(
        SQL.answers,
        *key,
        dataset_no,
        first_row,
        last_row,
        frozen.n_models,
        frozen.lines.answer_overhead,
        SHARE_BYTES // frozen.n_models,
    )
    last_row = _last_whole_row(answers, last_row)
    whole = [item for item in items if item["row_index"] <= last_row]
    return _Stretch(
        dataset_no=dataset_no,
        items=whole,
        answers=answers,
        is_last=whole[-1]["is_last"],
    )


def _last_whole_row(answers: "Sequence[asyncpg.Record]", last_row: int) -> int:
    """Up to which every model has all its answers here."""
    for _, of_model in groupby(answers, key=itemgetter("model_no")):
        given = list(of_model)
        if not any(answer["is_last"] for answer in reversed(given)):
            last_row = min(last_row, given[-1]["row_index"])
    return last_row


def _text(
    writer: DatapointLines, stretch: _Stretch, place: _Place
) -> tuple[str, int, _Place | None]:
    """The text of a page, how many datapoints end in it, and with what the next one begins."""
    lines = _fitting(writer.write(stretch.dataset_no, stretch.items, stretch.answers))
    is_last = stretch.is_last and len(lines) == len(stretch.items)
    behind: int = stretch.items[len(lines) - 1]["row_index"] + 1
    following = None if is_last else _Place(dataset_no=stretch.dataset_no, row_index=behind)
    if place.characters or len(lines[0]) > PAGE_BYTES_MAX:
        begun = replace(place, dataset_no=stretch.dataset_no, row_index=behind - 1)
        piece, rest = _piece(lines[0], begun)
        return (piece, 1, following) if rest is None else (piece, 0, rest)
    return "".join(lines), len(lines), following


def _fitting(lines: Iterable[str]) -> list[str]:
    """As many of the first as a page bears, and at least one."""
    kept: list[str] = []
    size = 0
    for line in lines:
        size += len(line)
        if kept and size > PAGE_BYTES_MAX:
            break
        kept.append(line)
    return kept


def _piece(line: str, begun: _Place) -> tuple[str, _Place | None]:
    """What comes behind the part that was told before, and where that ends; raises Conflict if it is another now."""
    told = begun.characters
    if told >= len(line) or crc32(line[:told].encode()) != begun.checksum:
        raise Conflict("the datapoint has changed since its first part was read: begin anew")
    end = told + PAGE_BYTES_MAX
    if end >= len(line):
        return line[told:], None
    checksum = crc32(line[:end].encode())
    return line[told:end], replace(begun, characters=end, checksum=checksum)
