"""Do the first rows of a dataset have the fields that the templates ask for? Known before a job is accepted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import cast

import orjson

from evalbus.errors import Invalid
from evalbus.registry import PlugIn
from evalbus.templates import Path, fields_used
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import Benchmark, Dataset

FIELDS_SHOWN_MAX = 40


@dataclass(frozen=True, kw_only=True)
class TemplateUse:
    """A template with the place where it stands, for a sentence: `metric 'f1', reference`."""

    where: str
    text: str
    sample_fields: frozenset[str] = frozenset()
    """Names that mean the sample's fields when they stand alone."""


def template_uses(
    plugin: PlugIn, *, where: str, sample_fields: frozenset[str] = frozenset()
) -> list[TemplateUse]:
    """The templates of a model or metric, each with its place; `where` says whose they are."""
    return [
        TemplateUse(where=f"{where}, {name}", text=template.text, sample_fields=sample_fields)
        for name, template in plugin.templates().items()
    ]


def check_first_rows(
    benchmark: Benchmark, first_items: Sequence[Sequence[bytes]], uses: Iterable[TemplateUse]
) -> None:
    """Given the first items of each dataset, raise Invalid for an empty one or a field that none of them has.

    A field that only some of them have is no reason to refuse: the rows without it will fail, and say so.
    """
    needed = list(uses)
    for dataset, items in zip(benchmark.datasets, first_items, strict=True):
        if not items:
            raise Invalid(f"dataset {dataset.name!r} has no rows", {"found": dataset.name})
        rows: list[JsonObject] = [orjson.loads(item) for item in items if item]
        own = (
            []
            if dataset.id is None
            else [TemplateUse(where=f"dataset {dataset.name!r}, id", text=dataset.id)]
        )
        # Rows over the size limit say nothing about the fields.
        if rows:
            _check_new_names(dataset, rows)
            for use in (*own, *needed):
                _check(use, dataset.name, rows)


def _check_new_names(dataset: Dataset, rows: Sequence[JsonObject]) -> None:
    """What is to get a new name must be there: the rows have their new names already."""
    there = {dataset.fields.get(name, name): None for name in _fields(rows, ())}
    for old in dataset.fields.values():
        if old not in there:
            near = get_close_matches(old, there, n=1)
            guess = f"; did you mean {near[0]!r}?" if near else ""
            shown = list(there)[:FIELDS_SHOWN_MAX]
            raise Invalid(
                f"dataset {dataset.name!r}, fields: none of the first {len(rows)} rows has {old!r}{guess} (there are: {', '.join(shown) or 'none'})",
                {"wanted": "a field of the source", "found": old, "known": list(shown)},
            )


def _check(use: TemplateUse, dataset: str, rows: Sequence[JsonObject]) -> None:
    for path in sorted(fields_used(use.text, not_fields=use.sample_fields), key=str):
        if not any(_has(row, path) for row in rows):
            raise _refusal(use, dataset, rows, path)


def _has(row: JsonObject, path: Path) -> bool:
    value: object = row
    for step in path:
        if isinstance(value, dict):
            fields = cast("dict[object, object]", value)
            if step not in fields:
                return False
            value = fields[step]
        elif isinstance(value, list) and isinstance(step, int):
            elements = cast("list[object]", value)
            if not -len(elements) <= step < len(elements):
                return False
            value = elements[step]
        else:
            return False
    return True


def _refusal(use: TemplateUse, dataset: str, rows: Sequence[JsonObject], path: Path) -> Invalid:
    # The longest beginning of the path that some row has; what is missing is the step behind it.
    depth = max(depth for depth in range(len(path)) if any(_has(row, path[:depth]) for row in rows))
    missing, place = path[depth], ".".join(map(str, ("item", *path[:depth])))
    there = _fields(rows, path[:depth])
    near = get_close_matches(str(missing), there, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    shown = ", ".join(there[:FIELDS_SHOWN_MAX]) or "none"
    return Invalid(
        f"{use.where}: none of the first {len(rows)} rows of dataset {dataset!r} has {missing!r} in {place}{guess} (there are: {shown})",
        {
            "wanted": f"a field in {place}",
            "found": str(missing),
            "known": list(there[:FIELDS_SHOWN_MAX]),
        },
    )


def _fields(rows: Sequence[JsonObject], path: Path) -> list[str]:
    """What the rows have at a path, each once, in the order in which they first appear."""
    found: dict[str, None] = {}
    for row in rows:
        if _has(row, path):
            value: object = row
            for step in path:
                value = cast("dict[object, object]", value)[step]
            if isinstance(value, dict):
                found.update(dict.fromkeys(map(str, cast("dict[object, object]", value))))
    return list(found)
