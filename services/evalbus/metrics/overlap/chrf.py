"""How many runs of characters a translation shares with its reference: an F-score that leans to recall."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field

from evalbus.metrics.base import ScoreDeclaration, Whole
from evalbus.metrics.overlap.references import Texts
from evalbus.metrics.overlap.sacrebleu_counts import counts_by_row, value_of
from evalbus.metrics.overlap.translation import TranslationMetric, TranslationParameters
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.scores import Counts

ORDER_MAX: Final = 10
LARGEST: Final = 100.0


class Chrf(TranslationMetric):
    """Counts the runs of one to six characters that an answer shares with a reference: chrF2; with words, chrF++.

    `sentence` is the value of one row, by its best reference; `corpus` that of all rows together, from the sum of
    their counts. Both are those of sacrebleu, rounding errors above 100 cut off. It needs no tokenizer, so it works
    in any script. White space does not count unless `whitespace` is set. As in sacrebleu, a text without characters
    gives 0, even beside a reference without.

        >>> from evalbus.testing import score_row
        >>> score_row(
        ...     {"type": "chrf", "references": ["{{ item.answer }}"]},
        ...     item={"answer": "Paris"},
        ...     output_text="Paris",
        ... )
        {'sentence': 100.0}
    """

    class Parameters(TranslationParameters):
        char_order: Annotated[
            int, Field(ge=1, le=ORDER_MAX, description="The longest run of characters.")
        ] = 6
        word_order: Annotated[
            int,
            Field(ge=0, le=ORDER_MAX, description="The longest run of words; 2 makes it chrF++."),
        ] = 0
        beta: Annotated[
            int,
            Field(ge=1, le=10, description="How many times as important recall is as precision."),
        ] = 2
        lowercase: Annotated[bool, Field(description="Whether case is ignored.")] = False
        whitespace: Annotated[bool, Field(description="Whether white space counts.")] = False
        eps_smoothing: Annotated[
            bool,
            Field(
                description="Whether a length that one side does not have counts as nearly 0, as in chrF++.py and NLTK, "
                "instead of being left out."
            ),
        ] = False

    formula = (
        "100 · (1 + β²) · P · R / (β² · P + R), P and R being the means of matched / candidate's and matched / "
        "reference's n-grams, over the lengths n that both texts have; the corpus score sums the three counts of each "
        "length over all rows first. With eps_smoothing the mean of this F-score over all lengths."
    )
    source = (
        "Popović, chrF: character n-gram F-score for automatic MT evaluation, WMT 2015, and chrF++: words helping "
        "character n-grams, WMT 2017; as sacrebleu computes it."
    )

    scores = (
        ScoreDeclaration(
            name="sentence",
            direction="higher",
            minimum=0.0,
            maximum=LARGEST,
            description="chrF of one row.",
        ),
    )
    corpus = (
        ScoreDeclaration(
            name="corpus",
            direction="higher",
            minimum=0.0,
            maximum=LARGEST,
            description="chrF of all rows together, from the sum of their counts.",
        ),
    )

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        # Describing a metric must work where sacrebleu is not installed.
        from sacrebleu.metrics.chrf import CHRF

        super().__init__(parameters, limits)
        self._scorer = CHRF(
            char_order=parameters.char_order,
            word_order=parameters.word_order,
            beta=parameters.beta,
            lowercase=parameters.lowercase,
            whitespace=parameters.whitespace,
            eps_smoothing=parameters.eps_smoothing,
        )

    def counts_of(self, candidates: Sequence[str], references: Sequence[Texts]) -> Sequence[Counts]:
        """Three integers for each length: the candidate's n-grams, its best reference's, and those matched."""
        rows = counts_by_row(self._scorer, candidates, references)
        return [tuple(map(int, row)) for row in rows]

    def sentence(self, counts: Counts) -> float:
        assert isinstance(counts, tuple), "counts_of gives them by place"
        return min(value_of(self._scorer, counts), LARGEST)

    def whole(self, total: Counts) -> Whole:
        return Whole(values=(self.sentence(total),))
