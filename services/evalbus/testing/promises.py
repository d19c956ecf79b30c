"""What every metric promises, tried out on one: a sentence for the first promise that it breaks."""

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Final, cast, get_args

import orjson
from pydantic import JsonValue
from pydantic.errors import PydanticInvalidForJsonSchema

from evalbus.metrics import METRICS, Batch, Columns, LiveMetric, Metric, ScoreDeclaration, Whole
from evalbus.templates import RowsFailed
from evalbus.testing.scoring import sum_of
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import ScoreDirection
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.scores import Counts

ODD_VALUES: Final[tuple[JsonValue, ...]] = (
    None,
    True,
    0,
    -1.5,
    10**30,
    "",
    " \t\n",
    "\ud800",
    "\x00\x1f",
    "שלום e\u0301 \U0001f469\u200d\U0001f52c",
    "word " * 4000,
    [],
    [None, [1, {"a": []}]],
    {"a": {"b": [None, "c"]}},
)
"""What may stand in any field of a row that somebody else wrote."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row for a metric; `answers` has what the respondents of a live one said."""

    item: JsonObject
    sample: JsonObject
    answers: Sequence[JsonObject | None] = ()


def check_metric(
    kind: type[Metric] | str,
    parameters: Mapping[str, object],
    rows: Sequence[Row],
) -> None:
    """Raises AssertionError, saying which promise of the port a metric breaks; for a test in the author's own package.

    `kind` is the class, or the name of an installed type. Of the rows at least two should differ in their scores,
    and one should be a row that cannot be scored; odd values are tried in every field of the first. Raises
    ValueError without rows, and what building the metric raises if the parameters are not right.
    """
    if not rows:
        raise ValueError("a metric is checked with rows; there are none")
    found = METRICS.find(kind) if isinstance(kind, str) else kind
    _check_description(found)
    _check_parameters(found)
    metric = found(found.Parameters.model_validate_json(orjson.dumps(parameters)), RowLimits())
    _check_declarations(metric)
    _check_templates(metric, parameters)
    # First of what scores, while the rows are as they were given.
    _check_nothing_is_changed(metric, rows)
    _check_columns(metric, rows, _score(metric, rows, "the rows"), "the rows")
    _check_no_rows(metric)
    _check_company(metric, rows)
    _check_whole(metric, rows)
    _check_odd_values(metric, rows[0])


def _check_description(kind: type[Metric]) -> None:
    _demand(bool((kind.__doc__ or "").strip()), f"{kind.__name__} has no docstring")
    for name in ("formula", "source"):
        text = getattr(kind, name, "")
        _demand(
            isinstance(text, str) and bool(text.strip()),
            f"{kind.__name__} does not say its {name}",
        )


def _check_parameters(kind: type[Metric]) -> None:
    try:
        schema = kind.Parameters.model_json_schema()
    except PydanticInvalidForJsonSchema as error:
        raise AssertionError(f"its parameters have no JSON schema: {error}") from None
    _demand(
        schema.get("additionalProperties") is False,
        "its parameters take unknown names: derive them from Closed",
    )


def _check_declarations(metric: Metric) -> None:
    declared = (*metric.scores, *metric.corpus)
    names = [score.name for score in declared]
    _demand(bool(metric.scores), "it declares no score for a row")
    _demand(len(set(names)) == len(names), f"a score has the name of another: {', '.join(names)}")
    for score in declared:
        _demand(
            score.direction in get_args(ScoreDirection),
            f"the direction of {score.name} is {score.direction!r}",
        )


def _check_templates(metric: Metric, parameters: Mapping[str, object]) -> None:
    templates = metric.templates()
    known = type(metric).Parameters.model_fields
    for name in templates:
        _demand(name.split(".")[0] in known, f"templates() names {name!r}, which is no parameter")
    reported = {template.text for template in templates.values()}
    for text in _texts_in(parameters):
        if "{{" in text or "{%" in text:
            _demand(text in reported, f"templates() leaves out {text!r}")


def _texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in cast("Mapping[object, object]", value).values():
            yield from _texts_in(inner)
    elif isinstance(value, Sequence):
        for inner in cast("Sequence[object]", value):
            yield from _texts_in(inner)


def _check_columns(metric: Metric, rows: Sequence[Row], columns: Columns, where: str) -> None:
    shape = [len(column) for column in columns.values]
    _demand(
        shape == [len(rows)] * len(metric.scores),
        f"wanted {len(metric.scores)} columns of {len(rows)} values for {where}, found {shape}",
    )
    for score, column in zip(metric.scores, columns.values, strict=True):
        for row, value in enumerate(column):
            _check_value(score, float(value), f"row {row} of {where}")
            _demand(
                not math.isnan(value) or row in columns.notes,
                f"{score.name} is NaN for row {row} of {where}, and no note says why",
            )
    for row, note in columns.notes.items():
        _demand(0 <= row < len(rows), f"a note is about row {row}, which {where} do not have")
        _demand(bool(note.code and note.message), f"the note of row {row} of {where} is empty")
    for row, place in columns.remarks:
        _demand(
            0 <= row < len(rows) and 0 <= place < len(metric.scores),
            f"a remark is about score {place} of row {row}, which {where} do not have",
        )
    _check_counts(metric, rows, columns.counts, where)


