"""The datapoints of a job as lines of a table, one for each answer."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from evalbus.exporting.base import in_thread
from evalbus.exporting.columns import OUTPUT, Columns, PartOf, Survey, parts_of
from evalbus.exporting.decoding import Datapoint, datapoint
from evalbus.exporting.waiting import Waiting
from evalbus_schemas.exports import ExportHead

CELLS_MAX = 1_000_000
"""Held at a time; what they say is in about 1 MiB."""

Line = list[Any]
"""A cell for each column: JSON values, None where there is none. The slices are a list."""


async def in_table(
    head: ExportHead,
    pages: AsyncIterator[str],
    write: Callable[[Columns, Iterator[list[Line]]], Iterator[bytes]],
    *,
    folder: Path | None,
) -> AsyncGenerator[bytes]:
    """What `write` makes of the columns and of batches of lines.

    Which columns there are is known only behind the last datapoint: until then they wait in `folder`.
    """
    survey = Survey(head)
    with Waiting(folder) as waiting:
        async for lines in pages:
            await in_thread(_look, lines.encode(), survey, waiting)
        columns = survey.columns()
        chunks = write(columns, _batches(waiting, columns))
        while (chunk := await in_thread(next, chunks, None)) is not None:
            yield chunk


def _look(text: bytes, survey: Survey, waiting: Waiting) -> None:
    # By line feeds alone: a carriage return between two words of JSON is a blank like any other.
    for line in text.removesuffix(b"\n").split(b"\n") if text else ():
        survey.see(datapoint(line))
    waiting.add(text)


def _batches(waiting: Waiting, columns: Columns) -> Iterator[list[Line]]:
    """Short lines become wide ones where every item has other fields."""
    lines_max = max(CELLS_MAX // len(columns.all), 1)
    for batch in waiting.batches():
        lines = _lines(batch, columns)
        while some := list(islice(lines, lines_max)):
            yield some


def _lines(batch: list[bytes], columns: Columns) -> Iterator[Line]:
    for line in batch:
        yield from _lines_of(datapoint(line), columns)


def _lines_of(point: Datapoint, columns: Columns) -> Iterator[Line]:
    """One for each answer; a row that nobody was asked about has one with empty cells."""
    row = [*point.place, *map(point.item.get, columns.fields)]
    said: dict[tuple[str, int], dict[PartOf, Any]] = {}
    for score in point.scores:
        whose = (score["model"], score.get("repeat", 0))
        said.setdefault(whose, {}).update(parts_of(score))
    for sample in point.samples:
        model, repeat = sample["model"], sample.get("repeat", 0)
        answer = [model, repeat, sample["failed"], sample.get("latency_seconds")]
        output = sample["output"].get(OUTPUT)
        scores = map(said.get((model, repeat), {}).get, columns.parts)
        yield [*row, *answer, output, *scores, point.slices]
    if not point.samples:
        yield [*row, *[None] * (len(columns.all) - len(row) - 1), point.slices]
