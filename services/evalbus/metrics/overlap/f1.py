"""How many words an answer shares with its reference: the harmonic mean of precision and recall."""

from collections import Counter
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
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits


class F1(Metric):
    """Compares the words left by SQuAD normalization as multisets; two texts without any words are equal (1.0)."""

    class Parameters(Closed):
        reference: TemplateText
        candidate: TemplateText = "{{ sample.output_text }}"

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
    shared = _shared(candidate, reference)
    if shared == 0:
        return 0.0
    precision, recall = shared / len(candidate), shared / len(reference)
    return 2 * precision * recall / (precision + recall)


def _shared(candidate: Words, reference: Words) -> int:
    """The size of the intersection of the multisets."""
    distinct = set(candidate)
    common = distinct.intersection(reference)
    if not common or len(distinct) == len(candidate):
        # Every word stands once on one side, so it is shared at most once.
        return len(common)
    return (Counter(candidate) & Counter(reference)).total()
