"""Whether an answer is mathematically the same as its reference, however either of them is written."""

import logging
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from importlib.util import find_spec
from typing import Final, Protocol, cast

from evalbus.errors import Invalid
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
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed, JsonObject
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits

CHARACTERS_READ_MAX: Final = 10_000
"""Of an answer, from its end; some of what is searched for in it takes time with the square of its length."""
BARE_CHARACTERS_MAX: Final = 300
SHOWN_CHARACTERS_MAX: Final = 200

_NEEDED: Final = ("math_verify", "antlr4")
_MINUS: Final = "\N{MINUS SIGN}"
_SCIENTIFIC: Final = re.compile(r"(?<![\w.\\])[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]{1,3}(?!\w|\.[0-9])")
_NOT_BARE: Final = re.compile(r"\$|\\\(|\\\[|\\boxed|\\begin|[\n\"]")
_COMMANDS: Final = re.compile(r"\\(?:text|mathrm|mbox|textbf)\s*\{[^{}]*\}|\\[A-Za-z]+")
_WORD: Final = re.compile(r"(?<![^\s.,;:!?])[^\W\d_]{2,}(?![^\s.,;:!?])")


class _Parse(Protocol):
    """What is found in a text: an expression and the text it stood in; of one that cannot be read only the text."""

    def __call__(self, pred: str, *, parsing_timeout: None) -> Sequence[object]: ...


class _Verify(Protocol):
    def __call__(
        self, gold: Sequence[object], target: Sequence[object], *, timeout_seconds: None
    ) -> bool: ...


class MathEquivalence(Metric):
    """Whether the last expression in an answer is mathematically equal to that of the reference: 1/2, 0.5 and
    `$\\frac{2}{4}$` are.

    Both are read and compared by math-verify: numbers (to six decimals where one is a decimal fraction), expressions,
    equations, sets, intervals and matrices, in LaTeX or plain; a boxed one goes before any other, 50 equals 50%. An
    answer without an expression is wrong (0), because the question was one for mathematics; a reference without one
    gives no score (`unparsable`).

    It differs from math-verify where that would misread what datasets and models write. A text that is an expression
    and nothing else is read as LaTeX without needing dollars: math-verify alone finds 2 in `2x+1`, and nothing in
    `(1,2)`. `1e5` is a number, the Unicode minus is a minus. Of an answer longer than 10000 characters only the
    last ones are read, from the beginning of a line.

    Nothing is given up on after a while, as math-verify does it, because the value would depend on how busy the
    machine is. What takes forever, such as 9**9**9**9, costs its own row: that fails at the job's limit of time or
    memory.

    >>> from evalbus.testing import score_row
    >>> plugin = {"type": "math", "reference": "{{ item.answer }}"}
    >>> score_row(plugin, item={"answer": "x+1"}, output_text="So it is $1+x$.")
    {'math': 1.0}
    """

    class Parameters(Closed):
        reference: TemplateText
        candidate: TemplateText = "{{ sample.output_text }}"

    formula = "1 if math-verify finds the expressions equal: symbolically, or numerically to six decimals; else 0."
    source = "math-verify 0.9, https://github.com/huggingface/Math-Verify"
    libraries = ("latex2sympy2-extended", "math-verify", "sympy")
    scores = (ScoreDeclaration(name="math", direction="higher", minimum=0.0, maximum=1.0),)

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        # Looked for here and imported where rows are scored: whoever only plans or shows a job needs no algebra.
        if any(find_spec(name) is None for name in _NEEDED):
            raise Invalid(
                "mathematics needs an extra that is not here: pip install 'evalbus[math]'"
            )
        most = limits.template_characters
        self._reference = compile_template(parameters.reference, characters_max=most)
        self._candidate = compile_template(parameters.candidate, characters_max=most)

    def templates(self) -> Mapping[str, Template]:
        return {"reference": self._reference, "candidate": self._candidate}

    def warm_up(self) -> None:
        _algebra()

    def score(self, batch: Batch) -> Columns:
        references, candidates = batch.texts(self._reference), batch.texts(self._candidate)
        notes = missing_notes(references, candidates)
        values: list[float] = []
        remarks: dict[tuple[int, int], Remark] = {}
        for row, (reference, candidate) in enumerate(zip(references, candidates, strict=True)):
            value = 0.0
            if reference is not None and candidate is not None:
                wanted, found = _expressions(reference), _expressions(candidate)
                if wanted:
                    value = _equal(wanted, found)
                    if value == 0.0:
                        remarks[row, 0] = _seen(wanted, found)
                else:
                    notes[row] = Note(
                        code=UNPARSABLE,
                        message="the reference has no expression; LaTeX among words needs its dollars",
                    )
            values.append(value)
        return Columns(values=(with_gaps(values, notes),), notes=notes, remarks=remarks)


@cache
def _algebra() -> tuple[_Parse, _Verify]:
    # Imported where rows are scored and nowhere else: it takes a second and 100 MB.
    from math_verify import parse, verify  # type: ignore[import-untyped]  # it has none

    for name in ("math_verify.parser", "math_verify.grader"):
        logging.getLogger(name).addFilter(_is_news)
    return cast("_Parse", parse), cast("_Verify", verify)


def _is_news(record: logging.LogRecord) -> bool:
    """It warns that it has no limit of time, which is what is asked for: the row has one."""
    return not record.getMessage().startswith("Timeout is disabled")


def _expressions(text: str) -> Sequence[object]:
    parse, _ = _algebra()
    plain = _plain(_end_of(text))
    if not _is_bare(plain):
        return parse(plain, parsing_timeout=None)
    found = parse(f"${plain}$", parsing_timeout=None)
    # Where nobody said that it is LaTeX, what cannot be read as such is no expression.
    return found if any(not isinstance(one, str) for one in found) else ()


def _equal(wanted: Sequence[object], found: Sequence[object]) -> float:
    _, verify = _algebra()
    return 1.0 if verify(wanted, found, timeout_seconds=None) else 0.0


def _end_of(text: str) -> str:
    """All of it, or the last lines; of one very long line its last characters."""
    if len(text) <= CHARACTERS_READ_MAX:
        return text
    end = text[-CHARACTERS_READ_MAX:]
    # A formula cut in half would leave a dollar that opens where it should close.
    return end.partition("\n")[2] or end


def _plain(text: str) -> str:
    """The same with numbers that math-verify reads as they were meant."""
    plain = text.strip().replace(_MINUS, "-")
    return _SCIENTIFIC.sub(lambda found: format(Decimal(found[0]), "f"), plain)


def _is_bare(text: str) -> bool:
    """Whether a text is an expression and nothing else: one short line without any word, and not marked as LaTeX."""
    if not 0 < len(text) <= BARE_CHARACTERS_MAX or _NOT_BARE.search(text):
        return False
    return _WORD.search(_COMMANDS.sub(" ", text)) is None


def _seen(wanted: Sequence[object], found: Sequence[object]) -> Remark:
    """What was compared, as it was written."""
    if not found:
        return Remark(rationale="the answer has no expression")
    detail: JsonObject = {"reference": _shown(wanted), "answer": _shown(found)}
    return Remark(detail=detail)


def _shown(expressions: Sequence[object]) -> str:
    # The text stands last; to write out an expression itself may take forever.
    text = next((one for one in reversed(expressions) if isinstance(one, str)), "")
    return text[:SHOWN_CHARACTERS_MAX].encode(errors="replace").decode()
