"""The values of one (dataset, model) as they are stored, in row order, and those of each slice of it."""

import asyncio
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import orjson

from evalbus.errors import NoResult
from evalbus.store.counts import Sum
from evalbus.store.means import mean_of_told
from evalbus.store.ports import Layout
from evalbus.store.postgres.database import Connection
from evalbus.store.postgres.packed import columns_of
from evalbus.store.postgres.sql import load

SQL = load("stored_values.sql")

SLAB_ROWS = 20_000

Key = tuple[int, int, int, date]
"""Of the rows of one (dataset, model): job, dataset, model, and the month of the job."""

RepeatRule = Callable[[Sequence[float]], float]


@dataclass(frozen=True, kw_only=True)
class StoredValues:
    """Of some rows: a column for each score, one for each score with a ground truth, a sum for each metric that counts."""

    n_rows: int
    n_failed: int
    """Rows all of whose answers failed."""
    values: "Sequence[array[float]]"
    truths: "Sequence[array[float]]"
    sums: Sequence[Sum]


@dataclass(frozen=True, kw_only=True)
class SliceValues(StoredValues):
    n_answers: int
    """A row that was answered repeatedly has several."""
    n_failed_answers: int


class _Members(NamedTuple):
    """Of each row, as the query has them."""

    slices: "array[int]"
    is_failed: "array[int]"
    n_answers: "array[int]"
    n_failed: "array[int]"


@dataclass(frozen=True, kw_only=True)
class ValuesInSlices:
    """Of all rows, and how to find those of each slice among them."""

    whole: StoredValues
    n_slices: int
    _members: "_Members"
    _sums: Sequence[Sequence[Sum]]
    """For each slice, then for the rows of none."""

    def parts(self) -> Iterator[SliceValues]:
        """Of each slice, and at last of the rows that are in none; nothing without slices."""
        if not self.n_slices:
            return
        # Loaded where a result is made: a service that makes none does well without its 30 MB.
        import numpy as np

        bits, is_failed, n_answers, n_failed = (
            np.frombuffer(column, dtype=np.int64) for column in self._members
        )
        for place in range(self.n_slices + 1):
            chosen = bits == 0 if place == self.n_slices else (bits >> place) & 1 == 1
            yield SliceValues(
                n_rows=int(chosen.sum()),
                n_failed=int(is_failed[chosen].sum()),
                n_answers=int(n_answers[chosen].sum()),
                n_failed_answers=int(n_failed[chosen].sum()),
                values=[
                    array("d", np.frombuffer(one)[chosen].tobytes()) for one in self.whole.values
                ],
                truths=[
                    array("d", np.frombuffer(one)[chosen].tobytes()) for one in self.whole.truths
                ],
                sums=self._sums[place],
            )


async def read_values(
    connection: Connection,
    layout: Layout,
    key: Key,
    *,
    size: int,
    n_slices: int,
    is_repeated: bool,
) -> ValuesInSlices:
    """Of a dataset with `size` rows, some of which may have no scores; raises NoResult for counts that do not add up."""
    # What needs several attempts has no value of a single one either.
    read = _values_over_repeats if is_repeated or layout.not_averaged else _values
    n_rows, n_failed, values = await read(connection, layout, key, size)
    sums = [[Sum() for _ in layout.counted] for _ in range(n_slices + 2 if n_slices else 1)]
    await _add_counts(connection, layout, key, size, sums)
    return ValuesInSlices(
        whole=StoredValues(
            n_rows=n_rows,
            n_failed=n_failed,
            values=values,
            truths=await _truths(connection, len(layout.with_truth), key, size),
            sums=sums[0],
        ),
        n_slices=n_slices,
        _members=await _members(connection, key, size if n_slices else 0),
        _sums=sums[1:],
    )


def _slabs(size: int) -> Iterator[tuple[int, int]]:
    return ((first_row, first_row + SLAB_ROWS) for first_row in range(0, size, SLAB_ROWS))


