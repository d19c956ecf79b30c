"""1 for an answer that is JSON, 0 for any other."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from evalbus.metrics.base import (
    Batch,
    Columns,
    Metric,
    Remark,
    ScoreDeclaration,
    missing_notes,
    with_gaps,
)
from evalbus.metrics.checks.json_text import Extract, NotJson, json_of, without_fence
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits


class JsonValid(Metric):
    """Whether an answer is JSON: 1 if the whole text is one JSON value, else 0; why not stands beside the value.

    The rules are those of RFC 8259: no comments, no trailing commas, no `NaN`; a number or a text in quotes is JSON
    as well as an object is. A key may stand twice. More than 100 levels are taken for no JSON, because nobody here
    reads deeper. With `extract: fenced` only the first fenced block of a Markdown answer has to be JSON; an answer
    without one is taken whole.

    >>> from evalbus.testing import score_row
    >>> score_row({"type": "json-valid"}, item={}, output_text='{"city": "Paris",}')
    {'json-valid': 0.0}
    """

    class Parameters(Closed):
        candidate: TemplateText = "{{ sample.output_text }}"
        extract: Extract = Field(
            default="none",
            description="fenced: what the first fenced block of a Markdown answer holds; none: the answer as it is.",
        )

    scores = (
        ScoreDeclaration(
            name="json-valid",
            direction="higher",
            minimum=0.0,
            maximum=1.0,
            description="1 if the answer is JSON, else 0.",
        ),
    )
    formula: ClassVar[str] = "1 if candidate is a JSON text of RFC 8259, else 0."
    source: ClassVar[str] = (
        "RFC 8259, The JavaScript Object Notation (JSON) Data Interchange Format."
    )

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        self._candidate = compile_template(
            parameters.candidate, characters_max=limits.template_characters
        )
        self._is_fenced = parameters.extract == "fenced"

    def templates(self) -> Mapping[str, Template]:
        return {"candidate": self._candidate}

    def score(self, batch: Batch) -> Columns:
        candidates = batch.texts(self._candidate)
        notes = missing_notes((), candidates)
        values: list[float] = []
        remarks: dict[tuple[int, int], Remark] = {}
        for row, text in enumerate(candidates):
            problem = None if text is None else self._problem(text)
            values.append(1.0 if problem is None else 0.0)
            if problem is not None:
                remarks[row, 0] = Remark(rationale=problem)
        return Columns(values=(with_gaps(values, notes),), notes=notes, remarks=remarks)

    def _problem(self, text: str) -> str | None:
        try:
            json_of(without_fence(text) if self._is_fenced else text)
        except NotJson as error:
            return f"not JSON: {error}"
        return None
