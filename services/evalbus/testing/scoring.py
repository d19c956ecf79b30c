"""What a metric says of rows that stand in a test or in an example."""

from collections.abc import Mapping, Sequence

from evalbus.errors import Invalid
from evalbus.metrics import Batch, Columns, Metric, build_metric
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import MetricPlugin
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.scores import Counts


def score_row(
    plugin: Mapping[str, object],
    *,
    item: JsonObject,
    output_text: str = "",
    sample: JsonObject | None = None,
    answers: Sequence[JsonObject | None] = (),
) -> dict[str, float]:
    """The scores of one row by name, NaN where it has none.

    `plugin` is the metric as a benchmark file has it; it may go without a name. `sample` is for metrics that look at
    more than its `output_text`, `answers` has what a live metric's respondents said. Raises Invalid for a metric that
    cannot be built and RowsFailed for a row that cannot be rendered.
    """
    metric = _built(plugin)
    given: JsonObject = sample if sample is not None else {"output_text": output_text}
    columns = metric.score(Batch([item], [given], [answers] if answers else ()))
    return {
        score.name: float(column[0])
        for score, column in zip(metric.scores, columns.values, strict=True)
    }


def corpus_of(
    plugin: Mapping[str, object], *, rows: Sequence[tuple[JsonObject, str]]
) -> dict[str, float]:
    """The scores for all rows together by name, from (item, output_text) pairs.

    Raises Invalid for a metric that has none, and ValueError if no row takes part.
    """
    metric = _built(plugin)
    if not metric.corpus:
        raise Invalid(f"{plugin['type']} has no score for all rows together")
    batch = Batch([item for item, _ in rows], [{"output_text": text} for _, text in rows])
    total = _total(metric.score(batch))
    if total is None:
        raise ValueError("no row takes part in a score for all rows together")
    values = metric.whole(total).values
    return {score.name: float(value) for score, value in zip(metric.corpus, values, strict=True)}


def _built(plugin: Mapping[str, object]) -> Metric:
    named = MetricPlugin.model_validate({"name": plugin.get("type"), **plugin})
    return build_metric(named, RowLimits())


def _total(columns: Columns) -> Counts | None:
    """The sum of the counts of the rows that have any; None if no row has."""
    taking_part = [counts for counts in columns.counts or () if counts is not None]
    return sum_of(taking_part) if taking_part else None


def sum_of(counts: Sequence[Counts]) -> Counts:
    """Place by place or name by name; raises ValueError where the two are mixed or have different lengths."""
    first, *others = counts
    if isinstance(first, Mapping):
        total = dict(first)
        for other in others:
            if not isinstance(other, Mapping):
                raise ValueError("some rows are counted by place and some by name")
            for name, number in other.items():
                total[name] = total.get(name, 0) + number
        return total
    places = list(first)
    for other in others:
        if isinstance(other, Mapping):
            raise ValueError("some rows are counted by place and some by name")
        places = [left + right for left, right in zip(places, other, strict=True)]
    return tuple(places)
