"""1 where a plain comparison of two texts holds, 0 where it does not; nothing is normalized."""

import operator
from collections.abc import Callable, Mapping
from typing import Final, Literal

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
    """Upper and lower case differ; a number counts as its JSON text; null on either side gives no score."""

    class Parameters(Closed):
        operation: Operation
        left_template: TemplateText
        right_template: TemplateText

    scores = (ScoreDeclaration(name="string-check", direction="higher", minimum=0.0, maximum=1.0),)

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
