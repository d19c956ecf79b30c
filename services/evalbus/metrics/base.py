"""What a metric is to evalbus: a pure function from rows to columns of numbers.

It may also give each row counts that add up over all rows, and a value for the whole of them; and it may need answers
of somebody outside, which it says how to ask for and never asks for itself.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar, cast

from evalbus.models import Respondent
from evalbus.registry import PlugIn
from evalbus.templates import Context, Template, as_text, context_of
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import ScoreDirection
from evalbus_schemas.scores import Counts

T = TypeVar("T")

NO_REFERENCE = "no_reference"
NO_CANDIDATE = "no_candidate"
UNPARSABLE = "unparsable"
NON_FINITE = "non_finite"
OUT_OF_RANGE = "out_of_range"

RATIONALE_CHARACTERS_MAX = 8 * 1024
DETAIL_BYTES_MAX = 16 * 1024
"""Of a row's score; a longer rationale is cut where rows are scored, and a larger detail is left out."""
WHOLE_DETAIL_BYTES_MAX = 256 * 1024
"""Of the scores of all rows together; a larger one is left out."""
COUNTS_BYTES_MAX = 4 * 1024
"""Of a row's counts as JSON; a row with more fails, as one does whose counts have more than 64 bits."""


RepeatRule = Callable[[Sequence[float]], float]
"""From the values of one row's repeats, NaN where one has none, to one value."""


def mean_of_repeats(values: Sequence[float]) -> float:
    """Over those that are finite; NaN if none is."""
    finite = [value for value in values if math.isfinite(value)]
    return math.fsum(finite) / len(finite) if finite else math.nan


@dataclass(frozen=True, kw_only=True)
class RubricLevel:
    """One label of a rubric, and the number that stands for it."""

    label: str
    value: float
    description: str | None = None


@dataclass(frozen=True, kw_only=True)
class ScoreDeclaration:
    """One named value that a metric gives every row, and how to read it.

    With a `rubric` the values are those of its levels, each of them once; a row's label follows from its value.
    Raises ValueError for a rubric whose levels cannot be told apart.
    """

    name: str
    direction: ScoreDirection
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    """Of its values, as a person reads it: `s`, `characters`; empty for a plain number."""
    description: str = ""
    """What it says of a row, where the metric's own words do not."""
    rubric: tuple[RubricLevel, ...] = ()
    over_repeats: RepeatRule = mean_of_repeats
    """How the values of a row that was answered repeatedly become the row's one value; pure."""

    def __post_init__(self) -> None:
        labels = {level.label for level in self.rubric}
        values = {level.value for level in self.rubric if math.isfinite(level.value)}
        if not len(labels) == len(values) == len(self.rubric):
            raise ValueError(
                f"the rubric of {self.name} has a label or a value twice, or one that is no number"
            )


@dataclass(frozen=True, kw_only=True)
class Note:
    """Why a row has no value: one word for counting, and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Remark:
    """What a metric says of one score of one row beside its value: a rubric's label, why, and what it saw."""

    label: str | None = None
    rationale: str | None = None
    detail: JsonObject | None = None


@dataclass(frozen=True, kw_only=True)
class Columns:
    """A column for each declared score, as long as the batch; NaN where a row cannot be scored.

    Whoever gives NaN says why in `notes`, by the row's place in the batch. `remarks` go by that and the score's
    place among the declared ones. `counts` are for metrics with scores of the whole: one entry for each row, None
    for one that does not take part.
    """

    values: Sequence[Sequence[float]]
    notes: Mapping[int, Note] = field(default_factory=dict[int, Note])
    remarks: Mapping[tuple[int, int], Remark] = field(default_factory=dict[tuple[int, int], Remark])
    counts: Sequence[Counts | None] | None = None


@dataclass(frozen=True, kw_only=True)
class Whole:
    """What a metric makes of the counts of all rows: a value for each of its corpus scores, and what they came from."""

    values: Sequence[float]
    detail: JsonObject | None = None


