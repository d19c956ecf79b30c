"""A validation error in the words of somebody who wrote a file: the place, what is wrong, what is known there."""

import types
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Annotated, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError

LINES_MAX = 10

Place = tuple[int | str, ...]


def describe(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line for each problem, at most LINES_MAX."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    places = [problem["loc"] for problem in problems]
    lines = [
        _line(problem["loc"], problem["type"], problem["msg"], model)
        for problem in problems
        # An entry that is wrong is not counted, and need not be reported a second time as one too few.
        if not (problem["type"] == "too_short" and _has_problem_inside(problem["loc"], places))
    ]
    if len(lines) > LINES_MAX:
        return [*lines[:LINES_MAX], f"and {len(lines) - LINES_MAX} more problems"]
    return lines


def _has_problem_inside(place: Place, places: Sequence[Place]) -> bool:
    return any(len(other) > len(place) and other[: len(place)] == place for other in places)


def _line(place: Place, kind: str, message: str, model: type[BaseModel]) -> str:
    said = message.removeprefix("Value error, ")
    place = _without_tags(model, place, is_key_unknown=kind == "extra_forbidden")
    if kind == "missing":
        said = "is missing"
    elif kind == "extra_forbidden":
        said = _unknown_key(str(place[-1]), _known_keys(model, place[:-1]))
    return f"{'.'.join(str(part) for part in place) or 'top level'}: {said}"


def _unknown_key(found: str, known: Sequence[str]) -> str:
    near = get_close_matches(found, known, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown key{guess} (known: {', '.join(known)})"


def _without_tags(model: type[BaseModel], place: Place, *, is_key_unknown: bool) -> Place:
    """The place as its writer knows it: pydantic puts the chosen member of a union between a key and what is in it."""
    kept: list[int | str] = []
    inside: type[BaseModel] | None = model
    for at, part in enumerate(place):
        is_unknown = is_key_unknown and at == len(place) - 1
        if isinstance(part, str) and inside is not None and not is_unknown:
            field = inside.model_fields.get(part)
            if field is None:
                continue
            inside = next(_models_in(field.annotation), None)
        kept.append(part)
    return tuple(kept)


def _known_keys(model: type[BaseModel], place: Place) -> list[str]:
    found: type[BaseModel] | None = model
    for part in place:
        if isinstance(part, int) or found is None:
            continue
        field = found.model_fields.get(part)
        found = next(_models_in(field.annotation), None) if field is not None else None
    return sorted(found.model_fields) if found is not None else []


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """Every model that an annotation such as `tuple[Dataset, ...] | None` speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, types.UnionType, Annotated, tuple, list):
        for part in cast(tuple[object, ...], get_args(annotation)):
            yield from _models_in(part)
