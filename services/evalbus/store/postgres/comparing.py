"""Models and results side by side: means from the results, differences from the rows, paired by row id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import orjson

from evalbus.errors import Conflict, Invalid, unknown
from evalbus.filters import Expression, parse_filter
from evalbus.filters.items import ITEM_FIELDS
from evalbus.store.ports import LayoutOf
from evalbus.store.postgres.database import Connection, Database
from evalbus.store.postgres.records import storable
from evalbus.store.postgres.results import RESULTS, no_result, with_scores
from evalbus.store.postgres.sql import load
from evalbus.store.slices import slice_bit
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import ALL, NO_SLICE, Benchmark, ScoreDirection
from evalbus_schemas.names import reference
from evalbus_schemas.queries import (
    ComparedCell,
    ComparedColumn,
    ComparedScore,
    CompareResults,
    Comparison,
    Result,
)
from evalbus_schemas.scores import MetricResult, ScoreStatistics, Signature

if TYPE_CHECKING:
    import asyncpg

SQL = load("comparing.sql")

COLUMNS_MAX = 64
NOTHING_PAIRED: Mapping[str, Any] = {
    "delta": None,
    **dict.fromkeys(
        ("n_paired", "only_in_baseline", "only_in_this", "higher", "lower", "equal"), 0
    ),
}
"""Of a score whose slice has no rows."""


@dataclass(frozen=True, kw_only=True)
class _Source:
    """A result with what is needed to find its rows, of which those in one slice may be all that is compared."""

    result: Result
    results: Sequence[MetricResult]
    """What it says of these rows."""
    slice: int | None
    """The bit of their slice, 0 for that of the rows in none; None: all rows are compared."""
    job_no: int
    month: date
    benchmark: Benchmark
    repeats: Sequence[int]
    """How often each model was asked for each row."""
    digests: Mapping[str, str]
    """Of each dataset."""
    specs: Mapping[str, JsonObject]
    """Of each metric."""
    signatures: Mapping[str, Sequence[Signature]]
    """The same; empty for a result that is older than signatures."""


@dataclass(frozen=True, kw_only=True)
class _Column:
    """One model of one result."""

    source: _Source
    model_no: int
    model: str

    def statistics(self) -> dict[tuple[str, str, str], ScoreStatistics]:
        """By (dataset, metric, score)."""
        return {
            (entry.dataset, entry.metric, score.name): score
            for entry in self.source.results
            if entry.model == self.model
            for score in entry.scores
        }


class PostgresComparisons:
    def __init__(self, database: Database, layout_of: LayoutOf) -> None:
        self._database = database
        self._layout_of = layout_of

    async def compare(self, query: CompareResults) -> Comparison:
        async with self._database.transaction() as connection:
            await connection.execute(SQL.join_by_hash)
            columns, baseline_no = await self._columns(connection, query)
            baseline = columns[baseline_no]
            differences = _differences(baseline, columns, query.slice or ALL)
            if differences and not query.force:
                raise Conflict(
                    f"not comparable unless by force: {'; '.join(differences)}",
                    {"found": list(differences)},
                )
            cells = [await self._cells(connection, baseline, column) for column in columns]
        return Comparison(
            columns=tuple(
                ComparedColumn(result=column.source.result.name, model=column.model)
                for column in columns
            ),
            baseline=baseline_no,
            scores=self._lines(columns, cells),
            differences=differences,
        )

    async def _columns(
        self, connection: Connection, query: CompareResults
    ) -> tuple[list[_Column], int]:
        sources: dict[str, _Source] = {}
        asked = list(query.columns)
        if query.baseline is not None and query.baseline not in asked:
            asked.insert(0, query.baseline)
        columns: list[_Column] = []
        for text in asked:
            name, _, model = text.partition(":")
            if name not in sources:
                sources[name] = await self._source(connection, query, name)
            found = _models_of(sources[name], model)
            columns += [column for column in found if column not in columns]
        if len(columns) > COLUMNS_MAX:
            raise Invalid(f"{len(columns)} columns, at most {COLUMNS_MAX} are compared at once")
        if query.baseline is None:
            return columns, 0
        name, _, model = query.baseline.partition(":")
        return columns, columns.index(_models_of(sources[name], model)[0])

    async def _source(self, connection: Connection, query: CompareResults, name: str) -> _Source:
        record = await connection.fetchrow(SQL.column, query.workspace, storable(name))
        if record is None:
            raise no_result(query.workspace, name)
        if record["are_rows_deleted"]:
            raise Conflict(f"the rows of {name!r} were deleted with its job")
        (result,) = await with_scores(connection, [record], None)
        source = _source_of(record, result)
        if query.slice is None or query.slice == ALL:
            return source
        bit = slice_bit(query.slice, source.benchmark, where=name)
        found = await connection.fetchval(SQL.slice_results, record["result_no"], query.slice)
        # Where no slices are declared every row is in none.
        results = source.results if found is None else RESULTS.validate_json(found)
        return replace(source, results=results, slice=bit or 0)

    async def _cells(
        self, connection: Connection, baseline: _Column, column: _Column
    ) -> dict[tuple[str, str, str], ComparedCell]:
        cells = {
            key: ComparedCell(
                mean=score.mean,
                count=score.count,
                nan_count=score.nan_count or 0,
                n_failed=score.n_failed or 0,
            )
            for key, score in column.statistics().items()
        }
        if column is baseline:
            return cells
        for key, score in baseline.statistics().items():
            if key in cells and (mean := cells[key].mean) is not None and score.mean is not None:
                # Scores of the whole have no rows to be paired: this is what is left for them.
                cells[key] = cells[key].model_copy(update={"delta": mean - score.mean})
        for dataset in column.source.result.datasets:
            if dataset in baseline.source.result.datasets:
                cells |= await self._paired(connection, baseline, column, dataset, cells)
        return cells

    async def _paired(
        self,
        connection: Connection,
        baseline: _Column,
        column: _Column,
        dataset: str,
        cells: Mapping[tuple[str, str, str], ComparedCell],
    ) -> dict[tuple[str, str, str], ComparedCell]:
        of_baseline = self._layout_of(baseline.source.benchmark).scores
        of_this = self._layout_of(column.source.benchmark).scores
        not_averaged = self._layout_of(column.source.benchmark).not_averaged
        is_repeated = max(_repeats_of(baseline), _repeats_of(column)) > 1
        workspace = column.source.result.workspace

        def is_paired(metric: str, score: str) -> bool:
            if (metric, score) not in not_averaged:
                return True
            # Of a single attempt the value itself, unless it needs more of them.
            has_value = cells[(dataset, reference(workspace, metric), score)].mean is not None
            return has_value and not is_repeated

        shared = [name for name in of_this if name in of_baseline and is_paired(*name)]
        if not shared:
            return {}
        records = await connection.fetch(
            SQL.paired.format(
                baseline=_values_of(baseline, "$1", "$2", "$3", "$4", "$5"),
                this=_values_of(column, "$6", "$7", "$8", "$9", "$10"),
            ),
            *_rows_of(baseline, dataset),
            *_rows_of(column, dataset),
            [of_baseline.index(name) + 1 for name in shared],
            [of_this.index(name) + 1 for name in shared],
        )
        directions = self._layout_of(column.source.benchmark).directions
        found = {record["score_no"]: record for record in records}
        paired: dict[tuple[str, str, str], ComparedCell] = {}
        for score_no, (metric, score) in enumerate(shared, 1):
            key = (dataset, reference(workspace, metric), score)
            record = found.get(score_no, NOTHING_PAIRED)
            is_lower_better = directions[(metric, score)] == "lower"
            higher, lower = record["higher"], record["lower"]
            paired[key] = cells[key].model_copy(
                update={
                    "delta": record["delta"],
                    "n_paired": record["n_paired"],
                    "only_in_baseline": record["only_in_baseline"],
                    "only_in_this": record["only_in_this"],
                    "better": lower if is_lower_better else higher,
                    "worse": higher if is_lower_better else lower,
                    "equal": record["equal"],
                }
            )
        return paired

    def _lines(
        self,
        columns: Sequence[_Column],
        cells: Sequence[Mapping[tuple[str, str, str], ComparedCell]],
    ) -> tuple[ComparedScore, ...]:
        """Every score that a column has, in the order in which it first appears."""
        directions: dict[tuple[str, str, str], ScoreDirection] = {}
        for column, of_column in zip(columns, cells, strict=True):
            known = self._layout_of(column.source.benchmark).directions
            for dataset, metric, score in of_column:
                name = metric.partition("/")[2]
                directions.setdefault((dataset, metric, score), known[(name, score)])
        return tuple(
            ComparedScore(
                dataset=key[0],
                metric=key[1],
                score=key[2],
                direction=direction,
                cells=tuple(of_column.get(key) for of_column in cells),
            )
            for key, direction in directions.items()
        )


def _source_of(record: "asyncpg.Record", result: Result) -> _Source:
    digests: list[str] = record["digests"]
    specs: list[JsonObject] = orjson.loads(record["metric_specs"])
    for spec in specs:
        # What people said changes no value.
        spec.pop("ground_truth", None)
    return _Source(
        result=result,
        results=result.results,
        slice=None,
        job_no=record["job_no"],
        month=record["month"],
        repeats=record["repeats"],
        benchmark=Benchmark.model_validate_json(record["spec"]),
        digests=dict(zip(result.datasets, digests, strict=True)),
        specs=dict(zip(result.metrics, specs, strict=True)),
        signatures={entry.metric: entry.signatures for entry in result.results},
    )


def _models_of(source: _Source, model: str) -> list[_Column]:
    """All models of a result, or the one that is named, with or without its workspace."""
    columns = [
        _Column(source=source, model_no=number, model=name)
        for number, name in enumerate(source.result.models)
    ]
    if not model:
        return columns
    found = [
        column for column in columns if model in (column.model, column.model.partition("/")[2])
    ]
    if not found:
        known = [column.model.partition("/")[2] for column in columns]
        raise unknown("model", model, known, where=source.result.name)
    return found


def _repeats_of(column: _Column) -> int:
    return column.source.repeats[column.model_no]


def _values_of(
    column: _Column, job_no: str, month: str, dataset_no: str, model_no: str, slice: str
) -> str:
    """The query of each row's id and values, with the numbers of its parameters."""
    is_repeated = _repeats_of(column) > 1
    query: str = SQL.repeatedly_asked if is_repeated else SQL.once_asked
    return query.format(
        job_no=job_no,
        month=month,
        dataset_no=dataset_no,
        model_no=model_no,
        is_member=SQL.is_member.format(slice=slice),
    )