class Batch:
    """Rows with their samples. Every template is rendered once, however many metrics ask for it.

    For a live metric `answers` has a row's answers in the order of its questions, None where nothing was asked;
    each is what the respondent calls its sample.
    """

    def __init__(
        self,
        items: Sequence[JsonObject],
        samples: Sequence[JsonObject],
        answers: Sequence[Sequence[JsonObject | None]] = (),
    ) -> None:
        self.items = items
        self.samples = samples
        self.answers = answers
        self._kept: dict[tuple[object, ...], object] = {}

    def __len__(self) -> int:
        return len(self.items)

    def context(self, row: int) -> Context:
        return context_of(self.items[row], self.samples[row])

    def values(self, template: Template) -> list[Any]:
        """What the template gives for each row; raises RowsFailed for rows where it gives nothing."""
        return self.keep(
            ("values", template.text), lambda: template.render_all(self.items, self.samples)
        )

    def texts(self, template: Template) -> list[str | None]:
        """The same as text: null stays None, what is no text is its JSON."""
        return self.keep(("texts", template.text), lambda: _texts(self.values(template)))

    def keep(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """Made at the first call and shared from then on; the key must say everything it depends on."""
        if key not in self._kept:
            self._kept[key] = make()
        return cast("T", self._kept[key])


class Metric(PlugIn):
    """A named scorer; the docstring of a kind of metric says what it measures, with an example as a doctest.

    `score` looks at each row by itself: the same row has the same scores in whatever company. When it raises, the
    rows are tried in smaller batches until the one that is to blame stands alone.

    What only scoring needs (a library) is imported when a metric is built, not with its module: describing metrics
    takes nothing but the client. What takes long to import is left to `warm_up`.
    """

    formula: ClassVar[str]
    """How a row's value, and that of the whole, is computed, in one or a few sentences."""
    source: ClassVar[str]
    """Who defined it so: a paper, a program, a standard."""
    version: str = "1"
    """Raised whenever the same row may get another value than before."""
    libraries: tuple[str, ...] = ()
    """The distributions whose release its values depend on."""

    scores: tuple[ScoreDeclaration, ...]
    """What it gives every row, in the order of its columns; the same for the same parameters."""
    corpus: tuple[ScoreDeclaration, ...] = ()
    """What it gives all rows of a (dataset, model) together; no name of these is one of `scores`."""

    def warm_up(self) -> None:
        """Get ready what takes long and only scoring needs: called where rows are scored, before one is timed."""

    @abstractmethod
    def score(self, batch: Batch) -> Columns: ...

    def whole(self, total: Counts) -> Whole:
        """The values of `corpus` from the sum of the rows' counts, of at least one row; pure.

        When it raises, there is no result: the job ends with what was raised for its reason.
        """
        raise NotImplementedError(f"{type(self).__name__} has no corpus scores")


class LiveMetric(Metric):
    """A metric that needs answers of somebody outside; they are asked for as those of live models are."""

    respondents: tuple[Respondent, ...]
    """Who is asked; a row has at most one question to each."""

    @abstractmethod
    def questions(self, batch: Batch) -> Sequence[Sequence[JsonObject | None]]:
        """For each row a request to each respondent, None where there is nothing to ask.

        Raises RowsFailed for rows whose questions cannot be rendered.
        """


def missing_notes(references: Sequence[object], candidates: Sequence[object]) -> dict[int, Note]:
    """A note for every row that has null where there should be something to compare."""
    notes: dict[int, Note] = {}
    if None in candidates:
        for row, value in enumerate(candidates):
            if value is None:
                notes[row] = Note(code=NO_CANDIDATE, message="there is nothing to score: null")
    if None in references:
        for row, value in enumerate(references):
            if value is None:
                notes[row] = Note(code=NO_REFERENCE, message="there is no reference: null")
    return notes


def with_gaps(values: list[float], notes: Mapping[int, Note]) -> list[float]:
    """The same column with NaN in the rows that have a note."""
    for row in notes:
        values[row] = math.nan
    return values


def _texts(values: Sequence[object]) -> list[str | None]:
    return [
        value if type(value) is str else None if value is None else as_text(value)
        for value in values
    ]
