"""How much of a translation would have to be edited to make it one of its references."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Final

from pydantic import Field

from evalbus.metrics.base import ScoreDeclaration, Whole
from evalbus.metrics.overlap.references import Texts
from evalbus.metrics.overlap.sacrebleu_counts import counts_by_row, value_of
from evalbus.metrics.overlap.translation import TranslationMetric, TranslationParameters
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.scores import Counts

EDITS: Final = "edits"
WORDS_OVER: Final = "reference_words/"


class Ter(TranslationMetric):
    """Counts the words to insert, delete, replace or move as a block, in percent of the reference's words.

    0 is a perfect answer; a long wrong one goes beyond 100. `sentence` is the value of one row: the fewest edits to
    any reference over the mean length of them; `corpus` that of all rows together, all edits over all lengths. Both
    are those of sacrebleu; where rows have a number of references that is no power of two, its sum of rounded means
    can differ in the last digits from ours, which is exact, so that it does not depend on the order of rows. An
    empty reference gives 100, and 0 beside an empty answer. The search takes time that grows with the square of the
    length: rows of many thousand words fail by the row's time limit.

        >>> from evalbus.testing import score_row
        >>> score_row(
        ...     {"type": "ter", "references": ["{{ item.answer }}"]},
        ...     item={"answer": "the cat sat on the mat"},
        ...     output_text="on the mat sat the cat",
        ... )
        {'sentence': 33.33333333333333}
    """

    class Parameters(TranslationParameters):
        normalized: Annotated[
            bool, Field(description="Whether punctuation is split from words before comparing.")
        ] = False
        no_punct: Annotated[bool, Field(description="Whether punctuation is ignored.")] = False
        asian_support: Annotated[
            bool,
            Field(description="Whether these two deal with Chinese and Japanese as well."),
        ] = False
        case_sensitive: Annotated[bool, Field(description="Whether case counts.")] = False

    formula = (
        "100 · edits / words of the reference: the fewest insertions, deletions, substitutions and shifts of a run of "
        "words to any reference, over the mean number of words of all references; the corpus score sums both over all "
        "rows first."
    )
    source = (
        "Snover et al., A Study of Translation Edit Rate with Targeted Human Annotation, AMTA 2006; as sacrebleu "
        "computes it after Tercom."
    )

    scores = (
        ScoreDeclaration(
            name="sentence",
            direction="lower",
            minimum=0.0,
            unit="%",
            description="Edits of one row in percent of its reference's words.",
        ),
    )
    corpus = (
        ScoreDeclaration(
            name="corpus",
            direction="lower",
            minimum=0.0,
            unit="%",
            description="Edits of all rows in percent of the words of all references.",
        ),
    )

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        # Describing a metric must work where sacrebleu is not installed.
        from sacrebleu.metrics.ter import TER

        super().__init__(parameters, limits)
        self._scorer = TER(
            normalized=parameters.normalized,
            no_punct=parameters.no_punct,
            asian_support=parameters.asian_support,
            case_sensitive=parameters.case_sensitive,
        )

    def counts_of(self, candidates: Sequence[str], references: Sequence[Texts]) -> Sequence[Counts]:
        """The edits, and the words of all references under the number of references they are to be divided by."""
        rows = counts_by_row(self._scorer, candidates, references)
        return [
            # sacrebleu divides right away; only the integer before that adds up exactly.
            {EDITS: int(edits), f"{WORDS_OVER}{len(texts)}": round(mean_words * len(texts))}
            for (edits, mean_words), texts in zip(rows, references, strict=True)
        ]

    def sentence(self, counts: Counts) -> float:
        assert isinstance(counts, Mapping), "counts_of gives them by name"
        words = sum(
            Fraction(number, int(name.removeprefix(WORDS_OVER)))
            for name, number in counts.items()
            if name != EDITS
        )
        return value_of(self._scorer, (counts[EDITS], float(words)))

    def whole(self, total: Counts) -> Whole:
        return Whole(values=(self.sentence(total),))
