"""How much of a translation's wording its references have: the geometric mean of n-gram precisions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from evalbus.metrics.base import ScoreDeclaration, Whole
from evalbus.metrics.overlap.references import Texts
from evalbus.metrics.overlap.sacrebleu_counts import counts_by_row
from evalbus.metrics.overlap.translation import TranslationMetric, TranslationParameters
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.scores import Counts

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEUScore

ORDER_MAX: Final = 4
LARGEST: Final = 100.0


class Bleu(TranslationMetric):
    """Counts the runs of one to four words that an answer shares with its references, and punishes short answers.

    `sentence` is the value of one row, `corpus` that of all rows together: it comes from the sum of their counts,
    and is not the mean of the rows. Both are those of sacrebleu with all references of a row, rounding errors
    above 100 cut off. As there, a text without words gives 0, even beside a reference without words. The tokenizers
    are those that need no download; `13a` is for languages that put spaces between words, `zh` for Chinese, `char`
    for any other.

        >>> from evalbus.testing import score_row
        >>> score_row(
        ...     {"type": "bleu", "references": ["{{ item.answer }}"]},
        ...     item={"answer": "The cat sat on the mat."},
        ...     output_text="The cat sat on the mat.",
        ... )
        {'sentence': 100.0}
    """

    class Parameters(TranslationParameters):
        tokenize: Annotated[
            Literal["13a", "intl", "char", "zh", "none"],
            Field(description="How words are found: the name of one of sacrebleu's tokenizers."),
        ] = "13a"
        lowercase: Annotated[bool, Field(description="Whether case is ignored.")] = False
        smooth: Annotated[
            Literal["exp", "floor", "add-k", "none"],
            Field(description="What stands for the precision of a length without any match."),
        ] = "exp"
        smooth_value: Annotated[
            float | None,
            Field(
                ge=0,
                le=100,
                description="Of `floor` (0.1 if not given) and `add-k` (1); the others have none.",
            ),
        ] = None

        @model_validator(mode="after")
        def _value_belongs_to_some_ways_of_smoothing(self) -> Self:
            if self.smooth_value is not None and self.smooth not in {"floor", "add-k"}:
                raise ValueError("smooth_value is only for smooth 'floor' and 'add-k'")
            return self

    formula = (
        "100 · BP · exp(mean of ln pₙ, n = 1..4), pₙ = matched / all n-grams of the candidate, each matched at most as "
        "often as one reference has it, and none at all smoothed as `smooth` says; BP = exp(1 - r/c) if c < r, else 1, "
        "with c the words of the candidate and r those of the reference nearest in length. The corpus score sums matches "
        "and lengths over all rows first; for a row, lengths n without n-grams are left out (effective order)."
    )
    source = (
        "Papineni et al., BLEU: a Method for Automatic Evaluation of Machine Translation, ACL 2002; as sacrebleu "
        "computes it (Post, A Call for Clarity in Reporting BLEU Scores, WMT 2018)."
    )
    # intl finds punctuation with the tables of regex.
    libraries: tuple[str, ...] = ("regex", "sacrebleu")

    scores = (
        ScoreDeclaration(
            name="sentence",
            direction="higher",
            minimum=0.0,
            maximum=LARGEST,
            description="BLEU of one row.",
        ),
    )
    corpus = (
        ScoreDeclaration(
            name="corpus",
            direction="higher",
            minimum=0.0,
            maximum=LARGEST,
            description="BLEU of all rows together, from the sum of their counts.",
        ),
    )

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        # Describing a metric must work where sacrebleu is not installed.
        from sacrebleu.metrics.bleu import BLEU

        super().__init__(parameters, limits)
        self._smooth = parameters.smooth
        self._smooth_value = parameters.smooth_value
        self._scorer = BLEU(
            lowercase=parameters.lowercase,
            tokenize=parameters.tokenize,
            # Otherwise it writes to the log when many texts end in a lone full stop.
            force=True,
        )

    def counts_of(self, candidates: Sequence[str], references: Sequence[Texts]) -> Sequence[Counts]:
        """Ten integers: the words of both sides, then matched and all n-grams of each length."""
        rows = counts_by_row(self._scorer, candidates, references)
        return [tuple(map(int, row)) for row in rows]

    def sentence(self, counts: Counts) -> float:
        return min(self._bleu(counts, effective_order=True).score, LARGEST)

    def whole(self, total: Counts) -> Whole:
        bleu = self._bleu(total, effective_order=False)
        return Whole(
            values=(min(bleu.score, LARGEST),),
            detail={
                "precisions": list(bleu.precisions),
                "brevity_penalty": bleu.bp,
                "candidate_words": bleu.sys_len,
                "reference_words": bleu.ref_len,
            },
        )

    def _bleu(self, counts: Counts, *, effective_order: bool) -> "BLEUScore":
        assert isinstance(counts, tuple), "counts_of gives them by place"
        candidate_words, reference_words, *matched_and_all = counts
        return self._scorer.compute_bleu(  # pyright: ignore[reportUnknownMemberType]  # smooth_value has no type
            correct=matched_and_all[:ORDER_MAX],
            total=matched_and_all[ORDER_MAX:],
            sys_len=candidate_words,
            ref_len=reference_words,
            smooth_method=self._smooth,
            smooth_value=self._smooth_value,
            effective_order=effective_order,
        )
