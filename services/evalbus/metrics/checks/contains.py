"""1 where an answer has expected texts in it: any of them, or all."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, cast

from pydantic import Field

from evalbus.metrics.base import (
    NO_CANDIDATE,
    NO_REFERENCE,
    Batch,
    Columns,
    Metric,
    Note,
    ScoreDeclaration,
    with_gaps,
)
from evalbus.metrics.normalization import Normalize, normalize
from evalbus.templates import Template, as_text, compile_template
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits

EXPECTED_MAX = 32


class Contains(Metric):
    """What is common to looking for any and for all of several texts."""

    class Parameters(Closed):
        expected: Annotated[
            tuple[TemplateText, ...], Field(min_length=1, max_length=EXPECTED_MAX)
        ] = Field(
            description="The texts to look for; a template that gives a list stands for its elements."
        )
        candidate: TemplateText = "{{ sample.output_text }}"
        normalize: Normalize = Field(
            default="casefold",
            description="What is ignored on both sides. casefold: case and outer space; strip: outer space;"
            " none: nothing; squad: case, ASCII punctuation, English articles and spacing.",
        )

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        most = limits.template_characters
        self._candidate = compile_template(parameters.candidate, characters_max=most)
        self._expected = [
            compile_template(text, characters_max=most) for text in parameters.expected
        ]
        self._normalize: Normalize = parameters.normalize

    def templates(self) -> Mapping[str, Template]:
        expected = {f"expected.{place}": each for place, each in enumerate(self._expected)}
        return {"candidate": self._candidate, **expected}

    def score(self, batch: Batch) -> Columns:
        candidates = batch.texts(self._candidate)
        columns = [batch.values(template) for template in self._expected]
        notes: dict[int, Note] = {}
        values: list[float] = []
        for row, (candidate, found) in enumerate(
            zip(candidates, zip(*columns, strict=True), strict=True)
        ):
            expected = self._texts(found)
            values.append(0.0)
            if not expected:
                notes[row] = Note(code=NO_REFERENCE, message="there is no text to look for")
            elif candidate is None:
                notes[row] = Note(code=NO_CANDIDATE, message="there is nothing to score: null")
            else:
                text = normalize(candidate, self._normalize)
                values[row] = 1.0 if self._holds(each in text for each in expected) else 0.0
        return Columns(values=(with_gaps(values, notes),), notes=notes)

    @abstractmethod
    def _holds(self, found: Iterable[bool]) -> bool:
        """What the value is, from whether each of the texts is there."""

    def _texts(self, found: Sequence[object]) -> list[str]:
        """Normalized; without null, and without what nothing is left of: that would be in every text."""
        parts = (
            part
            for value in found
            for part in (cast("list[object]", value) if isinstance(value, list) else (value,))
        )
        texts = (normalize(as_text(part), self._normalize) for part in parts if part is not None)
        return [text for text in texts if text]


class ContainsAny(Contains):
    """Whether an answer has at least one of the expected texts in it: 1 if it does, else 0.

    A text is in an answer if the answer has its characters in a row, also inside of a word: `cat` is in `concatenate`.
    What is no text counts as its JSON text. Expected texts that are null or empty are left out, because an empty text
    is in every answer; where none is left there is no score (`no_reference`).

    >>> from evalbus.testing import score_row
    >>> score_row(
    ...     {"type": "contains-any", "expected": ["{{ item.answers }}"]},
    ...     item={"answers": ["New York", "NYC"]},
    ...     output_text="It is new york.",
    ... )
    {'contains-any': 1.0}
    """

    scores = (
        ScoreDeclaration(
            name="contains-any",
            direction="higher",
            minimum=0.0,
            maximum=1.0,
            description="1 if one of the texts is in the answer, else 0.",
        ),
    )
    formula: ClassVar[str] = (
        "1 if normalize(e) is a part of normalize(candidate) for one expected e, else 0."
    )
    source: ClassVar[str] = "Our own; the includes check of other evaluators, for several texts."

    def _holds(self, found: Iterable[bool]) -> bool:
        return any(found)


class ContainsAll(Contains):
    """Whether an answer has every one of the expected texts in it: 1 if it does, else 0.

    A text is in an answer as for `contains-any`: its characters in a row, also inside of a word; two texts may
    overlap. What is no text counts as its JSON text. Expected texts that are null or empty are left out; where none
    is left there is no score (`no_reference`).

    >>> from evalbus.testing import score_row
    >>> score_row(
    ...     {"type": "contains-all", "expected": ["{{ item.city }}", "France"]},
    ...     item={"city": "Paris"},
    ...     output_text="Paris is in Texas.",
    ... )
    {'contains-all': 0.0}
    """

    scores = (
        ScoreDeclaration(
            name="contains-all",
            direction="higher",
            minimum=0.0,
            maximum=1.0,
            description="1 if all of the texts are in the answer, else 0.",
        ),
    )
    formula: ClassVar[str] = (
        "1 if normalize(e) is a part of normalize(candidate) for every expected e, else 0."
    )
    source: ClassVar[str] = "Our own; the includes check of other evaluators, for several texts."

    def _holds(self, found: Iterable[bool]) -> bool:
        return all(found)
