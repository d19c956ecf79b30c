"""`evalbus run --dry-run`: what would be scored, the first row as each model answers it, and how many of the first rows
are in each slice or have a ground truth; nothing is started."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import orjson

from evalbus.cli.first_truths import TruthSeen, truths_seen
from evalbus.cli.output import Style, note, write_document, write_table, write_text
from evalbus.datasets import Sources, check_first_rows
from evalbus.errors import Invalid, SourceBroken
from evalbus.metrics import layout_of
from evalbus.models import LiveModel, Model, RecordedModel, build_model
from evalbus.producer.checking import PartChecks
from evalbus.producer.opening import DatasetOpening
from evalbus.producer.slice_fields import check_slice_fields
from evalbus.producer.slicing import Slicing
from evalbus.settings import load_settings
from evalbus.templates import RowsFailed
from evalbus.writing.tables import Table
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import NO_SLICE, Benchmark, Dataset
from evalbus_schemas.chunks import RowLimits

FIRST_ROWS = 100
COUNTED_BYTES_MAX = 64 * 1024 * 1024
"""Larger datasets are not read to the end only to be counted."""
STRETCH_ROWS = 10_000
STRETCH_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class DatasetSeen:
    """A dataset as far as it was looked at; `rows` is None when it is too large to count."""

    name: str
    rows: int | None
    first_rows: list[bytes]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What one model would do on one dataset."""

    dataset: str
    model: str
    rows: int | None
    metrics: tuple[str, ...]
    calls_per_row: int
    """To the model and to whom metrics ask, without retries."""
    sample: JsonObject | None
    problem: str | None


@dataclass(frozen=True, kw_only=True)
class SliceSeen:
    """How many of the rows that were looked at are in a slice."""

    slice: str
    rows: int
    of: int


def dry_run(benchmark: Benchmark, style: Style) -> None:
    """Print the matrix; raises Invalid for what would be refused. Asks no model, and no server but that of a source."""
    limits = RowLimits()
    settings = load_settings()
    checks = PartChecks(
        limits=limits,
        allow_private=settings.allow_private_endpoints,
        has_broker=not settings.is_embedded,
    )
    uses = checks.benchmark(benchmark)
    models = [(model.name, build_model(model, limits)) for model in benchmark.models]
    opening = DatasetOpening(sources=Sources.of(settings, roots=None), limits=limits)
    seen = [_look_at(dataset, benchmark, opening) for dataset in benchmark.datasets]
    first_rows = [dataset.first_rows for dataset in seen]
    check_first_rows(benchmark, first_rows, uses)
    check_slice_fields(benchmark.slices, first_rows)
    metrics = tuple(metric.name for metric in benchmark.metrics)
    questions = len(layout_of(benchmark).respondents)
    repeats = benchmark.params.repeats
    pairs = [
        _pair(dataset, name, model, metrics, _calls(model, questions, repeats))
        for dataset in seen
        for name, model in models
    ]
    slices = _slices(benchmark, first_rows)
    truths = truths_seen(benchmark, [model for _, model in models], first_rows, limits)
    if style is Style.JSON:
        write_document(
            {
                "benchmark": benchmark.name,
                "matrix": [asdict(pair) for pair in pairs],
                "slices": [asdict(one) for one in slices],
                "ground_truths": [asdict(one) for one in truths],
            }
        )
    else:
        _write_tables(pairs, slices, truths, style)
    note(_summary(pairs))


def _look_at(dataset: Dataset, benchmark: Benchmark, opening: DatasetOpening) -> DatasetSeen:
    wanted = benchmark.params.limit_samples
    reader = opening.open(dataset)
    try:
        first: list[bytes] = []
        counted = counted_bytes = 0
        while wanted is None or counted < wanted:
            most = STRETCH_ROWS if wanted is None else min(STRETCH_ROWS, wanted - counted)
            stretch = reader.read(most, STRETCH_BYTES)
            first += [row.item for row in stretch[: FIRST_ROWS - len(first)]]
            counted += len(stretch)
            counted_bytes += sum(len(row.item) for row in stretch)
            if not stretch:
                break
            if counted_bytes > COUNTED_BYTES_MAX:
                return DatasetSeen(name=dataset.name, rows=None, first_rows=first)
        return DatasetSeen(name=dataset.name, rows=counted, first_rows=first)
    except SourceBroken as error:
        raise Invalid(error.message) from None
    finally:
        reader.close()


