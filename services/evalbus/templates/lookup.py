"""A template that only looks one value up: no interpreter runs, and the value keeps its type."""

from collections.abc import Mapping, Sequence
from typing import cast

from evalbus.templates.base import MISSING_FIELD, Context, Template, TemplateError, names_shown
from evalbus_schemas.base import JsonObject

Step = str | int


class Lookup(Template):
    """`{{ item.a['b c'][0] }}` as the steps from the context to the value."""

    def __init__(self, text: str, steps: tuple[Step, ...]) -> None:
        super().__init__(text)
        self.steps = steps

    def render(self, context: Context) -> object:
        value: object = context
        for depth, step in enumerate(self.steps):
            value = self._follow(value, step, depth)
        return value

    def render_all(
        self, items: Sequence[JsonObject], samples: Sequence[JsonObject]
    ) -> list[object]:
        # Nearly every template of nearly every benchmark is one of these two; a row without the
        # field sends the batch the general way, which says what is missing.
        match self.steps:
            case ("item", str(key)):
                rows = items
            case ("sample", str(key)):
                rows = samples
            case _:
                return super().render_all(items, samples)
        try:
            return [row[key] for row in rows]
        except KeyError:
            return super().render_all(items, samples)

    def _follow(self, found: object, step: Step, depth: int) -> object:
        value = found
        if isinstance(value, Mapping):
            mapping = cast("Mapping[object, object]", value)
            if step in mapping:
                return mapping[step]
            raise TemplateError(
                MISSING_FIELD,
                f"{self.text.strip()}: {self._place(depth)} has no {step!r} (there are: {names_shown(mapping)})",
            )
        if isinstance(value, list) and isinstance(step, int):
            elements = cast("Sequence[object]", value)
            if -len(elements) <= step < len(elements):
                return elements[step]
            raise TemplateError(
                MISSING_FIELD,
                f"{self.text.strip()}: {self._place(depth)} has {len(elements)} elements, none at {step}",
            )
        raise TemplateError(
            MISSING_FIELD,
            f"{self.text.strip()}: {self._place(depth)} is {_kind(found)}, there is no {step!r} in it",
        )

    def _place(self, depth: int) -> str:
        return shown_steps(self.steps[:depth]) or "the row"


def shown_steps(steps: tuple[Step, ...]) -> str:
    return ".".join(str(step) for step in steps)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case str():
            return "a text"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case _:
            return "a list"