async def _values(
    connection: Connection, layout: Layout, key: Key, size: int
) -> "tuple[int, int, list[array[float]]]":
    """Rows, how many of them failed, and the values of every score in row order."""
    values = [array("d") for _ in layout.scores]
    n_rows = n_failed = 0
    for rows in _slabs(size):
        slab = await connection.fetchrow(SQL.slab, *key, *rows)
        assert slab, "an aggregate always has a row"
        n_rows += slab["n_rows"]
        n_failed += slab["n_failed"]
        # Nothing at all where there are no rows.
        parts = columns_of(slab["scores"] or b"", len(values))
        for column, part in zip(values, parts, strict=True):
            column.extend(part)
    return n_rows, n_failed, values


async def _values_over_repeats(
    connection: Connection, layout: Layout, key: Key, size: int
) -> "tuple[int, int, list[array[float]]]":
    """The same where a row may have been answered repeatedly: its value is what its metric makes of its repeats."""
    values = [array("d") for _ in layout.scores]
    n_rows = n_failed = 0
    for rows in _slabs(size):
        slab = await connection.fetch(SQL.slab_of_repeats, *key, *rows)
        n_rows += len(slab)
        n_failed += sum(row["is_failed"] for row in slab)
        packed = [row["scores"] for row in slab]
        await asyncio.to_thread(_add_values, values, layout.over_repeats, packed)
    return n_rows, n_failed, values


def _add_values(
    values: "Sequence[array[float]]", rules: Sequence[RepeatRule], rows: Sequence[bytes]
) -> None:
    """Each row is the packed values of its repeats, one behind the other."""
    for row in rows:
        for column, rule, repeats in zip(values, rules, columns_of(row, len(values)), strict=True):
            column.append(rule(repeats))


async def _truths(
    connection: Connection, n_truths: int, key: Key, size: int
) -> "list[array[float]]":
    """What people said of each row; of a row that was answered repeatedly the mean of what they said."""
    truths = [array("d") for _ in range(n_truths)]
    for rows in _slabs(size if n_truths else 0):
        slab = await connection.fetch(SQL.truths, *key, *rows, n_truths)
        packed = [row["truths"] for row in slab]
        await asyncio.to_thread(_add_values, truths, [mean_of_told] * n_truths, packed)
    return truths


async def _members(connection: Connection, key: Key, size: int) -> _Members:
    members = _Members(*(array("q") for _ in _Members._fields))
    for rows in _slabs(size):
        slab = await connection.fetchrow(SQL.members, *key, *rows)
        assert slab, "an aggregate always has a row"
        for column, part in zip(members, slab.values(), strict=True):
            column.frombytes(part or b"")
    if sys.byteorder == "little":
        for column in members:
            column.byteswap()
    return members


async def _add_counts(
    connection: Connection, layout: Layout, key: Key, size: int, sums: Sequence[Sequence[Sum]]
) -> None:
    """To the sums over all rows, and those of each slice and of none if there are such."""
    query = SQL.counts if len(sums) == 1 else SQL.counts_in_slices
    for rows in _slabs(size if layout.counted else 0):
        slab = await connection.fetch(query, *key, *rows)
        found = [(row["counts"], row["slices"]) for row in slab]
        await asyncio.to_thread(_add_rows, layout, sums, found)


def _add_rows(
    layout: Layout, sums: Sequence[Sequence[Sum]], rows: Sequence[tuple[str, int]]
) -> None:
    """Each row is the lists of its repeats, with commas between them, and its slices; raises NoResult."""
    for row, slices in rows:
        repeats: list[list[list[int] | dict[str, int] | None]] = orjson.loads(f"[{row}]")
        in_row = [[counts[place] for counts in repeats] for place in range(len(layout.counted))]
        for of_slice in _taking_part(sums, slices):
            for name, sum_, counts in zip(layout.counted, of_slice, in_row, strict=True):
                try:
                    sum_.add_row(counts)
                except TypeError as error:
                    raise NoResult(f"metric {name!r}: {error}") from error


def _taking_part(sums: Sequence[Sequence[Sum]], slices: int) -> Iterator[Sequence[Sum]]:
    """Those of all rows, then those of its slices or of none."""
    whole, *parts = sums
    yield whole
    if parts and not slices:
        yield parts[-1]
    for place, of_slice in enumerate(parts[:-1]):
        if slices & (1 << place):
            yield of_slice
