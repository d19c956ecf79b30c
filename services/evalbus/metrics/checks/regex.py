"""1 where a regular expression is found in an answer, 0 where it is not."""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from evalbus.metrics.base import (
    Batch,
    Columns,
    Metric,
    ScoreDeclaration,
    missing_notes,
    with_gaps,
)
from evalbus.metrics.patterns import DISTRIBUTION, Match, Pattern
from evalbus.templates import Template, compile_template
from evalbus_schemas.base import Closed
from evalbus_schemas.benchmark import Template as TemplateText
from evalbus_schemas.chunks import RowLimits

PATTERN_CHARACTERS_MAX = 65_536


class Regex(Metric):
    r"""Whether a regular expression matches an answer, or finds the reference in it: 1 if it does, else 0.

    With `reference`, what the pattern finds must be that text: the first group of the first match, or the whole match
    of a pattern without groups; outer space is ignored on both sides. What the pattern does not find is wrong, so the
    value is 0.

    The engine is RE2: its time is proportional to the text, whatever the pattern, where others can take years. It
    knows no look-around and no back-references, which are refused. `.` matches no line break unless `(?s)` stands in
    front; `^` and `$` are the ends of the whole text unless `(?m)` does; `\d` and `\w` are ASCII. The halves of
    characters that UTF-8 cannot hold (lone surrogates) count as U+FFFD.

    >>> from evalbus.testing import score_row
    >>> score_row(
    ...     {"type": "regex", "pattern": "####\\s*(.+)", "reference": "{{ item.answer }}"},
    ...     item={"answer": 18},
    ...     output_text="9 * 2 = 18\n#### 18",
    ... )
    {'regex': 1.0}
    """

    class Parameters(Closed):
        pattern: Annotated[str, Field(min_length=1, max_length=PATTERN_CHARACTERS_MAX)] = Field(
            description="A regular expression of RE2, checked when the benchmark is."
        )
        mode: Literal["search", "fullmatch"] = Field(
            default="search", description="Found anywhere in the text, or matching all of it."
        )
        ignore_case: bool = False
        reference: TemplateText | None = Field(
            default=None,
            description="What the first group must have found; without it any match will do.",
        )
        candidate: TemplateText = "{{ sample.output_text }}"

    scores = (
        ScoreDeclaration(
            name="regex",
            direction="higher",
            minimum=0.0,
            maximum=1.0,
            description="1 if the pattern matches (and has found the reference), else 0.",
        ),
    )
    formula: ClassVar[str] = (
        "1 if pattern matches candidate and, with a reference, strip(group 1) = strip(reference); else 0."
    )
    source: ClassVar[str] = "RE2, https://github.com/google/re2/wiki/Syntax"
    libraries: tuple[str, ...] = (DISTRIBUTION,)

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        most = limits.template_characters
        pattern = Pattern(parameters.pattern, ignore_case=parameters.ignore_case)
        self._match: Callable[[str], Match | None] = (
            pattern.search if parameters.mode == "search" else pattern.fullmatch
        )
        self._group = min(pattern.groups, 1)
        self._candidate = compile_template(parameters.candidate, characters_max=most)
        self._reference = (
            None
            if parameters.reference is None
            else compile_template(parameters.reference, characters_max=most)
        )

    def templates(self) -> Mapping[str, Template]:
        reference = {} if self._reference is None else {"reference": self._reference}
        return {"candidate": self._candidate, **reference}

    def score(self, batch: Batch) -> Columns:
        candidates = batch.texts(self._candidate)
        if self._reference is None:
            notes = missing_notes((), candidates)
            values = [1.0 if self._match(text or "") else 0.0 for text in candidates]
        else:
            references = batch.texts(self._reference)
            notes = missing_notes(references, candidates)
            values = [
                1.0 if self._finds(text or "", reference or "") else 0.0
                for text, reference in zip(candidates, references, strict=True)
            ]
        return Columns(values=(with_gaps(values, notes),), notes=notes)

    def _finds(self, text: str, reference: str) -> bool:
        match = self._match(text)
        found = None if match is None else match.group(self._group)
        return found is not None and found.strip() == reference.strip()
