"""1 where a comparison of the last numbers in two texts holds, 0 where it does not."""

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from evalbus.metrics.base import (
    UNPARSABLE,
    Batch,
    Columns,
    Metric,
    Note,
    ScoreDeclaration,
    with_gaps,
)
from evalbus.metrics.checks.numbers import last_number
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
    ">",
    "gt",
    "greater than",
    ">=",
    "gte",
    "greater than or equal",
    "<",
    "lt",
    "less than",
    "<=",
    "lte",
    "less than or equal",
    "absolute difference",
]

Comparison = Callable[[Decimal, Decimal], bool]

DIFFERENCE: Final = "absolute difference"

_COMPARISONS: Final[Mapping[str, Comparison]] = {
    "equals": operator.eq,
    "==": operator.eq,
    "not equals": operator.ne,
    "!=": operator.ne,
    "<>": operator.ne,
    ">": operator.gt,
    "gt": operator.gt,
    "greater than": operator.gt,
    ">=": operator.ge,
    "gte": operator.ge,
    "greater than or equal": operator.ge,
    "<": operator.lt,
    "lt": operator.lt,
    "less than": operator.lt,
    "<=": operator.le,
    "lte": operator.le,
    "less than or equal": operator.le,
}


def _is_near(left: Decimal, right: Decimal, *, epsilon: Decimal) -> bool:
    return abs(left - right) <= epsilon


class NumberCheck(Metric):
    """Compares exactly; `absolute difference` asks whether the two are at most `epsilon` apart.

    A text without a number gives no score (`unparsable`), because it is neither right nor wrong.
    """

    class Parameters(Closed):
        operation: Operation
        left_template: TemplateText
        right_template: TemplateText
        epsilon: Annotated[float, Field(ge=0)] | None = None

        @model_validator(mode="after")
        def _epsilon_belongs_to_difference(self) -> Self:
            if self.operation == DIFFERENCE and self.epsilon is None:
                raise ValueError(f"operation {DIFFERENCE!r} needs epsilon")
            if self.operation != DIFFERENCE and self.epsilon is not None:
                raise ValueError(f"epsilon is only for operation {DIFFERENCE!r}")
            return self

    scores = (ScoreDeclaration(name="number-check", direction="higher", minimum=0.0, maximum=1.0),)

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        most = limits.template_characters
        self._left = compile_template(parameters.left_template, characters_max=most)
        self._right = compile_template(parameters.right_template, characters_max=most)
        self._holds: Comparison = (
            _COMPARISONS[parameters.operation]
            if parameters.epsilon is None
            # The number as it was written, not the binary fraction next to it.
            else partial(_is_near, epsilon=Decimal(repr(parameters.epsilon)))
        )

    def templates(self) -> Mapping[str, Template]:
        return {"left_template": self._left, "right_template": self._right}

    def score(self, batch: Batch) -> Columns:
        lefts, rights = _numbers(batch, self._left), _numbers(batch, self._right)
        holds = self._holds
        values: list[float] = []
        notes: dict[int, Note] = {}
        for row, (left, right) in enumerate(zip(lefts, rights, strict=True)):
            if left is None or right is None:
                side = "left_template" if left is None else "right_template"
                notes[row] = Note(code=UNPARSABLE, message=f"{side} gives a text without a number")
                values.append(0.0)
            else:
                values.append(1.0 if holds(left, right) else 0.0)
        return Columns(values=(with_gaps(values, notes),), notes=notes)


def _numbers(batch: Batch, template: Template) -> list[Decimal | None]:
    return batch.keep(
        ("numbers", template.text),
        lambda: [None if text is None else last_number(text) for text in batch.texts(template)],
    )
