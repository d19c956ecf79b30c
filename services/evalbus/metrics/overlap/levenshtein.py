"""How alike two texts are: the share of characters that need no edit."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field

from evalbus.metrics.base import Batch, Columns, Metric, ScoreDeclaration, missing_notes, with_gaps
from evalbus.metrics.normalization import Normalize
from evalbus.metrics.overlap.normalized_text import normalized_texts
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits

LIKELY_SIMILARITY: Final = 0.9
"""Where the search begins; it changes the time for long texts that are alike, never the value."""


class Levenshtein(Metric):
    """1 for equal texts, less for each character to insert, delete or replace, 0 if nothing can stay in its place.

    Characters are Unicode code points, so an accent written as a character of its own counts as one. Two empty
    texts are equal. Texts are compared as they are unless `normalize` says otherwise, as for exact-match. The time
    grows with the product of the lengths: two texts of a million characters need to be alike to be compared within
    a row's time.

        >>> from evalbus.testing import score_row
        >>> score_row(
        ...     {"type": "levenshtein", "reference": "{{ item.answer }}"},
        ...     item={"answer": "colour"},
        ...     output_text="color!",
        ... )
        {'levenshtein': 0.6666666666666667}
    """

    class Parameters(Closed):
        reference: TemplateText
        candidate: TemplateText = "{{ sample.output_text }}"
        normalize: Annotated[
            Normalize, Field(description="What is ignored on both sides, as for exact-match.")
        ] = "none"

    formula = "1 - d / max(characters of both), d the Levenshtein distance."
    source = (
        "Levenshtein, Binary codes capable of correcting deletions, insertions, and reversals, 1966; as rapidfuzz "
        "computes it."
    )
    libraries: tuple[str, ...] = ("rapidfuzz",)

    scores = (ScoreDeclaration(name="levenshtein", direction="higher", minimum=0.0, maximum=1.0),)

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        # Describing a metric must work where rapidfuzz is not installed.
        from rapidfuzz.distance.Levenshtein import normalized_similarity

        most = limits.template_characters
        self._reference = compile_template(parameters.reference, characters_max=most)
        self._candidate = compile_template(parameters.candidate, characters_max=most)
        self._normalize: Normalize = parameters.normalize
        self._similarity = normalized_similarity

    def templates(self) -> Mapping[str, Template]:
        return {"reference": self._reference, "candidate": self._candidate}

    def score(self, batch: Batch) -> Columns:
        references = normalized_texts(batch, self._reference, self._normalize)
        candidates = normalized_texts(batch, self._candidate, self._normalize)
        notes = missing_notes(references, candidates)
        values = [
            self._similarity(candidate or "", reference or "", score_hint=LIKELY_SIMILARITY)
            for candidate, reference in zip(candidates, references, strict=True)
        ]
        return Columns(values=(with_gaps(values, notes),), notes=notes)