def _rows_of(column: _Column, dataset: str) -> tuple[int, date, int, int, int | None]:
    source = column.source
    dataset_no = source.result.datasets.index(dataset)
    return (source.job_no, source.month, dataset_no, column.model_no, source.slice)


def _differences(baseline: _Column, columns: Sequence[_Column], slice: str) -> tuple[str, ...]:
    """Why numbers of these columns do not mean the same, in words."""
    found: dict[str, None] = {}
    base = baseline.source
    for column in columns:
        other = column.source
        names = f"{base.result.name} and {other.result.name}"
        shared = [dataset for dataset in other.digests if dataset in base.digests]
        if not shared:
            found[f"{names} have no dataset in common"] = None
        for dataset in shared:
            if other.digests[dataset] != base.digests[dataset]:
                found[f"the rows of {dataset} differ between {names}"] = None
        if slice != ALL and _predicates(base, slice) != _predicates(other, slice):
            found[f"the rows of slice {slice} are chosen differently in {names}"] = None
        for metric in other.specs:
            if metric in base.specs and (what := _what_differs(base, other, metric)):
                where = f"inside {base.result.name}" if other is base else f"between {names}"
                found[f"{what} of {metric} differ {where}"] = None
    return tuple(found)


def _predicates(source: _Source, slice: str) -> frozenset[Expression]:
    """What decides whether a row is in the slice, however it was spelt; of no slice all that it must not be."""
    return frozenset(
        parse_filter(one.where, ITEM_FIELDS)
        for one in source.benchmark.slices
        if slice in (NO_SLICE, one.name)
    )


def _what_differs(base: _Source, other: _Source, metric: str) -> str | None:
    """Values with different signatures do not mean the same; None if they do."""
    ours, theirs = base.signatures.get(metric, ()), other.signatures.get(metric, ())
    if not ours or not theirs:
        names = _unlike([base.specs[metric], other.specs[metric]])
        return f"the parameters ({', '.join(names)})" if names else None
    if ours == theirs and len(ours) == 1:
        return None
    kinds = {f"{one.type} {one.version}" for one in (*ours, *theirs)}
    if len(kinds) > 1:
        said = " and ".join(sorted(kinds))
        return f"the kinds ({said})"
    if names := _unlike([one.parameters for one in (*ours, *theirs)]):
        return f"the parameters ({', '.join(names)})"
    releases = sorted(
        {f"{name} {release}" for one in (*ours, *theirs) for name, release in one.libraries.items()}
    )
    return f"the releases ({', '.join(releases)})"


def _unlike(mappings: Sequence[JsonObject]) -> list[str]:
    """The keys under which not all of them have the same."""
    keys = {key for mapping in mappings for key in mapping}
    first = mappings[0]
    return sorted(
        key for key in keys if any(mapping.get(key) != first.get(key) for mapping in mappings)
    )
