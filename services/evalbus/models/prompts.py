"""From an item to what a live model is asked: one text, or a conversation."""

from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import JsonValue

from evalbus.models.parameters import LiveParameters, PromptMessage
from evalbus.templates import (
    Context,
    RowsFailed,
    Template,
    TemplateError,
    as_text,
    compile_template,
    context_of,
)
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits

Rendered = str | list[JsonObject]
"""A text, or messages of `{role, content}`."""


class Prompt:
    """The templates of a prompt, ready to be rendered; raises Invalid for text that is no template."""

    def __init__(self, parameters: LiveParameters, limits: RowLimits) -> None:
        self._templates: dict[str, Template] = {}
        self._roles: dict[str, str] = {}
        if parameters.system_prompt is not None:
            self._add("system_prompt", "system", parameters.system_prompt, limits)
        match parameters.prompt:
            case str(text):
                self._add("prompt", "user", text, limits)
            case messages:
                self._add_all(messages, limits)

    def templates(self) -> Mapping[str, Template]:
        """By the place where each is written: `prompt`, `prompt.0.content`, `system_prompt`."""
        return self._templates

    def render_all(
        self, items: Sequence[JsonObject], samples: Sequence[JsonObject] | None = None
    ) -> list[Rendered]:
        """What to ask for each item, or about each sample of one; raises RowsFailed with every row for which that cannot be said.

        A lone `{{ item.messages }}` that holds a list of messages is that conversation. Only a prompt without
        roles and system prompt is a text.
        """
        errors: dict[int, TemplateError] = {}
        no_sample: JsonObject = {}
        about = [no_sample] * len(items) if samples is None else samples
        columns = {
            place: self._column(template, items, about, errors)
            for place, template in self._templates.items()
        }
        rendered: list[Rendered] = []
        for row in range(len(items)):
            if row in errors:
                continue
            try:
                rendered.append(
                    self._one({place: values[row] for place, values in columns.items()})
                )
            except TemplateError as error:
                errors[row] = error
        if errors:
            raise RowsFailed(dict(sorted(errors.items())))
        return rendered

    def _add(self, place: str, role: str, text: str, limits: RowLimits) -> None:
        self._templates[place] = compile_template(text, characters_max=limits.template_characters)
        self._roles[place] = role

    def _add_all(self, messages: Sequence[PromptMessage], limits: RowLimits) -> None:
        for number, message in enumerate(messages):
            self._add(f"prompt.{number}.content", message.role, message.content, limits)

    def _column(
        self,
        template: Template,
        items: Sequence[JsonObject],
        samples: Sequence[JsonObject],
        errors: dict[int, TemplateError],
    ) -> Sequence[object]:
        """One template's value for every row; for a row that has none the error is noted, the first one only."""
        try:
            return template.render_all(items, samples)
        except RowsFailed:
            return [
                self._value(template, context_of(item, sample), row, errors)
                for row, (item, sample) in enumerate(zip(items, samples, strict=True))
            ]

    def _value(
        self, template: Template, context: Context, row: int, errors: dict[int, TemplateError]
    ) -> object:
        try:
            return template.render(context)
        except TemplateError as error:
            errors.setdefault(row, error)
            return None

    def _one(self, values: Mapping[str, object]) -> Rendered:
        messages: list[JsonObject] = []
        for place, value in values.items():
            if value is None:
                text = self._templates[place].text.strip()
                raise TemplateError("no_prompt", f"{place}: {text} is null: nothing to ask")
            if place == "prompt" and _is_objects_with(value, "role"):
                messages += cast("list[JsonObject]", value)
            elif place == "prompt" and len(values) == 1:
                return as_text(value)
            else:
                # Text, or the parts of a message that is more than text.
                content = value if _is_objects_with(value, "type") else as_text(value)
                messages.append(
                    cast("JsonObject", {"role": self._roles[place], "content": content})
                )
        return messages


def as_messages(prompt: Rendered) -> list[JsonObject]:
    """The same prompt as a conversation."""
    return [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt


def as_request(prompt: Rendered) -> JsonObject:
    """`{"prompt": …}` for a text, `{"messages": […]}` for a conversation."""
    return {"prompt": prompt} if isinstance(prompt, str) else {"messages": list[JsonValue](prompt)}


def _is_objects_with(value: object, key: str) -> bool:
    """Whether it is a list of objects, at least one, that all have that key."""
    if not isinstance(value, list) or not value:
        return False
    elements = cast("list[object]", value)
    return all(isinstance(element, dict) and key in element for element in elements)
