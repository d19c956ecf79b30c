"""How much of a summary's wording its reference has: F-measures of shared word runs and subsequences."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Annotated, Final

from pydantic import Field

from evalbus.metrics.base import Batch, Columns, Metric, ScoreDeclaration, missing_notes
from evalbus.metrics.overlap.multisets import shared_size
from evalbus.metrics.overlap.references import Texts, all_references
from evalbus.metrics.overlap.rouge_words import RougeWords
from evalbus.metrics.overlap.union_lcs import Line, union_lcs
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits

LIKELY_SIMILARITY: Final = 0.9
RUNS: Final = (1, 2, 3)
DESCRIPTIONS: Final = {
    "rouge_1_score": "F-measure of single words.",
    "rouge_2_score": "F-measure of runs of two words.",
    "rouge_3_score": "F-measure of runs of three words.",
    "rouge_L_score": "F-measure of the words in the longest common subsequence.",
    "rouge_Lsum_score": "F-measure of the words in the longest common subsequences of lines.",
}

Lines = Sequence[Sequence[str]]
Values = tuple[float, ...]


class Rouge(Metric):
    """Compares the words of an answer with those of a reference: single ones, runs of two and three, and in order.

    Every score is an F-measure. `rouge_L_score` takes the longest common subsequence of the whole texts,
    `rouge_Lsum_score` that of every line of the reference with every line of the answer, joined; texts of one line
    have the same of both. With several references each score is that of its best one. On ASCII text the values are
    those of the rouge-score package, a text without words giving 0 even beside another.

    Beyond ASCII that package knows no words, so two equal Chinese texts give 0 there and 1 here: a word is a run of
    letters, digits and their marks in any script, after Unicode normalization (NFC); in scripts written without
    spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) every letter is one. Endings are taken off ASCII words only.
    Symbols and emoji are no words, as in ASCII.

        >>> from evalbus.testing import score_row
        >>> scores = score_row(
        ...     {"type": "rouge", "reference": "{{ item.summary }}"},
        ...     item={"summary": "the cat sat on the mat"},
        ...     output_text="the cats sat",
        ... )
        >>> {name: round(value, 3) for name, value in scores.items()}
        {'rouge_1_score': 0.667, 'rouge_2_score': 0.571, 'rouge_3_score': 0.4, 'rouge_L_score': 0.667, 'rouge_Lsum_score': 0.667}
    """

    class Parameters(Closed):
        reference: Annotated[
            TemplateText,
            Field(description="One that gives a list of texts stands for several references."),
        ]
        candidate: TemplateText = "{{ sample.output_text }}"
        stemmer: Annotated[
            bool, Field(description="Whether English endings are ignored (Porter's stemmer).")
        ] = True

    formula = (
        "2 · P · R / (P + R), with P = shared / candidate's and R = shared / reference's runs of n words (rouge_n), or "
        "words: those shared are in a longest common subsequence of the two texts (rouge_L), or in one of a line of the "
        "reference with some line of the candidate (rouge_Lsum)."
    )
    source = (
        "Lin, ROUGE: A Package for Automatic Evaluation of Summaries, 2004; as the rouge-score package 0.1.2 computes "
        "it for English."
    )
    libraries: tuple[str, ...] = ("nltk", "rapidfuzz", "regex")

    scores = tuple(
        ScoreDeclaration(
            name=name, direction="higher", minimum=0.0, maximum=1.0, description=description
        )
        for name, description in DESCRIPTIONS.items()
    )

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        # Describing a metric must work where rapidfuzz is not installed.
        from rapidfuzz.distance.LCSseq import similarity

        most = limits.template_characters
        self._reference = compile_template(parameters.reference, characters_max=most)
        self._candidate = compile_template(parameters.candidate, characters_max=most)
        self._words = RougeWords(stemmer=parameters.stemmer)
        self._similarity = similarity

    def templates(self) -> Mapping[str, Template]:
        return {"reference": self._reference, "candidate": self._candidate}

    def warm_up(self) -> None:
        self._words.load()

    def score(self, batch: Batch) -> Columns:
        references = all_references(batch, {"reference": self._reference})
        candidates = batch.texts(self._candidate)
        notes = missing_notes(references, candidates)
        nothing = (float("nan"),) * len(DESCRIPTIONS)
        rows = [
            nothing if texts is None or candidate is None else self._best(texts, candidate)
            for texts, candidate in zip(references, candidates, strict=True)
        ]
        columns = [[row[place] for row in rows] for place in range(len(DESCRIPTIONS))]
        return Columns(values=columns, notes=notes)

    def _best(self, references: Texts, candidate: str) -> Values:
        lines = self._words.of_lines(candidate)
        each = [self._scores(self._words.of_lines(reference), lines) for reference in references]
        return tuple(map(max, zip(*each, strict=True)))

    def _lcs_length(self, left: Line, right: Line) -> int:
        # Long texts that are alike take a fraction of the time when that is expected; 0 means that they are not.
        expected = int(LIKELY_SIMILARITY * min(len(left), len(right)))
        return self._similarity(left, right, score_cutoff=expected) or self._similarity(left, right)

    def _scores(self, reference: Lines, candidate: Lines) -> Values:
        numbers: dict[str, int] = {}
        wanted_lines, found_lines = _numbered(reference, numbers), _numbered(candidate, numbers)
        wanted, found = list(chain(*wanted_lines)), list(chain(*found_lines))
        in_order = self._lcs_length(wanted, found)
        if len(wanted_lines) == len(found_lines) == 1:
            in_lines = in_order
        else:
            # A word counts at most as often as the answer has it, in however many lines it was found.
            in_lines = shared_size(list(union_lcs(wanted_lines, found_lines)), found)
        return (
            *(_f_of_runs(wanted, found, length) for length in RUNS),
            _f(in_order, len(wanted), len(found)),
            _f(in_lines, len(wanted), len(found)),
        )


def _numbered(lines: Lines, numbers: dict[str, int]) -> list[Line]:
    return [[numbers.setdefault(word, len(numbers)) for word in line] for line in lines]


def _f_of_runs(reference: Line, candidate: Line, length: int) -> float:
    wanted, found = _runs(reference, length), _runs(candidate, length)
    return _f(shared_size(wanted, found), len(wanted), len(found))


def _runs(words: Line, length: int) -> list[tuple[int, ...]]:
    return list(zip(*(words[start:] for start in range(length)), strict=False))


def _f(shared: int, wanted: int, found: int) -> float:
    if shared == 0:
        return 0.0
    precision, recall = shared / found, shared / wanted
    return 2 * precision * recall / (precision + recall)
