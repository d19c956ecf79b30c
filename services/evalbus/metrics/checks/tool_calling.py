"""How many of the expected tool calls were made, and how many of those made were expected."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from pydantic import Field, JsonValue

from evalbus.metrics.base import (
    UNPARSABLE,
    Batch,
    Columns,
    Metric,
    Note,
    ScoreDeclaration,
    Whole,
    missing_notes,
    with_gaps,
)
from evalbus.metrics.checks.call_matching import Arguments, Order, fits_by, matched, same_name
from evalbus.metrics.checks.tool_calls import Call, NoCalls, calls_in
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.scores import Counts

# Guarded twice, so that neither a recorded model nor a dataset needs to have a response.
RESPONSE: Final = "{{ sample.response | default(item.response | default(none)) }}"


def _share(name: str, description: str) -> ScoreDeclaration:
    return ScoreDeclaration(
        name=name, direction="higher", minimum=0.0, maximum=1.0, description=description
    )


class ToolCalling(Metric):
    """Whether a model called the tools that it should, with the arguments that it should.

    Calls are compared as multisets: a call that is expected twice must be made twice. Arguments are compared as JSON
    values, whatever the order of their names and the spelling of numbers (1 and 1.0 are the same, 1 and true are not);
    on both sides they may be an object or, as OpenAI has it, its JSON in a text.

    Both sides may be a list of calls, `{"name", "arguments"}` or `{"type": "function", "function": {...}}`, a message
    with `tool_calls`, a response with such a message in `choices`, or the JSON text of any of these. A message without
    `tool_calls` makes no call; an empty list expects none. Where nothing is expected and nothing is made all scores
    are 1; otherwise precision without calls, and recall without expected ones, is 0. What is no such list, arguments
    that are no JSON object, or more than 256 calls give no score (`unparsable`).

    NeMo Evaluator compares sets of names, so that two expected calls are satisfied by one, and its reference matches
    no arguments in a JSON text; here duplicates count and both spellings match, because both occur in OpenAI's format.

    >>> from evalbus.testing import score_row
    >>> score_row(
    ...     {"type": "tool-calling", "reference": "{{ item.calls }}", "candidate": "{{ sample.output_text }}"},
    ...     item={"calls": [{"name": "add", "arguments": {"a": 1}}, {"name": "add", "arguments": {"a": 2}}]},
    ...     output_text='[{"name": "add", "arguments": "{\\\\"a\\\\": 1}"}]',
    ... )["recall"]
    0.5
    """

    class Parameters(Closed):
        reference: TemplateText = Field(description="The expected calls.")
        candidate: TemplateText = Field(
            default=RESPONSE,
            description="The calls that were made; by default those in the response of the sample, or of the item.",
        )
        order: Order = Field(
            default="any",
            description="exact: calls count where they come in the expected order; any: wherever they come.",
        )
        arguments: Arguments = Field(
            default="exact",
            description="exact: all arguments must be the same; subset: a call may have more than are expected;"
            " ignore: only names are compared.",
        )

    scores = (
        _share("function_name_accuracy", "1 if exactly the expected tools were called, else 0."),
        _share(
            "function_name_and_args_accuracy",
            "1 if exactly the expected calls were made, with their arguments, else 0.",
        ),
        _share("precision", "The share of the calls made that were expected."),
        _share("recall", "The share of the expected calls that were made."),
        _share("f1", "The harmonic mean of precision and recall."),
    )
    corpus = (
        _share("micro_precision", "The share of all calls made that were expected."),
        _share("micro_recall", "The share of all expected calls that were made."),
        _share("micro_f1", "The harmonic mean of both."),
    )
    formula: ClassVar[str] = (
        "TP is the size of a largest matching of expected calls with calls made (in exact order: of their longest"
        " common subsequence), FP the calls made without TP, FN the expected ones without TP."
        " precision = TP / (TP + FP), recall = TP / (TP + FN), f1 = 2 TP / (2 TP + FP + FN); micro: with TP, FP and FN"
        " summed over all rows."
    )
    source: ClassVar[str] = (
        "The tool-calling metric of NVIDIA NeMo Evaluator, on multisets; precision, recall and F1 as in information"
        " retrieval (van Rijsbergen 1979)."
    )

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        most = limits.template_characters
        self._reference = compile_template(parameters.reference, characters_max=most)
        self._candidate = compile_template(parameters.candidate, characters_max=most)
        self._order: Order = parameters.order
        self._fits = fits_by(parameters.arguments)

    def templates(self) -> Mapping[str, Template]:
        return {"reference": self._reference, "candidate": self._candidate}

    def score(self, batch: Batch) -> Columns:
        references = batch.values(self._reference)
        # A template that is more than a look-up gives null as text.
        candidates = [None if found == "null" else found for found in batch.values(self._candidate)]
        notes = missing_notes(references, candidates)
        rows: list[tuple[float, ...]] = []
        counts: list[Counts | None] = []
        for row, (reference, candidate) in enumerate(zip(references, candidates, strict=True)):
            total: tuple[int, int, int] | None = None
            values = (0.0,) * len(self.scores)
            if row not in notes:
                try:
                    expected, made = _read("reference", reference), _read("candidate", candidate)
                except NoCalls as error:
                    notes[row] = Note(code=UNPARSABLE, message=str(error))
                else:
                    total = self._counts(expected, made)
                    values = (*self._accuracies(expected, made, total), *_ratios(*total))
            rows.append(values)
            counts.append(total)
        columns = [[values[place] for values in rows] for place in range(len(self.scores))]
        return Columns(
            values=[with_gaps(column, notes) for column in columns], notes=notes, counts=counts
        )

    def whole(self, total: Counts) -> Whole:
        if not isinstance(total, tuple):
            raise TypeError("the counts of a row are a tuple")
        names = ("true_positives", "false_positives", "false_negatives")
        return Whole(values=_ratios(*total), detail=dict(zip(names, total, strict=True)))

    def _counts(self, expected: Sequence[Call], made: Sequence[Call]) -> tuple[int, int, int]:
        """True positives, false positives, false negatives."""
        found = matched(expected, made, self._fits, self._order)
        return found, len(made) - found, len(expected) - found

    def _accuracies(
        self, expected: Sequence[Call], made: Sequence[Call], counts: tuple[int, int, int]
    ) -> tuple[float, float]:
        named = matched(expected, made, same_name, self._order)
        _, superfluous, missed = counts
        return float(named == len(expected) == len(made)), float(not superfluous and not missed)


def _read(side: str, value: JsonValue) -> Sequence[Call]:
    try:
        return calls_in(value)
    except NoCalls as error:
        raise NoCalls(f"{side}: {error}") from None


def _ratios(
    true_positives: int, false_positives: int, false_negatives: int
) -> tuple[float, float, float]:
    """Precision, recall and F1; 1 where nothing was expected and nothing was made."""
    wrong = false_positives + false_negatives
    if true_positives == 0:
        value = 0.0 if wrong else 1.0
        return value, value, value
    return (
        true_positives / (true_positives + false_positives),
        true_positives / (true_positives + false_negatives),
        2 * true_positives / (2 * true_positives + wrong),
    )
