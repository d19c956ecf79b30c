"""Chunks for scoring, and what came of them, by the row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from evalbus.evaluator.scoring import join_lines, split_lines
from evalbus.metrics import Batch, build_metric, signatures
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import MetricPlugin
from evalbus_schemas.chunks import ChunkRequested, ChunkScored, Plan, RowLimits, ScoreError
from evalbus_schemas.scores import Signature

JOB_ID = UUID("6f6c3c0e-54a4-4f5e-8a0c-2f3f8f5f1c11")

REFERENCE = "{{ item.reference }}"
OUTPUT = "{{ item.output }}"


def a_plugin(type: str, *, name: str | None = None, **parameters: Any) -> MetricPlugin:
    return MetricPlugin.model_validate({"name": name or type, "type": type, **parameters})


def signature_of(plugin: MetricPlugin) -> Signature:
    """Of the metric as it is built from the plug-in."""
    return signatures.signature_of(plugin, build_metric(plugin, RowLimits()))


def exact_match(**parameters: Any) -> MetricPlugin:
    return a_plugin("exact-match", **{"reference": REFERENCE} | parameters)


def a_request(
    n_rows: int,
    *,
    metrics: Sequence[MetricPlugin] = (),
    output: str = OUTPUT,
    limits: RowLimits | None = None,
    chunk: int = 0,
) -> ChunkRequested:
    return ChunkRequested(
        job_id=JOB_ID,
        job="capitals-1",
        workspace="default",
        chunk=chunk,
        dataset="capitals",
        first_row=0,
        n_rows=n_rows,
        plan=Plan(
            model=a_plugin("recorded", name="baseline", output=output),
            metrics=tuple(metrics) or (exact_match(),),
        ),
        limits=limits or RowLimits(),
    )


def a_chunk_of(
    items: Sequence[JsonObject | bytes],
    *,
    metrics: Sequence[MetricPlugin] = (),
    output: str = OUTPUT,
    limits: RowLimits | None = None,
) -> tuple[ChunkRequested, bytes]:
    """The first line of a chunk and its whole body; an item given as bytes goes in as it is."""
    request = a_request(len(items), metrics=metrics, output=output, limits=limits)
    lines = [item if isinstance(item, bytes) else orjson.dumps(item) for item in items]
    return request, join_lines(request, lines)


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A ChunkScored, read."""

    header: ChunkScored
    samples: Sequence[JsonObject]

    @property
    def columns(self) -> tuple[tuple[float | None, ...], ...]:
        return self.header.scores

    @property
    def failed(self) -> dict[int, ScoreError]:
        return {error.row: error for error in self.header.errors if error.failed}

    @property
    def notes(self) -> dict[int, str]:
        return {error.row: error.code for error in self.header.errors if not error.failed}


def parsed(body: bytes) -> Scored:
    head, _, lines = body.partition(b"\n")
    header = ChunkScored.model_validate_json(head)
    samples = [orjson.loads(line) for line in split_lines(lines, header.n_rows)]
    return Scored(header=header, samples=samples)


def one_score(type: str, item: Mapping[str, object], **parameters: Any) -> tuple[float, str]:
    """What a metric gives a single row whose sample is its `output`: the value, and why there is none."""
    metric = build_metric(a_plugin(type, **parameters), RowLimits())
    fields: JsonObject = orjson.loads(orjson.dumps(item))
    sample: JsonObject = {"output_text": fields.get("output")}
    columns = metric.score(Batch([fields], [sample]))
    note = columns.notes.get(0)
    return columns.values[0][0], note.code if note else ""
