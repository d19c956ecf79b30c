"""Of how many of the first rows people said something that can be understood: seen before anything is started."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from evalbus.metrics import GroundTruth, ground_truths_of, layout_of
from evalbus.models import Model, RecordedModel
from evalbus.templates import RowsFailed, sample_fields_used
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.chunks import RowLimits


@dataclass(frozen=True, kw_only=True)
class TruthSeen:
    """A row counts once for each model whose answer is known beforehand, or does not matter for what people said."""

    metric: str
    score: str
    rows: int
    of: int


def truths_seen(
    benchmark: Benchmark,
    models: Sequence[Model],
    first_rows: Sequence[Sequence[bytes]],
    limits: RowLimits,
) -> list[TruthSeen]:
    """In the order of the benchmark; none without a ground truth."""
    items: list[JsonObject] = [orjson.loads(item) for of in first_rows for item in of if item]
    return [
        _seen(plugin.name, truth, models, items)
        for plugin, (_, metric) in zip(benchmark.metrics, layout_of(benchmark).metrics, strict=True)
        for truth in ground_truths_of(plugin, metric, limits)
    ]


def _seen(
    metric: str, truth: GroundTruth, models: Sequence[Model], items: Sequence[JsonObject]
) -> TruthSeen:
    said = [
        _is_said(truth, item, sample)
        for model in models
        if isinstance(model, RecordedModel) or not sample_fields_used(truth.template.text)
        for item, sample in _answered(model, items)
    ]
    return TruthSeen(metric=metric, score=truth.score, rows=sum(said), of=len(said))


def _answered(model: Model, items: Sequence[JsonObject]) -> Iterator[tuple[JsonObject, JsonObject]]:
    for item in items:
        try:
            yield item, model.answer([item])[0] if isinstance(model, RecordedModel) else {}
        except RowsFailed:
            yield item, {}


def _is_said(truth: GroundTruth, item: JsonObject, sample: JsonObject) -> bool:
    try:
        return truth.said([item], [sample]) != [None]
    except RowsFailed:
        return False
