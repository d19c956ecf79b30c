"""What word and character error rate share: edits in proportion to the length of the reference."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from pydantic import Field

from evalbus.metrics.base import Batch, Columns, Metric, Whole, missing_notes
from evalbus.metrics.normalization import Normalize
from evalbus.metrics.overlap.normalized_text import normalized_texts
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.scores import Counts

HITS: Final = "hits"
SUBSTITUTIONS: Final = "substitutions"
DELETIONS: Final = "deletions"
INSERTIONS: Final = "insertions"
REFERENCE_LENGTH: Final = "reference_length"

LIKELY_SHARE: Final = 0.1
"""Of edits, where the search begins; it changes the time for long texts that are alike, never the edits."""

_TAGS: Final = {
    "equal": HITS,
    "replace": SUBSTITUTIONS,
    "delete": DELETIONS,
    "insert": INSERTIONS,
}

Units = Sequence[int] | str
"""A text as what is compared one by one: its characters, or a number for each word."""


class ErrorRate(Metric):
    """Counts the edits that make the reference the answer; each kind says what the units are."""

    class Parameters(Closed):
        reference: TemplateText
        candidate: TemplateText = "{{ sample.output_text }}"
        normalize: Annotated[
            Normalize, Field(description="What is ignored on both sides, as for exact-match.")
        ] = "none"

    libraries: tuple[str, ...] = ("rapidfuzz",)

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        # Describing a metric must work where rapidfuzz is not installed.
        from rapidfuzz.distance.Levenshtein import opcodes

        most = limits.template_characters
        self._reference = compile_template(parameters.reference, characters_max=most)
        self._candidate = compile_template(parameters.candidate, characters_max=most)
        self._normalize: Normalize = parameters.normalize
        self._opcodes = opcodes

    @abstractmethod
    def units(self, reference: str, candidate: str) -> tuple[Units, Units]:
        """Both texts as units; equal units are equal in both."""

    def templates(self) -> Mapping[str, Template]:
        return {"reference": self._reference, "candidate": self._candidate}

    def score(self, batch: Batch) -> Columns:
        references = normalized_texts(batch, self._reference, self._normalize)
        candidates = normalized_texts(batch, self._candidate, self._normalize)
        values: list[float] = []
        counts: list[Counts | None] = []
        for reference, candidate in zip(references, candidates, strict=True):
            if reference is None or candidate is None:
                values.append(math.nan)
                counts.append(None)
            else:
                edits = self._edits(reference, candidate)
                values.append(_rate(edits))
                counts.append(edits)
        return Columns(values=(values,), notes=missing_notes(references, candidates), counts=counts)

    def whole(self, total: Counts) -> Whole:
        assert isinstance(total, Mapping), "score counts by name"
        return Whole(values=(_rate(total),), detail=dict(total))

    def _edits(self, reference: str, candidate: str) -> dict[str, int]:
        wanted, found = self.units(reference, candidate)
        edits = {
            HITS: 0,
            SUBSTITUTIONS: 0,
            DELETIONS: 0,
            INSERTIONS: 0,
            REFERENCE_LENGTH: len(wanted),
        }
        likely = round(max(len(wanted), len(found)) * LIKELY_SHARE)
        for step in self._opcodes(wanted, found, score_hint=likely):
            length = max(step.src_end - step.src_start, step.dest_end - step.dest_start)
            edits[_TAGS[step.tag]] += length
        return edits


def _rate(edits: Mapping[str, int]) -> float:
    """Edits over length; over an empty reference their number, as there is nothing to divide by."""
    wrong = edits[SUBSTITUTIONS] + edits[DELETIONS] + edits[INSERTIONS]
    return wrong / (edits[REFERENCE_LENGTH] or 1)
