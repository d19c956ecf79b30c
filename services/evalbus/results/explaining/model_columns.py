"""What one model made of the rows, as columns."""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson

from evalbus.results.explaining.field_columns import FieldColumns, TextColumns
from evalbus.results.explaining.fields import EXCERPT_CHARACTERS, begun, excerpt, fields_of, parsed
from evalbus.results.explaining.refusals import is_refusal
from evalbus.store.ports import AnswerToExplain

if TYPE_CHECKING:
    from evalbus.results.exact import Numbers

EXAMPLES_MAX: Final = 3
ERROR_KINDS_MAX: Final = 100
"""Of each model; codes of further kinds count as `other`."""
CODE_CHARACTERS_MAX: Final = 80
OUTPUT: Final = "output_text"

NAN: Final = math.nan


@dataclass(kw_only=True)
class ErrorKind:
    """Rows that had no value for the same reason, the first of them as (place, message)."""

    n_rows: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])


class ModelColumns:
    """What one model made of the rows: a column for each score, and for each ground truth; NaN where there is none."""

    def __init__(self, n_scores: int, n_truths: int) -> None:
        self.texts = TextColumns()
        self.fields = FieldColumns()
        """What else stands in the samples."""
        self.excerpts: list[str] = []
        """The beginning of each answer, still to be excerpt."""
        self.n_answers = self.n_failed = 0
        self.errors: dict[tuple[str | None, str], ErrorKind] = {}
        """By metric, None for a row without a sample, and code."""
        self._scores = [array("d") for _ in range(n_scores)]
        self._truths = [array("d") for _ in range(n_truths)]
        self._latencies = array("d")
        self._empty = array("d")
        self._refusals = array("d")

    def add(self, answer: AnswerToExplain | None, row: int) -> None:
        scores = () if answer is None else answer.scores
        truths = () if answer is None else answer.truths
        for columns, values in ((self._scores, scores), (self._truths, truths)):
            for place, column in enumerate(columns):
                column.append(_finite(values[place]) if place < len(values) else NAN)
        latency = None if answer is None else answer.latency
        self._latencies.append(NAN if latency is None else latency)
        self._add_text(answer, row)
        if answer is not None:
            self.n_answers += 1
            self.n_failed += answer.is_failed
            self._add_errors(answer.errors, row)

    def _add_text(self, answer: AnswerToExplain | None, row: int) -> None:
        sample = {} if answer is None else parsed(answer.sample)
        given = sample.pop(OUTPUT, None)
        self.fields.add(fields_of(sample, levels=1), row)
        text = given if isinstance(given, str) else None
        if text is not None:
            self.texts.add(text, row)
        self._refusals.append(NAN if text is None else float(is_refusal(text)))
        is_told = answer is not None and not answer.is_failed and answer.sample is not None
        self._empty.append(float(not (given if text is None else text.strip())) if is_told else NAN)
        shown = orjson.dumps(given).decode() if text is None and given is not None else text
        self.excerpts.append(begun(shown or ""))

    def _add_errors(self, lists: Sequence[str], row: int) -> None:
        seen: set[tuple[str | None, str]] = set()
        for error in (error for errors in lists for error in orjson.loads(errors)):
            kind = (error["metric"], excerpt(error["code"], CODE_CHARACTERS_MAX))
            if kind not in self.errors and len(self.errors) >= ERROR_KINDS_MAX:
                kind = (error["metric"], "other")
            if kind in seen:
                continue  # another repeat of the same row
            seen.add(kind)
            found = self.errors.setdefault(kind, ErrorKind())
            found.n_rows += 1
            if len(found.examples) < EXAMPLES_MAX:
                found.examples.append((row, excerpt(error["message"], EXCERPT_CHARACTERS)))

    @property
    def scores(self) -> "list[Numbers]":
        import numpy as np

        return [np.frombuffer(column) for column in self._scores]

    @property
    def truths(self) -> "list[Numbers]":
        import numpy as np

        return [np.frombuffer(column) for column in self._truths]

    @property
    def latencies(self) -> "Numbers":
        import numpy as np

        return np.frombuffer(self._latencies)

    @property
    def empty(self) -> "Numbers":
        """1 for a row whose answer has no visible character; NaN without an answer."""
        import numpy as np

        return np.frombuffer(self._empty)

    @property
    def refusals(self) -> "Numbers":
        import numpy as np

        return np.frombuffer(self._refusals)


def _finite(value: float) -> float:
    return value if math.isfinite(value) else NAN
