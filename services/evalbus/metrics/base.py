"""What a metric is to evalbus: a pure function from rows to columns of numbers."""

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from evalbus.registry import PlugIn
from evalbus.templates import Context, Template, as_text, context_of
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import ScoreDirection

T = TypeVar("T")

NO_REFERENCE = "no_reference"
NO_CANDIDATE = "no_candidate"
UNPARSABLE = "unparsable"
NON_FINITE = "non_finite"


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
    rubric: tuple[RubricLevel, ...] = ()

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
class Columns:
    """A column for each declared score, as long as the batch; NaN where a row cannot be scored.

    Whoever gives NaN says why in `notes`, by the row's place in the batch.
    """

    values: Sequence[Sequence[float]]
    notes: Mapping[int, Note] = field(default_factory=dict[int, Note])


class Batch:
    """Rows with their samples. Every template is rendered once, however many metrics ask for it."""

    def __init__(self, items: Sequence[JsonObject], samples: Sequence[JsonObject]) -> None:
        self.items = items
        self.samples = samples
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
    """A named scorer.

    `score` looks at each row by itself: the same row has the same scores in whatever company. When it raises, the
    rows are tried in smaller batches until the one that is to blame stands alone.
    """

    scores: tuple[ScoreDeclaration, ...]
    """What it gives every row, in the order of its columns; the same for the same parameters."""

    @abstractmethod
    def score(self, batch: Batch) -> Columns: ...


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
