"""A JSON object with templates in it, to be filled with each row."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

from pydantic import JsonValue

from evalbus.errors import Invalid
from evalbus.metrics.base import Batch
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits

TEMPLATES_MAX: Final = 256
LEVELS_MAX: Final = 32
"""Of the body itself; what is filled in has levels of its own."""

PLACE: Final = "body"


class Body:
    """Every text in it is a template; names of fields, numbers, true, false and null stay what they are.

    Raises Invalid for a text that is no template, and for more levels or templates than there may be.
    """

    def __init__(self, body: JsonObject, limits: RowLimits) -> None:
        self._body = body
        texts = dict(_texts(body, PLACE, LEVELS_MAX))
        if len(texts) > TEMPLATES_MAX:
            raise Invalid(f"body: {len(texts)} texts, where {TEMPLATES_MAX} may be")
        self._templates = {
            place: compile_template(text, characters_max=limits.template_characters)
            for place, text in texts.items()
        }

    def templates(self) -> Mapping[str, Template]:
        """By the place of each: `body.question`, `body.messages.0`, `body['a b']`."""
        return self._templates

    def render_all(self, batch: Batch) -> list[JsonObject]:
        """One object for each row; a lone `{{ item.field }}` keeps its type. Raises RowsFailed."""
        columns = {place: batch.values(each) for place, each in self._templates.items()}
        return [
            cast("JsonObject", _filled(self._body, PLACE, columns, row))
            for row in range(len(batch))
        ]


def _texts(value: JsonValue, place: str, levels: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict | list) and levels == 0:
        raise Invalid(f"body: more than {LEVELS_MAX} levels")
    else:
        for inner, part in _parts(value, place):
            yield from _texts(part, inner, levels - 1)


def _filled(
    value: JsonValue, place: str, columns: Mapping[str, Sequence[JsonValue]], row: int
) -> JsonValue:
    filled = [_filled(part, inner, columns, row) for inner, part in _parts(value, place)]
    match value:
        case str():
            return columns[place][row]
        case dict():
            return dict(zip(value, filled, strict=True))
        case list():
            return filled
        case _:
            return value


def _parts(value: JsonValue, place: str) -> list[tuple[str, JsonValue]]:
    """What it consists of, each with its place; no two places of a body are alike."""
    match value:
        case dict():
            return [(f"{place}{_step(name)}", part) for name, part in value.items()]
        case list():
            return [(f"{place}.{number}", part) for number, part in enumerate(value)]
        case _:
            return []


def _step(name: str) -> str:
    return f".{name}" if name.isidentifier() else f"[{name!r}]"
