"""Word error rate: how many words of an answer are wrong, missing or too many."""

from evalbus.metrics.base import ScoreDeclaration
from evalbus.metrics.overlap.error_rate import ErrorRate, Units


class Wer(ErrorRate):
    """The words to replace, delete or insert, in proportion to the words of the reference.

    0 is a perfect answer; it exceeds 1 where an answer has many words too many. Nothing is normalized unless
    `normalize` says so: "Hello world." beside "hello world" is 1.0. An empty reference gives the number of the
    answer's words, so 0 beside an empty answer. `corpus` is all edits over all words of the references, not the mean
    of the rows. Both are those of jiwer, but for words that stand apart by a lone tab or line break: jiwer takes
    them for one word, because it splits at spaces only; here any white space ends a word.

        >>> from evalbus.testing import score_row
        >>> score_row(
        ...     {"type": "wer", "reference": "{{ item.spoken }}"},
        ...     item={"spoken": "the cat sat on the mat"},
        ...     output_text="the cat sat on mat",
        ... )
        {'wer': 0.16666666666666666}
    """

    formula = (
        "(substitutions + deletions + insertions) / words of the reference, in the shortest way from the reference to "
        "the candidate; the corpus score sums both over all rows first."
    )
    source = "As jiwer 4 computes it; the definition is that of speech recognition (NIST SCLITE)."

    scores = (ScoreDeclaration(name="wer", direction="lower", minimum=0.0),)
    corpus = (
        ScoreDeclaration(
            name="corpus",
            direction="lower",
            minimum=0.0,
            description="Edits of all rows over the words of all references.",
        ),
    )

    def units(self, reference: str, candidate: str) -> tuple[Units, Units]:
        numbers: dict[str, int] = {}
        wanted = [numbers.setdefault(word, len(numbers)) for word in reference.split()]
        found = [numbers.setdefault(word, len(numbers)) for word in candidate.split()]
        return wanted, found
