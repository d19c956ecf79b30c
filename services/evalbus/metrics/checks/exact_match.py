"""1 for an answer that is the reference, 0 for any other."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from evalbus.metrics.base import (
    Batch,
    Columns,
    Metric,
    ScoreDeclaration,
    missing_notes,
    with_gaps,
)
from evalbus.metrics.normalization import Normalize, normalized
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits


class ExactMatch(Metric):
    """Whether an answer is the reference: 1 if both are the same text after the same normalization, else 0.

    What is no text counts as its JSON text: `4` and `"4"` are the same, `true` and `"True"` only without case. By
    default both sides are normalized as SQuAD does; its articles are English and its punctuation ASCII, so texts in
    other scripts keep theirs. Two texts that nothing is left of (`the` and `...`) are the same.

    NeMo Evaluator raises an error for a reference that is no text; here it is compared, because datasets have numbers
    and booleans for answers.

    >>> from evalbus.testing import score_row
    >>> score_row({"type": "exact-match", "reference": "{{ item.answer }}"}, item={"answer": "Paris"}, output_text="paris.")
    {'exact-match': 1.0}
    """

    class Parameters(Closed):
        reference: TemplateText
        candidate: TemplateText = "{{ sample.output_text }}"
        normalize: Normalize = Field(
            default="squad",
            description="What is ignored. squad: case, ASCII punctuation, English articles and spacing;"
            " casefold: case and outer space; strip: outer space; none: nothing.",
        )

    scores = (
        ScoreDeclaration(
            name="exact-match",
            direction="higher",
            minimum=0.0,
            maximum=1.0,
            description="1 if the answer is the reference, else 0.",
        ),
    )
    formula: ClassVar[str] = "1 if normalize(candidate) = normalize(reference), else 0."
    source: ClassVar[str] = (
        "Exact match of SQuAD: Rajpurkar et al. 2016, arXiv:1606.05250, section 6.1;"
        " with normalize none, strip or casefold plain equality of texts."
    )

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        most = limits.template_characters
        self._reference = compile_template(parameters.reference, characters_max=most)
        self._candidate = compile_template(parameters.candidate, characters_max=most)
        self._normalize: Normalize = parameters.normalize

    def templates(self) -> Mapping[str, Template]:
        return {"reference": self._reference, "candidate": self._candidate}

    def score(self, batch: Batch) -> Columns:
        references = normalized(batch, self._reference, self._normalize)
        candidates = normalized(batch, self._candidate, self._normalize)
        notes = missing_notes(references, candidates)
        values = [
            1.0 if candidate == reference else 0.0
            for candidate, reference in zip(candidates, references, strict=True)
        ]
        return Columns(values=(with_gaps(values, notes),), notes=notes)
