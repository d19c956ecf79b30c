"""What can be told of each row that might go with its scores: slices, fields of the item, and the answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evalbus.results.explaining.columns import DatasetColumns
from evalbus.results.explaining.field_columns import FieldColumn
from evalbus.results.explaining.model_columns import OUTPUT, ModelColumns
from evalbus.results.explaining.ranked import Column
from evalbus.results.explaining.ranks import usual_of
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
        *_of_texts(columns.texts.facts(n_rows), name, "the answer"),
        _group(f"{name}:empty", "whose answer is empty", columns.empty),
        _group(f"{name}:refusal", "whose answer reads like a refusal", columns.refusals),
        *_of_numbers("sample:latency_seconds", columns.latencies, latency),
        *(one for column in columns.fields for one in _of_field(column, "sample", n_rows)),
    ]


def _of_field(column: FieldColumn, of: str, n_rows: int) -> Iterator[Feature]:
    name, said = f"{of}.{column.name}", quoted(column.name)
    if column.n_present < n_rows:
        yield _group(f"{name}:missing", f"without {said}", column.is_missing(n_rows))
    if column.is_categorical:
        yield from _of_categories(column.categories(n_rows), name, said)
    else:
        yield from _of_texts(column.texts.facts(n_rows), name, said)
    yield from _of_numbers(name, column.numbers(n_rows), _ends("highest {}", "lowest", "{}", said))
    yield from _of_numbers(f"{name}:entries", column.sizes(n_rows), _counts("entries", said))


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


def _of_texts(facts: "Mapping[str, Numbers]", name: str, said: str) -> Iterator[Feature]:
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
    if not len(told) or (usual := usual_of(told)).n_levels == 1:
        return
    if usual.n_rows * 2 <= len(told) and usual.n_levels > 2:
        yield Feature(name=name, wording=scale, column=Column(values))
        return
    others = np.where(np.isfinite(values), (values != usual.value).astype(np.float64), np.nan)
    yield _group(
        f"{name}!={figure(usual.value)}",
        f"where {scale.itself} is not {figure(usual.value)}",
        others,
    )


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
