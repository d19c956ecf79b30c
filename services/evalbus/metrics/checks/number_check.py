"""1 where a comparison of the last numbers in two texts holds, 0 where it does not."""

import operator
from collections.abc import Callable, Mapping
from decimal import MAX_EMAX, MIN_EMIN, ROUND_UP, Context, Decimal
from functools import partial
from typing import Annotated, ClassVar, Final, Literal, Self

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


# A difference may have more digits than anybody wants to compute. Rounded away from zero it is at most epsilon exactly
# if it was before, because epsilon itself has fewer digits than these.
_DIFFERENCES: Final = Context(
    prec=40, rounding=ROUND_UP, Emax=MAX_EMAX, Emin=MIN_EMIN, clamp=0, traps=[]
)


def _is_near(left: Decimal, right: Decimal, *, epsilon: Decimal) -> bool:
    return _DIFFERENCES.subtract(left, right).copy_abs() <= epsilon


class NumberCheck(Metric):
    """Whether a comparison of the last numbers in two texts holds: 1 if it does, else 0.

    Numbers are read as people write them: `1,234` and `1.234,50`, `$1,000.50`, `50%` as 50, `1e-5`, the typographic
    minus, digits of any script. Where a text has several, the last one counts; a fraction is two numbers. They are
    compared exactly: 0.1 is a tenth, and integers of any length differ in their last digit.

    A text without a number gives no score (`unparsable`), because it is neither right nor wrong; null is such a text.

    NeMo Evaluator, whose operations these are, reads `1,234` as 234, `1e-5` as -5 and `$1,000.50` as 0.5; here the
    whole number counts, because that is what the text says.

    >>> from evalbus.testing import score_row
    >>> score_row(
    ...     {
    ...         "type": "number-check",
    ...         "operation": "==",
    ...         "left_template": "{{ sample.output_text }}",
    ...         "right_template": "{{ item.answer }}",
    ...     },
    ...     item={"answer": 1234},
    ...     output_text="That makes $1,234.00",
    ... )
    {'number-check': 1.0}
    """

    class Parameters(Closed):
        operation: Operation = Field(
            description="absolute difference: whether the two are at most epsilon apart; the others compare"
            " left with right, most of them in several spellings."
        )
        left_template: TemplateText
        right_template: TemplateText
        epsilon: Annotated[float, Field(ge=0)] | None = Field(
            default=None,
            description="For absolute difference, which needs it, and for nothing else.",
        )

        @model_validator(mode="after")
        def _epsilon_belongs_to_difference(self) -> Self:
            if self.operation == DIFFERENCE and self.epsilon is None:
                raise ValueError(f"operation {DIFFERENCE!r} needs epsilon")
            if self.operation != DIFFERENCE and self.epsilon is not None:
                raise ValueError(f"epsilon is only for operation {DIFFERENCE!r}")
            return self

    scores = (
        ScoreDeclaration(
            name="number-check",
            direction="higher",
            minimum=0.0,
            maximum=1.0,
            description="1 if the comparison holds, else 0.",
        ),
    )
    formula: ClassVar[str] = (
        "1 if last_number(left) operation last_number(right), else 0;"
        " for absolute difference 1 if |left - right| <= epsilon. In exact decimal arithmetic."
    )
    source: ClassVar[str] = (
        "The number-check metric of NVIDIA NeMo Evaluator, with its operations; the reading of numbers is our own."
    )

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
