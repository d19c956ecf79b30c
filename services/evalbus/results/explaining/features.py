"""What can be told of each row that might go with its scores: slices, fields of the item, and the answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evalbus.results.explaining.columns import DatasetColumns
from evalbus.results.explaining.field_columns import FieldColumn, TextColumns
from evalbus.results.explaining.model_columns import OUTPUT, ModelColumns
from evalbus.results.explaining.ranks import Column
from evalbus.results.explaining.words import figure, quoted
from evalbus_schemas.benchmark import NO_SLICE

if TYPE_CHECKING:
    from evalbus.results.exact import Numbers


@dataclass(frozen=True, kw_only=True)
class Group:
    """How people call some rows: `rows {words}`."""

    words: str
    kind: Literal["group"] = "group"


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How people call the two ends of a scale, `rows with the {most}` and `those with the {least}`, and a place on it,
    `rows where {itself} is 4`."""

    most: str
    least: str
    itself: str
    kind: Literal["number"] = "number"


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A column over all rows; of a group 1 inside and 0 outside, NaN where it says nothing of a row."""

    name: str
    wording: Group | Scale
    column: Column


def features_of_rows(columns: DatasetColumns, slices: Sequence[str]) -> list[Feature]:
    """What is the same whatever the model; slices first, for they are what somebody named."""
    found = features_of_slices(columns, slices)
    for column in columns.fields:
        found += _of_field(column, "item", columns.n_rows)
    return found


def features_of_slices(columns: DatasetColumns, slices: Sequence[str]) -> list[Feature]:
    found = [
        _group(f"slice:{name}", f"in slice {quoted(name)}", columns.in_slice(place))
        for place, name in enumerate(slices)
    ]
    if slices:
        found.append(_group(f"slice:{NO_SLICE}", "that are in no slice", columns.in_no_slice))
    return found


def features_of_answers(columns: ModelColumns) -> list[Feature]:
    """What one model gave for the rows."""
    name = f"sample.{OUTPUT}"
    latency = Scale(most="longest latency", least="shortest", itself="the latency in seconds")
    n_rows = len(columns.excerpts)
    return [
        *_of_texts(columns.texts, name, "the answer"),
        _group(f"{name}:empty", "whose answer is empty", columns.empty),
        _group(f"{name}:refusal", "whose answer reads like a refusal", columns.refusals),
        *_of_numbers("sample:latency_seconds", columns.latencies, latency),
        *(one for column in columns.fields for one in _of_field(column, "sample", n_rows)),
    ]


def _of_field(column: FieldColumn, of: str, n_rows: int) -> Iterator[Feature]:
    name, said = f"{of}.{column.name}", quoted(column.name)
    if column.n_present < n_rows:
        yield _group(f"{name}:missing", f"without {said}", 1 - column.presence)
    if column.categories:
        yield from _of_categories(column.categories, name, said)
    else:
        yield from _of_texts(column.texts, name, said)
    yield from _of_numbers(name, column.numbers, _ends("highest {}", "lowest", "{}", said))
    yield from _of_numbers(f"{name}:entries", column.sizes, _counts("entries", said))


def _of_categories(
    categories: "list[tuple[str | bool, Numbers]]", name: str, said: str
) -> Iterator[Feature]:
    import numpy as np

    is_told = np.sum([having for _, having in categories], axis=0) > 0
    if len(categories) == 2:
        # One says all: the true one of truth values, else the rarer.
        categories = sorted(categories, key=lambda one: (one[0] is not True, one[1].sum()))[:1]
    for value, having in categories:
        shown = str(value).lower() if isinstance(value, bool) else value
        words = f"whose {said} is {shown if isinstance(value, bool) else quoted(shown)}"
        label = " ".join(shown.split())
        yield _group(f"{name}={label}", words, np.where(is_told, having, np.nan))


def _of_texts(texts: TextColumns, name: str, said: str) -> Iterator[Feature]:
    facts = texts.facts
    for fact in ("characters", "words", "lines", "numbers"):
        yield from _of_numbers(f"{name}:{fact}", facts[fact], _counts(fact, said))
    largest = _ends("largest numbers in {}", "smallest", "the largest number in {}", said)
    yield from _of_numbers(f"{name}:largest_number", facts["largest_number"], largest)
    part = "share of characters beyond ASCII in {}"
    beyond = _ends(f"highest {part}", "lowest", f"the {part}", said)
    yield from _of_numbers(f"{name}:beyond_ascii", facts["beyond_ascii"], beyond)
    yield _group(f"{name}:question", f"where {said} ends in a question mark", facts["is_question"])


def _of_numbers(name: str, values: "Numbers", scale: Scale) -> Iterator[Feature]:
    """Where more than half of the rows have the same number it is that one or another: ranks would say little more."""
    import numpy as np

    told = values[np.isfinite(values)]
    levels, counts = np.unique(told, return_counts=True)
    if len(levels) < 2:
        return
    most = int(counts.argmax())
    if counts[most] * 2 <= len(told) and len(levels) > 2:
        yield Feature(name=name, wording=scale, column=Column(values))
        return
    usual = float(levels[most])
    others = np.where(np.isfinite(values), (values != usual).astype(np.float64), np.nan)
    yield _group(f"{name}!={figure(usual)}", f"where {scale.itself} is not {figure(usual)}", others)


def _group(name: str, words: str, values: "Numbers") -> Feature:
    return Feature(name=name, wording=Group(words=words), column=Column(values, is_group=True))


def _counts(things: str, said: str) -> Scale:
    return _ends(
        f"most {things} in {{}}",
        "fewest",
        f"the number of {things} in {{}}",
        said,
    )


def _ends(most: str, least: str, itself: str, said: str) -> Scale:
    return Scale(most=most.format(said), least=least, itself=itself.format(said))
