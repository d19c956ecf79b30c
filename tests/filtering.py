"""What a filter means, worked out in memory and without any code of the product: the oracle for filters.

A wish is a filter as a tree, its values as a caller writes them. It can be judged here, and spelt in every way there is
(tests/spelling.py) for the product to judge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from pydantic import JsonValue

Ordered: TypeAlias = str | float | datetime
Known: TypeAlias = Ordered | dict[str, JsonValue]


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
Item: TypeAlias = Mapping[str, JsonValue]


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


def holds(wish: Wish, thing: StoredResult | Item) -> bool:
    match wish:
        case All(parts):
            return all(holds(part, thing) for part in parts)
        case Some(parts):
            return any(holds(part, thing) for part in parts)
        case No(part):
            return not holds(part, thing)
        case Test(field, operator, value):
            return _passes(_values(thing, field), operator, value)


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
    if isinstance(value, datetime):
        assert isinstance(wanted, str)
        if operator == "$like":
            return _fold(wanted) in _fold(_written(value))
        return _ordered(value, operator, _instant(wanted))
    if _type(value) != _type(wanted):
        # Only items have values of which one does not know the type beforehand.
        return False
    if operator == "$like":
        assert isinstance(value, str)
        assert isinstance(wanted, str)
        return _fold(wanted) in _fold(value)
    assert isinstance(value, str | int | float)
    assert isinstance(wanted, str | int | float)
    return _ordered(value, operator, wanted)


def _type(value: object) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "number"
        case _:
            return type(value).__name__


def _ordered(left: Ordered, operator: str, right: Ordered) -> bool:
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


def _written(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _instant(written: str) -> datetime:
    """A date is its first moment; without an offset it is UTC."""
    found = datetime.fromisoformat(written)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _values(thing: StoredResult | Item, field: str) -> list[Known]:
    if isinstance(thing, StoredResult):
        return _values_of(thing, field)
    return _values_in(thing, field)


def _values_of(result: StoredResult, field: str) -> list[Known]:
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


def _values_in(item: Item, field: str) -> list[Known]:
    """`item.` says no more than that the item is meant; a field may have dots in its name."""
    path = field.removeprefix("item.")
    return _below(item[path], []) if path in item else _below(dict(item), path.split("."))


def _below(value: JsonValue, steps: Sequence[str]) -> list[Known]:
    match value:
        case list():
            return [found for element in value for found in _below(element, steps)]
        case dict() if steps:
            return _below(value.get(steps[0]), steps[1:])
        case None:
            return []
        case _:
            return [] if steps else [value]
