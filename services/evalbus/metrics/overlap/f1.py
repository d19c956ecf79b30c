"""How many words an answer shares with its reference: the harmonic mean of precision and recall."""

from collections.abc import Mapping

from evalbus.metrics.base import (
    Batch,
    Columns,
    Metric,
    ScoreDeclaration,
    missing_notes,
    with_gaps,
)
from evalbus.metrics.normalization import Words, squad_words_of
from evalbus.metrics.overlap.multisets import shared_size
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits


class F1(Metric):
    """Compares the words left by SQuAD normalization as multisets, so their order does not count.

    Normalization ignores case, ASCII punctuation, English articles and spacing. Two texts without any words are
    equal (1.0), as in the second release of SQuAD; the first gave 0. A text without words beside one with gives 0.

        >>> from evalbus.testing import score_row
        >>> score_row(
        ...     {"type": "f1", "reference": "{{ item.answer }}"},
        ...     item={"answer": "the Eiffel Tower"},
        ...     output_text="It is the Eiffel Tower!",
        ... )
        {'f1': 0.6666666666666666}
    """

    class Parameters(Closed):
        reference: TemplateText
        candidate: TemplateText = "{{ sample.output_text }}"

    formula = (
        "2 · P · R / (P + R), with P = shared words / words of the candidate and R = shared words / words of the "
        "reference; a word is shared as often as both have it."
    )
    source = (
        "Rajpurkar et al., Know What You Don't Know, ACL 2018: the evaluation script of SQuAD 2.0."
    )

    scores = (ScoreDeclaration(name="f1", direction="higher", minimum=0.0, maximum=1.0),)

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        most = limits.template_characters
        self._reference = compile_template(parameters.reference, characters_max=most)
        self._candidate = compile_template(parameters.candidate, characters_max=most)

    def templates(self) -> Mapping[str, Template]:
        return {"reference": self._reference, "candidate": self._candidate}

    def score(self, batch: Batch) -> Columns:
        references = squad_words_of(batch, self._reference)
        candidates = squad_words_of(batch, self._candidate)
        notes = missing_notes(references, candidates)
        values = [
            word_f1(candidate or (), reference or ())
            for candidate, reference in zip(candidates, references, strict=True)
        ]
        return Columns(values=(with_gaps(values, notes),), notes=notes)


def word_f1(candidate: Words, reference: Words) -> float:
    """The F1 of two multisets of words; 1.0 if both are empty."""
    if candidate == reference:
        return 1.0
    shared = shared_size(candidate, reference)
    if shared == 0:
        return 0.0
    precision, recall = shared / len(candidate), shared / len(reference)
    return 2 * precision * recall / (precision + recall)
