"""The model that has already answered: its output is a template over the dataset's own row."""

from collections.abc import Mapping, Sequence
from typing import Annotated, cast

from pydantic import Field, JsonValue, field_validator

from evalbus.models.base import OUTPUT_TEXT, SAMPLE_FIELDS, RecordedModel
from evalbus.templates import (
    MISSING_FIELD,
    RowsFailed,
    Template,
    TemplateError,
    as_text,
    compile_template,
)
from evalbus_schemas.base import Closed, JsonObject
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits


class Recorded(RecordedModel):
    """Turns an item into `{"output_text": …}`; what is not text becomes its JSON, null is no answer.

    Further `fields` keep their type, and one that a row does not have is null: that nobody has judged an answer, say,
    is no failure of the model.
    """

    class Parameters(Closed):
        output: TemplateText
        fields: Annotated[
            dict[Annotated[str, Field(min_length=1, max_length=255)], TemplateText],
            Field(
                max_length=64,
                description="What else was recorded with the answer: it stands beside `output_text` in the sample, as"
                " `{{ sample.name }}`.",
                examples=[{"is_correct": "{{ item.is_correct }}"}],
            ),
        ] = {}
        display_name: str | None = None

        @field_validator("fields")
        @classmethod
        def _names_are_free(cls, fields: dict[str, str]) -> dict[str, str]:
            if taken := SAMPLE_FIELDS & fields.keys():
                raise ValueError(f"{', '.join(sorted(taken))} is in every sample already")
            return fields

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        most = limits.template_characters
        self._output = compile_template(parameters.output, characters_max=most)
        self._fields = {
            name: compile_template(text, characters_max=most)
            for name, text in parameters.fields.items()
        }
        self.sample_fields = SAMPLE_FIELDS.union(self._fields)

    def templates(self) -> Mapping[str, Template]:
        of_fields = {f"fields.{name}": template for name, template in self._fields.items()}
        return {"output": self._output} | of_fields

    def answer(self, items: Sequence[JsonObject]) -> list[JsonObject]:
        values = self._output.render_all(items, _no_samples(items))
        if None in values:
            raise RowsFailed(
                {row: self._nothing() for row, value in enumerate(values) if value is None}
            )
        samples: list[JsonObject] = [
            {OUTPUT_TEXT: value if type(value) is str else as_text(value)} for value in values
        ]
        for name, template in self._fields.items():
            for sample, value in zip(samples, _values(template, items), strict=True):
                sample[name] = value
        return samples

    def _nothing(self) -> TemplateError:
        return TemplateError(
            "no_output", f"{self._output.text.strip()} is null: no answer was recorded"
        )


def _values(template: Template, items: Sequence[JsonObject]) -> list[JsonValue]:
    """Null for rows without a field that is asked for; raises RowsFailed for those that fail otherwise."""
    without: set[int] = set()
    try:
        values = template.render_all(items, _no_samples(items))
    except RowsFailed as failed:
        others = {row: error for row, error in failed.errors.items() if error.code != MISSING_FIELD}
        if others:
            raise RowsFailed(others) from None
        without.update(failed.errors)
        there = [item for row, item in enumerate(items) if row not in without]
        values = template.render_all(there, _no_samples(there))
    rendered = iter(cast("list[JsonValue]", values))
    return [None if row in without else next(rendered) for row in range(len(items))]


def _no_samples(items: Sequence[JsonObject]) -> list[JsonObject]:
    no_sample: JsonObject = {}
    return [no_sample] * len(items)
