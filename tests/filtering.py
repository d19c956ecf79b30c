"""What a filter means, worked out in memory and without any code of the product: the oracle for filters.

A wish is a filter as a tree, its values as a caller writes them. It can be judged here, and spelt in every way there is
(tests/spelling.py) for the product to judge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from pydantic import JsonValue

Known: TypeAlias = str | float | datetime


@dataclass(frozen=True)
class Test:
    """`Test("name", "$like", "llama")`."""

    # Its name is no promise to the collector of tests.
    __test__ = False

    field: str
    operator: str
    value: JsonValue


@dataclass(frozen=True)
class All:
    parts: "tuple[Wish, ...]"


@dataclass(frozen=True)
class Some:
    parts: "tuple[Wish, ...]"


@dataclass(frozen=True)
class No:
    part: "Wish"


Wish: TypeAlias = Test | All | Some | No


@dataclass(frozen=True, kw_only=True)
class ScoreLine:
    """One (dataset, model, metric, score) of a result; the metric by its reference."""

    metric: str
    score: str
    statistics: Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class StoredResult:
    """A result as far as it can be filtered by."""

    id: str
    name: str
    workspace: str = "default"
    benchmark: str = "default/capitals"
    datasets: Sequence[str] = ("default/capitals",)
    models: Sequence[str] = ("default/baseline",)
    metrics: Sequence[str] = ()
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    finished_at: datetime
    created_by: str | None = None
    rows: int = 10
    failed_rows: int = 0
    labels: Mapping[str, str]
    scores: Sequence[ScoreLine] = ()


def holds(wish: Wish, result: StoredResult) -> bool:
    match wish:
        case All(parts):
            return all(holds(part, result) for part in parts)
        case Some(parts):
            return any(holds(part, result) for part in parts)
        case No(part):
            return not holds(part, result)
        case Test(field, operator, value):
            return _passes(_values(result, field), operator, value)


def _passes(values: Sequence[Known], operator: str, wanted: JsonValue) -> bool:
    if operator == "$nin":
        return not _passes(values, "$in", wanted)
    if operator == "$in":
        assert isinstance(wanted, list)
        return any(_passes(values, "$eq", one) for one in wanted)
    if wanted is None:
        return not values
    return any(_compares(value, operator, wanted) for value in values)


def _compares(value: Known, operator: str, wanted: JsonValue) -> bool:
    if operator == "$like":
        assert isinstance(wanted, str)
        return _fold(wanted) in _fold(_written(value))
    if isinstance(value, str):
        assert isinstance(wanted, str)
        return _ordered(value, operator, wanted)
    if isinstance(value, datetime):
        assert isinstance(wanted, str)
        return _ordered(value, operator, _instant(wanted))
    assert isinstance(wanted, int | float)
    return _ordered(value, operator, wanted)


def _ordered(left: Known, operator: str, right: Known) -> bool:
    # Texts by their code points and moments by their instants, as Python has it.
    before, same = left < right, left == right  # type: ignore[operator]  # both are of one type
    return {
        "$eq": same,
        "$lt": before,
        "$lte": before or same,
        "$gt": not before and not same,
        "$gte": not before,
    }[operator]


def _fold(text: str) -> str:
    """One small letter for each letter, as a database does it."""
    return "".join(
        small if len(small := character.lower()) == 1 else character for character in text
    )


def _written(value: Known) -> str:
    assert not isinstance(value, float), "numbers are not looked for so"
    if isinstance(value, str):
        return value
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _instant(written: str) -> datetime:
    """A date is its first moment; without an offset it is UTC."""
    found = datetime.fromisoformat(written)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _values(result: StoredResult, field: str) -> list[Known]:
    head, _, rest = field.partition(".")
    match head:
        case "labels":
            return [result.labels[rest]] if rest in result.labels else []
        case "scores":
            return _statistics(result, rest)
        case "dataset" | "datasets":
            return list(result.datasets)
        case "model" | "models":
            return list(result.models)
        case "metric" | "metrics":
            return list(result.metrics)
        case _:
            value: Known | None = getattr(result, head)
            return [] if value is None else [value]


def _statistics(result: StoredResult, path: str) -> list[Known]:
    """`metric.statistic`, with any score of that metric, or `metric.score.statistic`."""
    named, _, statistic = path.rpartition(".")
    whole = named if "/" in named else f"{result.workspace}/{named}"
    found: list[Known] = []
    for line in result.scores:
        if whole in (line.metric, f"{line.metric}.{line.score}"):
            value = line.statistics[statistic]
            if value is not None:
                found.append(value)
    return found
