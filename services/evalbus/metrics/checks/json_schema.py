"""1 for an answer that is JSON of the right shape, 0 for any other."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field, JsonValue

from evalbus.metrics.base import (
    UNPARSABLE,
    Batch,
    Columns,
    Metric,
    Note,
    Remark,
    ScoreDeclaration,
    missing_notes,
    with_gaps,
)
from evalbus.metrics.checks.json_text import Extract, NotJson, json_of, without_fence
from evalbus.metrics.checks.schema_check import DISTRIBUTIONS, Problem, SchemaCheck, TooDeep
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed, JsonObject
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits


class JsonSchema(Metric):
    """Whether an answer is JSON that a schema allows: 1 if it is, else 0; what is wrong stands beside the value.

    An answer that is no JSON at all has the value 0 as well; its detail has `parsed: false`. The detail lists the
    first five problems, with their places as JSON paths. What is JSON, and `extract`, are as for `json-valid`.

    The schema is checked with the benchmark: by its `$schema`, or as draft 2020-12. References lead into the schema
    itself or to the published drafts; nothing is ever fetched. `format` describes and does not check, as the draft
    has it. Patterns are those of RE2, in linear time and without look-around; `patternProperties` together with
    `unevaluatedProperties` is refused, because there the library would use another engine. `multipleOf` takes numbers
    as they are written, where the library computes with doubles: 0.3 is a multiple of 0.1.

    >>> from evalbus.testing import score_row
    >>> score_row(
    ...     {"type": "json-schema", "schema": {"properties": {"year": {"type": "integer"}}, "required": ["year"]}},
    ...     item={},
    ...     output_text='{"year": "1889"}',
    ... )
    {'json-schema': 0.0}
    """

    class Parameters(Closed):
        json_schema: Annotated[
            JsonObject,
            Field(
                alias="schema", description="A JSON Schema; draft 2020-12 unless it says $schema."
            ),
        ]
        candidate: TemplateText = "{{ sample.output_text }}"
        extract: Extract = Field(
            default="none",
            description="fenced: what the first fenced block of a Markdown answer holds; none: the answer as it is.",
        )

    scores = (
        ScoreDeclaration(
            name="json-schema",
            direction="higher",
            minimum=0.0,
            maximum=1.0,
            description="1 if the answer is JSON that the schema allows, else 0.",
        ),
    )
    formula: ClassVar[str] = "1 if candidate is JSON and valid against schema, else 0."
    source: ClassVar[str] = "JSON Schema, draft 2020-12, https://json-schema.org/specification"
    libraries: tuple[str, ...] = DISTRIBUTIONS

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        self._candidate = compile_template(
            parameters.candidate, characters_max=limits.template_characters
        )
        self._is_fenced = parameters.extract == "fenced"
        self._schema = SchemaCheck(parameters.json_schema)

    def templates(self) -> Mapping[str, Template]:
        return {"candidate": self._candidate}

    def score(self, batch: Batch) -> Columns:
        candidates = batch.texts(self._candidate)
        notes = missing_notes((), candidates)
        values: list[float] = []
        remarks: dict[tuple[int, int], Remark] = {}
        for row, text in enumerate(candidates):
            try:
                remark = None if text is None else self._remark(text)
            except TooDeep as error:
                notes[row] = Note(code=UNPARSABLE, message=str(error))
                remark = None
            values.append(1.0 if remark is None else 0.0)
            if remark is not None:
                remarks[row, 0] = remark
        return Columns(values=(with_gaps(values, notes),), notes=notes, remarks=remarks)

    def _remark(self, text: str) -> Remark | None:
        """What is wrong with an answer; None for a good one. Raises TooDeep."""
        try:
            value = json_of(without_fence(text) if self._is_fenced else text)
        except NotJson as error:
            return _said([Problem(path="$", message=f"not JSON: {error}")], is_parsed=False)
        problems = self._schema.problems(value)
        return _said(problems, is_parsed=True) if problems else None


def _said(problems: list[Problem], *, is_parsed: bool) -> Remark:
    errors: list[JsonValue] = [{"path": each.path, "message": each.message} for each in problems]
    return Remark(detail={"parsed": is_parsed, "errors": errors})
