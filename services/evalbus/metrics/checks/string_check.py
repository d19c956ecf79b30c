"""1 where a plain comparison of two texts holds, 0 where it does not; nothing is normalized."""

import operator
from collections.abc import Callable, Mapping
from typing import ClassVar, Final, Literal

from pydantic import Field

from evalbus.metrics.base import (
    Batch,
    Columns,
    Metric,
    ScoreDeclaration,
    missing_notes,
    with_gaps,
)
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits

Operation = Literal[
    "equals",
    "==",
    "not equals",
    "!=",
    "<>",
    "contains",
    "not contains",
    "startswith",
    "endswith",
]


def _contains(left: str, right: str) -> bool:
    return right in left


def _not_contains(left: str, right: str) -> bool:
    return right not in left


_COMPARISONS: Final[Mapping[Operation, Callable[[str, str], bool]]] = {
    "equals": operator.eq,
    "==": operator.eq,
    "not equals": operator.ne,
    "!=": operator.ne,
    "<>": operator.ne,
    "contains": _contains,
    "not contains": _not_contains,
    "startswith": str.startswith,
    "endswith": str.endswith,
}


class StringCheck(Metric):
    """Whether a comparison of two texts holds as they stand: 1 if it does, else 0.

    `contains` asks whether the right text is in the left one, `startswith` and `endswith` whether it begins or ends it.
    Nothing is normalized: upper and lower case differ, and so do `é` as one character and as two. The empty text is in
    every text. What is no text counts as its JSON text, where NeMo Evaluator raises an error; null on either side
    gives no score, also for the operations with `not`.

    >>> from evalbus.testing import score_row
    >>> score_row(
    ...     {
    ...         "type": "string-check",
    ...         "operation": "contains",
    ...         "left_template": "{{ sample.output_text }}",
    ...         "right_template": "{{ item.answer }}",
    ...     },
    ...     item={"answer": "Paris"},
    ...     output_text="It is Paris.",
    ... )
    {'string-check': 1.0}
    """

    class Parameters(Closed):
        operation: Operation = Field(
            description="equals and ==, not equals, != and <> are other spellings of the same; contains,"
            " startswith and endswith look for the right text in the left one."
        )
        left_template: TemplateText
        right_template: TemplateText

    scores = (
        ScoreDeclaration(
            name="string-check",
            direction="higher",
            minimum=0.0,
            maximum=1.0,
            description="1 if the comparison holds, else 0.",
        ),
    )
    formula: ClassVar[str] = "1 if left operation right, else 0; by code points."
    source: ClassVar[str] = "The string-check metric of NVIDIA NeMo Evaluator, with its operations."

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        most = limits.template_characters
        self._left = compile_template(parameters.left_template, characters_max=most)
        self._right = compile_template(parameters.right_template, characters_max=most)
        self._holds = _COMPARISONS[parameters.operation]

    def templates(self) -> Mapping[str, Template]:
        return {"left_template": self._left, "right_template": self._right}

    def score(self, batch: Batch) -> Columns:
        lefts, rights = batch.texts(self._left), batch.texts(self._right)
        notes = missing_notes(rights, lefts)
        holds = self._holds
        values = [
            1.0 if holds(left or "", right or "") else 0.0
            for left, right in zip(lefts, rights, strict=True)
        ]
        return Columns(values=(with_gaps(values, notes),), notes=notes)
