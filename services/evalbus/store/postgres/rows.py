"""The stored rows of a job, page by page, each with its item, its sample and its scores."""

import math
from collections.abc import Sequence
from itertools import count
from typing import Any

import asyncpg
import orjson

from evalbus.errors import NotFound, unknown
from evalbus.store.agreeing import agrees
from evalbus.store.ports import Layout, LayoutOf
from evalbus.store.postgres import jobs
from evalbus.store.postgres.database import Database
from evalbus.store.postgres.records import (
    PAGE_BYTES_MAX,
    fitting,
    not_a_cursor,
)
from evalbus.store.postgres.sql import load
from evalbus.store.slices import names_of, slice_bit
from evalbus_schemas.benchmark import ALL, Benchmark
from evalbus_schemas.names import reference
from evalbus_schemas.queries import ListRows, NamedScore, Row, RowPage

SQL = load("rows.sql")

Names = Sequence[tuple[str, str]]


class PostgresRows:
    def __init__(self, database: Database, layout_of: LayoutOf) -> None:
        self._database = database
        self._layout_of = layout_of

    async def list(self, query: ListRows) -> RowPage:
        async with self._database.transaction() as connection:
            await connection.execute(SQL.plan_for_these_arguments)
            job = await jobs.stored(
                connection,
                query.workspace,
                query.job,
                columns="job_no, workspace, month, spec, status",
            )
            benchmark = Benchmark.model_validate_json(job["spec"])
            layout = self._layout_of(benchmark)
            condition, parameters = _condition(query, benchmark, layout.scores)
            records = await connection.fetch(
                SQL.rows.format(condition=condition),
                job["job_no"],
                job["month"],
                *_position(query.after),
                query.limit + 1,
                PAGE_BYTES_MAX,
                *parameters,
            )
        rows = fitting(
            _row(record, job["workspace"], benchmark, layout) for record in records[: query.limit]
        )
        is_last = not records or len(rows) == records[0]["n_found"]
        return RowPage(
            rows=rows,
            next=None if is_last else _cursor(records[len(rows) - 1]),
            partial=job["status"] != "completed",
        )


def _condition(
    query: ListRows, benchmark: Benchmark, names: Names
) -> tuple[str, tuple[object, ...]]:
    """A clause from a closed set of them, and its parameters, numbered behind those of the query."""
    clauses: list[str] = ["true"]
    parameters: list[object] = []
    numbers = count(9)

    def add(clause: str, value: object) -> None:
        clauses.append(clause.format(f"${next(numbers)}"))
        parameters.append(value)

    if query.dataset is not None:
        datasets = [dataset.name for dataset in benchmark.datasets]
        add("dataset_no = {}::smallint", _index("dataset", query.dataset, datasets))
    if query.model is not None:
        models = [model.name for model in benchmark.models]
        add("model_no = {}::smallint", _index("model", query.model, models))
    if query.slice is not None and query.slice != ALL:
        bit = slice_bit(query.slice, benchmark)
        if bit is None:
            clauses.append(f"{SQL.slices_of_row} = 0")
        else:
            add(f"{SQL.slices_of_row} & {{}}::bigint <> 0", bit)
    if query.failed_only:
        clauses.append("is_failed")
    if query.score is not None:
        at = _score_no(query.score, names)
        # NaN is larger than every number to Postgres, and neither above nor below to a reader.
        if query.below is not None:
            add(f"scores[{at}] < {{}}::float8", query.below)
        if query.above is not None:
            add(f"scores[{at}] > {{}}::float8 AND scores[{at}] <> 'NaN'", query.above)
    return " AND ".join(clauses), tuple(parameters)


def _score_no(text: str, names: Names) -> int:
    """The place of `metric` or `metric.score` among a row's values, from 1; the metric's first score by itself."""
    for at, (metric, score) in enumerate(names, 1):
        if text in (metric, f"{metric}.{score}"):
            return at
    raise unknown("score", text, [f"{metric}.{score}" for metric, score in names])


def _cursor(record: "asyncpg.Record") -> str:
    return "{dataset_no}.{model_no}.{row_index}.{repeat}".format_map(record)


def _position(cursor: str | None) -> tuple[int, int, int, int]:
    if cursor is None:
        return (-1, -1, -1, -1)
    parts = cursor.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts):
        raise not_a_cursor(cursor)
    dataset_no, model_no, row_index, repeat = (int(part) for part in parts)
    if max(dataset_no, model_no, repeat) > 32767 or row_index >= 2**63:
        raise not_a_cursor(cursor)
    return (dataset_no, model_no, row_index, repeat)


def _index(kind: str, name: str, known: Sequence[str]) -> int:
    if name not in known:
        raise NotFound(
            f"the job has no {kind} {name!r} (it has {', '.join(known)})",
            {"wanted": kind, "found": name, "known": list(known)},
        )
    return known.index(name)


def _remarks(written: str | None) -> dict[tuple[str, str], dict[str, Any]]:
    """What metrics say of a row beside its values, by metric and score."""
    said: list[dict[str, Any]] = orjson.loads(written or "[]")
    return {(remark.pop("metric"), remark.pop("score")): remark for remark in said}


def _with_people(value: float, truth: float | None) -> dict[str, Any]:
    """What people said of a row, if they said anything, and whether the value is that, if there is one."""
    if truth is None or math.isnan(truth):
        return {}
    if math.isnan(value):
        return {"truth": truth}
    return {"truth": truth, "agreement": float(agrees(value, truth))}


def _row(record: "asyncpg.Record", workspace: str, benchmark: Benchmark, layout: Layout) -> Row:
    dataset_no: int = record["dataset_no"]
    model_no: int = record["model_no"]
    metrics: dict[str, list[NamedScore]] = {}
    remarks = _remarks(record["remarks"])
    # Nothing of a row that was scored before there was anything to compare with.
    truths = dict(zip(layout.with_truth, record["truths"] or (), strict=False))
    for names, value in zip(layout.scores, record["scores"], strict=True):
        said = remarks.get(names, {}) | _with_people(value, truths.get(names))
        metrics.setdefault(reference(workspace, names[0]), []).append(
            NamedScore(name=names[1], value=None if math.isnan(value) else value, **said)
        )
    wrong: list[dict[str, str | None]] = orjson.loads(record["errors"] or "[]")
    return Row(
        row_index=record["row_index"],
        row_id=record["row_id"],
        repeat=record["repeat"],
        dataset=reference(workspace, benchmark.datasets[dataset_no].name),
        model=reference(workspace, benchmark.models[model_no].name),
        item=orjson.loads(record["item"]) if record["item"] else {},
        sample=orjson.loads(record["sample"]),
        requests=tuple(orjson.loads(record["requests"] or "[]")),
        latency_seconds=record["latency"],
        metrics={metric: tuple(scores) for metric, scores in metrics.items()},
        metric_errors={
            reference(workspace, error["metric"])
            if error["metric"]
            else "sample": f"{error['code']}: {error['message']}"
            for error in wrong
        }
        or None,
        failed=record["is_failed"],
        slices=names_of(record["slices"], benchmark),
    )
