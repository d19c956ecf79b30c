"""Character error rate: how many characters of an answer are wrong, missing or too many."""

from evalbus.metrics.base import ScoreDeclaration
from evalbus.metrics.overlap.error_rate import ErrorRate, Units


class Cer(ErrorRate):
    """The characters to replace, delete or insert, in proportion to the characters of the reference.

    0 is a perfect answer; it exceeds 1 where an answer has many characters too many. Characters are Unicode code
    points, spaces between words included, outer white space not. Nothing else is normalized unless `normalize` says
    so. An empty reference gives the number of the answer's characters, so 0 beside an empty answer. `corpus` is all
    edits over all characters of the references, not the mean of the rows. Both are those of jiwer.

        >>> from evalbus.testing import score_row
        >>> score_row(
        ...     {"type": "cer", "reference": "{{ item.spoken }}"},
        ...     item={"spoken": "meet"},
        ...     output_text="meat",
        ... )
        {'cer': 0.25}
    """

    formula = (
        "(substitutions + deletions + insertions) / characters of the reference, in the shortest way from the "
        "reference to the candidate; the corpus score sums both over all rows first."
    )
    source = "As jiwer 4 computes it; the definition is that of speech recognition (NIST SCLITE)."

    scores = (ScoreDeclaration(name="cer", direction="lower", minimum=0.0),)
    corpus = (
        ScoreDeclaration(
            name="corpus",
            direction="lower",
            minimum=0.0,
            description="Edits of all rows over the characters of all references.",
        ),
    )

    def units(self, reference: str, candidate: str) -> tuple[Units, Units]:
        return reference.strip(), candidate.strip()