def _calls(model: Model, questions: int, repeats: int) -> int:
    """How often somebody is asked about a row, if every answer comes at the first call."""
    return repeats * (1 + questions) if isinstance(model, LiveModel) else questions


def _pair(
    dataset: DatasetSeen, name: str, model: Model, metrics: tuple[str, ...], calls_per_row: int
) -> Pair:
    sample, problem = _first_answer(dataset, model)
    return Pair(
        dataset=dataset.name,
        model=name,
        rows=dataset.rows,
        metrics=metrics,
        calls_per_row=calls_per_row,
        sample=sample,
        problem=problem,
    )


def _first_answer(dataset: DatasetSeen, model: Model) -> tuple[JsonObject | None, str | None]:
    if not isinstance(model, RecordedModel):
        return None, "is asked over the network"
    if not dataset.first_rows[0]:
        return None, "the first row is over the size limit"
    item: JsonObject = orjson.loads(dataset.first_rows[0])
    try:
        return model.answer([item])[0], None
    except RowsFailed as failure:
        return None, failure.errors[0].message


def _slices(benchmark: Benchmark, first_rows: Sequence[Sequence[bytes]]) -> list[SliceSeen]:
    """In the benchmark's order, and the rows that are in none last; none at all without slices."""
    found = Slicing(benchmark.slices).memberships(item for items in first_rows for item in items)
    counts = [
        (declared.name, sum(membership >> place & 1 for membership in found))
        for place, declared in enumerate(benchmark.slices)
    ]
    if counts:
        counts.append((NO_SLICE, sum(membership == 0 for membership in found)))
    return [SliceSeen(slice=name, rows=rows, of=len(found)) for name, rows in counts]


def _write_tables(
    pairs: Sequence[Pair],
    slices: Sequence[SliceSeen],
    truths: Sequence[TruthSeen],
    style: Style,
) -> None:
    matrix = Table(
        columns=("dataset", "model", "rows", "metrics"),
        rows=[(pair.dataset, pair.model, pair.rows, ", ".join(pair.metrics)) for pair in pairs],
    )
    answers = Table(
        columns=("dataset", "model", "first row"),
        rows=[(pair.dataset, pair.model, _answer(pair)) for pair in pairs],
    )
    write_table(matrix, style)
    in_slices = Table(
        columns=("slice", "of the first rows"),
        rows=[(one.slice, f"{one.rows} of {one.of}") for one in slices],
    )
    with_truth = Table(
        columns=("ground truth of", "of the first rows"),
        rows=[(f"{one.metric} {one.score}", f"{one.rows} of {one.of}") for one in truths],
    )
    if style is not Style.CSV:
        for table in (answers, in_slices, with_truth):
            if table.rows:
                write_text("")
                write_table(table, style)


def _answer(pair: Pair) -> str:
    if pair.sample is None:
        return f"({pair.problem})"
    return str(pair.sample.get("output_text"))


def _summary(pairs: Sequence[Pair]) -> str:
    rows = [pair.rows for pair in pairs]
    counted = sum(count for count in rows if count is not None)
    at_least = "at least " if None in rows else ""
    metrics = len(pairs[0].metrics)
    calls = sum(pair.calls_per_row * (pair.rows or 0) for pair in pairs)
    asked = f", {at_least}{calls} calls" if any(pair.calls_per_row for pair in pairs) else ""
    return f"dry run: {at_least}{counted} rows to answer{asked} and {at_least}{counted * metrics} metric values; nothing was started"
