"""1 for an answer that is the reference, 0 for any other."""

from collections.abc import Mapping

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
    """Compares both sides as text after the same normalization; a number counts as its JSON text.

    `normalize`: `squad` ignores case, ASCII punctuation, English articles and spacing; `casefold` ignores case and
    outer space; `strip` outer space; `none` nothing.
    """

    class Parameters(Closed):
        reference: TemplateText
        candidate: TemplateText = "{{ sample.output_text }}"
        normalize: Normalize = "squad"

    scores = (ScoreDeclaration(name="exact-match", direction="higher", minimum=0.0, maximum=1.0),)

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
