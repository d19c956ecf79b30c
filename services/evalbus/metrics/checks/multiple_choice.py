"""1 for an answer that chooses the right option, 0 for one that chooses another."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, cast

from pydantic import Field

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
from evalbus.metrics.checks.choosing import (
    LETTERS,
    OPTIONS_MAX,
    Unclear,
    as_letter,
    chosen_letter,
    folded,
)
from evalbus.metrics.checks.json_text import NotJson, json_of
from evalbus.templates import Template, as_text, compile_template
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits

LETTERS_WITHOUT_CHOICES: Final = 10


class MultipleChoice(Metric):
    r"""Whether an answer chooses the right one of several options: 1 if it does, 0 if it chooses another.

    Options have the letters A, B, C and so on. What an answer chooses is told by the first of these rules that says
    something; emphasis as in `**B**` is not looked at:

    1. The answer is a letter: `B`, `(b)`, `B.`
    2. Its last statement: `the answer is (B)`, `Answer: B`, `the correct option is B`, `B is correct`, `I choose B`,
       `\boxed{B}`. A statement with two letters (`A or B`) makes no choice.
    3. Lines that are just a letter, if it is the same in all.
    4. Lines that begin like an option, `B) Paris`, if it is the same in all.
    5. With `choices`: the answer is the text of an option, or has the text of just one in it as whole words; an option
       that is a part of another one found does not count.

    Where no rule finds a single choice there is no score (`unparsable`): such an answer is counted by itself, not as
    wrong. Evaluators that take the first or last capital letter instead count an article (`A city`) as a choice.

    `reference` is a letter, the text of one of the `choices`, or an index that counts from 0, as number or in digits,
    in this order. A reference that is none of the choices gives no score (`unparsable`) either. Without `choices`
    there are ten letters, A to J.

    >>> from evalbus.testing import score_row
    >>> score_row(
    ...     {"type": "multiple-choice", "reference": "{{ item.answer }}", "choices": "{{ item.choices }}"},
    ...     item={"answer": 1, "choices": ["London", "Paris"]},
    ...     output_text="London is in England, so the answer is **(B)**.",
    ... )
    {'multiple-choice': 1.0}
    """

    class Parameters(Closed):
        reference: TemplateText = Field(
            description="The right option: its letter, its text or its index from 0."
        )
        choices: TemplateText | None = Field(
            default=None, description="The texts of the options: a list of 2 to 26, or its JSON."
        )
        candidate: TemplateText = "{{ sample.output_text }}"

    scores = (
        ScoreDeclaration(
            name="multiple-choice",
            direction="higher",
            minimum=0.0,
            maximum=1.0,
            description="1 if the right option is chosen, else 0.",
        ),
    )
    formula: ClassVar[str] = "1 if choice(candidate) = choice(reference), else 0."
    source: ClassVar[str] = (
        "Accuracy as for MMLU (Hendrycks et al. 2020, arXiv:2009.03300); the rules are our own."
    )

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        most = limits.template_characters
        self._reference = compile_template(parameters.reference, characters_max=most)
        self._candidate = compile_template(parameters.candidate, characters_max=most)
        self._choices = (
            None
            if parameters.choices is None
            else compile_template(parameters.choices, characters_max=most)
        )

    def templates(self) -> Mapping[str, Template]:
        choices = {} if self._choices is None else {"choices": self._choices}
        return {"reference": self._reference, "candidate": self._candidate, **choices}

    def score(self, batch: Batch) -> Columns:
        references = batch.values(self._reference)
        candidates = batch.texts(self._candidate)
        options = self._options(batch)
        notes = missing_notes(references, candidates)
        values = [0.0] * len(batch)
        remarks: dict[tuple[int, int], Remark] = {}
        for row, (reference, text) in enumerate(zip(references, candidates, strict=True)):
            if row in notes:
                continue
            try:
                right, chosen = _letters(reference, text or "", options[row])
            except Unclear as error:
                notes[row] = Note(code=UNPARSABLE, message=str(error))
                continue
            values[row] = 1.0 if chosen == right else 0.0
            if chosen != right:
                remarks[row, 0] = Remark(detail={"chosen": chosen, "right": right})
        return Columns(values=(with_gaps(values, notes),), notes=notes, remarks=remarks)

    def _options(self, batch: Batch) -> Sequence[Sequence[str] | None]:
        """The texts of every row's options: none if they are not given, None where they are no list."""
        if self._choices is None:
            return [()] * len(batch)
        return [_texts(value) for value in batch.values(self._choices)]


def _letters(reference: object, text: str, options: Sequence[str] | None) -> tuple[str, str]:
    """Those of the right option and of the chosen one; raises Unclear."""
    if options is None:
        raise Unclear(f"choices gives no list of 2 to {OPTIONS_MAX}")
    count = len(options) or LETTERS_WITHOUT_CHOICES
    right = _right_letter(reference, LETTERS[:count], options)
    if right is None:
        raise Unclear("the reference is none of the choices")
    return right, chosen_letter(text, count=count, options=options)


def _right_letter(reference: object, letters: str, options: Sequence[str]) -> str | None:
    if isinstance(reference, float) and reference.is_integer():
        reference = int(reference)  # a table with gaps has no integers
    if isinstance(reference, int) and not isinstance(reference, bool):
        return letters[reference] if 0 <= reference < len(letters) else None
    text = as_text(reference)
    letter = as_letter(text, letters)
    if letter is not None:
        return letter
    same = [place for place, option in enumerate(options) if folded(option) == folded(text)]
    if len(same) == 1:
        return letters[same[0]]
    digits = text.strip()
    index = int(digits) if digits.isdecimal() and len(digits) <= 2 else None
    return letters[index] if index is not None and index < len(letters) else None


def _texts(choices: object) -> Sequence[str] | None:
    if isinstance(choices, str):
        try:
            choices = json_of(choices)
        except NotJson:
            return None
    if not isinstance(choices, list) or not 2 <= len(cast("list[object]", choices)) <= OPTIONS_MAX:
        return None
    return [as_text(choice) for choice in cast("list[object]", choices)]