def _check_value(score: ScoreDeclaration, value: float, where: str) -> None:
    _demand(not math.isinf(value), f"{score.name} is {value} for {where}: finite, or NaN")
    _demand(
        (score.minimum is None or not value < score.minimum)
        and (score.maximum is None or not value > score.maximum),
        f"{score.name} is {value} for {where}, outside of {score.minimum} to {score.maximum}",
    )


def _check_counts(
    metric: Metric, rows: Sequence[Row], counts: Sequence[Counts | None] | None, where: str
) -> None:
    if not metric.corpus:
        _demand(counts is None, "it gives counts, but declares no score for all rows together")
        return
    _demand(
        counts is not None and len(counts) == len(rows),
        f"it declares a score for all rows together, but does not count every row of {where}",
    )
    for row, of_row in enumerate(counts or ()):
        numbers = of_row.values() if isinstance(of_row, Mapping) else of_row or ()
        _demand(
            all(type(number) is int for number in numbers),
            f"the counts of row {row} of {where} are no plain integers",
        )


def _check_no_rows(metric: Metric) -> None:
    columns = _score(metric, [], "no rows")
    _check_columns(metric, [], columns, "no rows")


def _check_nothing_is_changed(metric: Metric, rows: Sequence[Row]) -> None:
    given = deepcopy(list(rows))
    _score(metric, given, "the rows")
    _demand(given == list(rows), "it changes the items, samples or answers that it scores")


def _check_company(metric: Metric, rows: Sequence[Row]) -> None:
    """The same row, alone, in company, in another order and again: one outcome, to the last bit."""
    together = _outcomes(metric, rows, "the rows")
    _demand(
        _outcomes(metric, rows, "the rows again") == together,
        "the same rows, scored again, have another outcome",
    )
    _demand(
        _outcomes(metric, rows[::-1], "the rows in reverse")[::-1] == together,
        "a row has another outcome when the order of the rows is another",
    )
    for number, row in enumerate(rows):
        _demand(
            _outcomes(metric, [row], f"row {number} alone") == together[number : number + 1],
            f"row {number} has another outcome alone than in company",
        )


def _outcomes(metric: Metric, rows: Sequence[Row], where: str) -> list[object]:
    """All that is said of each row, in a form where NaN equals NaN."""
    columns = _score(metric, rows, where)
    _check_columns(metric, rows, columns, where)
    places = range(len(metric.scores))
    return [
        (
            [repr(float(column[row])) for column in columns.values],
            columns.notes.get(row),
            [columns.remarks.get((row, place)) for place in places],
            None if columns.counts is None else columns.counts[row],
        )
        for row in range(len(rows))
    ]


def _check_whole(metric: Metric, rows: Sequence[Row]) -> None:
    counts = [
        of_row for of_row in _score(metric, rows, "the rows").counts or () if of_row is not None
    ]
    for of_row in counts:
        _check_one_whole(metric, of_row)
    if not counts:
        return
    try:
        total = sum_of(counts)
        backwards = sum_of(counts[::-1])
    except ValueError as error:
        raise AssertionError(f"the counts of its rows cannot be added: {error}") from None
    _check_one_whole(metric, total)
    _demand(
        _shown(metric.whole(backwards)) == _shown(metric.whole(total)),
        "the whole depends on the order in which counts were added",
    )


def _check_one_whole(metric: Metric, total: Counts) -> None:
    before = deepcopy(total)
    try:
        whole = metric.whole(total)
    except Exception as error:
        raise AssertionError(f"whole() raises {type(error).__name__}: {error}") from error
    _demand(total == before, "whole() changes the counts that it is given")
    _demand(
        _shown(metric.whole(total)) == _shown(whole), "whole() gives two answers to one question"
    )
    _demand(
        len(whole.values) == len(metric.corpus),
        f"wanted {len(metric.corpus)} values of whole(), found {len(whole.values)}",
    )
    for score, value in zip(metric.corpus, whole.values, strict=True):
        _check_value(score, float(value), "all rows together")


def _shown(whole: Whole) -> object:
    try:
        return [repr(float(value)) for value in whole.values], orjson.dumps(whole.detail)
    except TypeError as error:
        raise AssertionError(f"the detail of whole() is not JSON: {error}") from None


def _check_odd_values(metric: Metric, row: Row) -> None:
    for odd in ODD_VALUES:
        for name in row.item:
            _check_odd(
                metric,
                Row(item=row.item | {name: odd}, sample=row.sample, answers=row.answers),
                name,
                odd,
            )
        for name in row.sample:
            _check_odd(
                metric,
                Row(item=row.item, sample=row.sample | {name: odd}, answers=row.answers),
                name,
                odd,
            )


def _check_odd(metric: Metric, row: Row, name: str, odd: JsonValue) -> None:
    shown = repr(odd)
    where = f"a row whose {name} is {shown if len(shown) <= 60 else shown[:60] + '…'}"
    try:
        columns = _score(metric, [row], where)
    except RowsFailed:
        # A template that looks into the value cannot be rendered, which is for the template to say.
        return
    _check_columns(metric, [row], columns, where)


def _score(metric: Metric, rows: Sequence[Row], where: str) -> Columns:
    answers = [row.answers for row in rows] if isinstance(metric, LiveMetric) else ()
    batch = Batch([row.item for row in rows], [row.sample for row in rows], answers)
    try:
        return metric.score(batch)
    except RowsFailed:
        raise
    except Exception as error:
        raise AssertionError(
            f"score() raises {type(error).__name__} for {where}: {error}"
        ) from error


def _demand(holds: bool, broken: str) -> None:
    if not holds:
        raise AssertionError(broken)
