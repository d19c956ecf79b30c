"""The model that has already answered: its output is a template over the dataset's own row."""

from collections.abc import Mapping, Sequence

from evalbus.models.base import OUTPUT_TEXT, RecordedModel
from evalbus.templates import RowsFailed, Template, TemplateError, as_text, compile_template
from evalbus_schemas.base import Closed, JsonObject
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits


class Recorded(RecordedModel):
    """Turns an item into `{"output_text": …}`; what is not text becomes its JSON, null is no answer."""

    class Parameters(Closed):
        output: TemplateText
        display_name: str | None = None

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        self._output = compile_template(
            parameters.output, characters_max=limits.template_characters
        )

    def templates(self) -> Mapping[str, Template]:
        return {"output": self._output}

    def answer(self, items: Sequence[JsonObject]) -> list[JsonObject]:
        no_sample: JsonObject = {}
        values = self._output.render_all(items, [no_sample] * len(items))
        if None in values:
            raise RowsFailed(
                {row: self._nothing() for row, value in enumerate(values) if value is None}
            )
        return [{OUTPUT_TEXT: value if type(value) is str else as_text(value)} for value in values]

    def _nothing(self) -> TemplateError:
        return TemplateError(
            "no_output", f"{self._output.text.strip()} is null: no answer was recorded"
        )
