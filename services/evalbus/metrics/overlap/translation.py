"""What the metrics of translation share: a value for each row from its counts, and one from the sum of all counts."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence

from evalbus.metrics.base import Batch, Columns, Metric, missing_notes
from evalbus.metrics.overlap.references import (
    References,
    Texts,
    all_references,
    compile_references,
)
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.scores import Counts


class TranslationParameters(Closed):
    """What every one of them takes."""

    references: References
    candidate: TemplateText = "{{ sample.output_text }}"


class TranslationMetric(Metric):
    """Compares a candidate with all references of its row, as sacrebleu does; each kind says how it counts.

    A row takes part in the whole with integers, so the corpus score is that of one run over all rows, however they
    were divided.
    """

    libraries: tuple[str, ...] = ("sacrebleu",)

    def __init__(self, parameters: TranslationParameters, limits: RowLimits) -> None:
        most = limits.template_characters
        self._candidate = compile_template(parameters.candidate, characters_max=most)
        self._references = compile_references(parameters.references, characters_max=most)

    @abstractmethod
    def counts_of(self, candidates: Sequence[str], references: Sequence[Texts]) -> Sequence[Counts]:
        """What each row adds to the whole; every row has a reference."""

    @abstractmethod
    def sentence(self, counts: Counts) -> float:
        """The value of a single row."""

    def templates(self) -> Mapping[str, Template]:
        return {**self._references, "candidate": self._candidate}

    def score(self, batch: Batch) -> Columns:
        candidates = batch.texts(self._candidate)
        references = all_references(batch, self._references)
        notes = missing_notes(references, candidates)
        pairs = [
            (row, candidate, texts)
            for row, (candidate, texts) in enumerate(zip(candidates, references, strict=True))
            if candidate is not None and texts is not None
        ]
        counted = self.counts_of([pair[1] for pair in pairs], [pair[2] for pair in pairs])
        values = [math.nan] * len(batch)
        counts: list[Counts | None] = [None] * len(batch)
        for (row, _, _), of_row in zip(pairs, counted, strict=True):
            values[row] = self.sentence(of_row)
            counts[row] = of_row
        return Columns(values=(values,), notes=notes, counts=counts)
