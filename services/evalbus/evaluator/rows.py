"""Rows through the model and the metrics; what becomes of those that fail on the way."""

import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Protocol, TypeVar, cast

import orjson
from pydantic import ConfigDict, JsonValue, TypeAdapter, ValidationError

from evalbus.errors import Invalid
from evalbus.evaluator.given import (
    NOTHING,
    UNDECODABLE,
    GivenLine,
    NoAnswer,
    parse_answers,
    parse_given,
)
from evalbus.evaluator.plans import Answer, NamedMetric, ReadyPlan
from evalbus.evaluator.remarks import remarks_of, writable
from evalbus.evaluator.settling import Blame, settle
from evalbus.metrics import (
    COUNTS_BYTES_MAX,
    NON_FINITE,
    Batch,
    Columns,
    GroundTruth,
    LiveMetric,
    Note,
)
from evalbus.templates import TemplateError
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits, ScoreError, ScoreRemark
from evalbus_schemas.scores import Counts

NO_SAMPLE = NOTHING
MESSAGE_CHARACTERS_MAX = 500

NO_REASON = "no_value"
TOO_LARGE = "too_large"
OUT_OF_MEMORY = "out_of_memory"
RAISED = "raised"
NO_ANSWERS = "no_answers"

MODEL_STEP = 0
"""The first thing that is run for a row; the nth metric is step n."""

BeginStep = Callable[[int], None]

COUNTS = TypeAdapter(tuple[Counts | None, ...], config=ConfigDict(strict=True))

AboutRow = TypeVar("AboutRow", ScoreError, ScoreRemark)


@dataclass(frozen=True, kw_only=True)
class ScoredRows:
    """Consecutive rows, scored: a sample for each, a column for each score, and why there is None.

    Where questions were wanted, the samples are the questions, and there are no columns.
    """

    samples: Sequence[bytes]
    columns: Sequence[Sequence[float | None]]
    errors: Sequence[ScoreError]
    """In row order; of a failed row only why it failed."""
    remarks: Sequence[ScoreRemark]
    """Of rows that have not failed."""
    counts: Sequence[Sequence[Counts | None]]
    """A column for each metric with corpus scores."""
    truths: Sequence[Sequence[float | None]]
    """A column for each score with a ground truth; failed rows have theirs too."""

    def moved(self, rows: int) -> "ScoredRows":
        """The same rows so many further behind in their chunk."""
        return replace(
            self,
            errors=[moved(error, rows) for error in self.errors],
            remarks=[moved(remark, rows) for remark in self.remarks],
        )


class ScoreRows(Protocol):
    """One of the ways to get from the lines of consecutive rows to what is wanted of them."""

    def __call__(
        self,
        lines: Sequence[bytes],
        plan: ReadyPlan,
        limits: RowLimits,
        *,
        samples_room: int,
        begin_step: BeginStep,
    ) -> ScoredRows: ...


def moved(about: AboutRow, rows: int) -> AboutRow:
    return about.model_copy(update={"row": about.row + rows}) if rows else about


def score_rows(
    lines: Sequence[bytes],
    plan: ReadyPlan,
    limits: RowLimits,
    *,
    samples_room: int,
    begin_step: BeginStep,
) -> ScoredRows:
    """Every row by itself: whatever one of them raises, the others have the scores they would have had alone.

    `samples_room` is how many bytes of samples the chunk may still have.
    """
    work = _Work(lines, limits, samples_room)
    begin_step(MODEL_STEP)
    work.parse()
    work.answer(plan.answer)
    return _measured(work, plan, begin_step)


def score_given_rows(
    lines: Sequence[bytes],
    plan: ReadyPlan,
    limits: RowLimits,
    *,
    samples_room: int,
    begin_step: BeginStep,
) -> ScoredRows:
    """The same for rows whose samples are there already, each in its line; the model is not asked."""
    return _measured(_given(lines, limits, samples_room, begin_step), plan, begin_step)


def question_given_rows(
    lines: Sequence[bytes],
    plan: ReadyPlan,
    limits: RowLimits,
    *,
    samples_room: int,
    begin_step: BeginStep,
) -> ScoredRows:
    """What the plan's metrics, all of them live, ask about rows with samples: an object by metric in place of each."""
    work = _given(lines, limits, samples_room, begin_step)
    for step, named in enumerate(plan.metrics, start=1):
        begin_step(step)
        work.question(named)
    return work.questioned()


def _given(
    lines: Sequence[bytes], limits: RowLimits, samples_room: int, begin_step: BeginStep
) -> "_Work":
    given = [parse_given(line) for line in lines]
    work = _Work([line.item for line in given], limits, samples_room)
    begin_step(MODEL_STEP)
    work.refuse(given)
    work.parse()
    work.take(given)
    return work


def _measured(work: "_Work", plan: ReadyPlan, begin_step: BeginStep) -> ScoredRows:
    for step, named in enumerate(plan.metrics, start=1):
        begin_step(step)
        work.measure(named)
        if named.truths:
            # In the same step: a template that never ends is this metric's, whatever it is for.
            work.hear(named)
    return work.scored()


@dataclass(frozen=True, kw_only=True)
class _Measure:
    """What a metric made of some rows, with all its promises kept."""

    values: Sequence[list[float]]
    notes: Mapping[int, Note]
    counts: Sequence[Counts | None]
    remarks: Sequence[ScoreRemark]


class _Work:
    """What is known of the rows between two steps."""

    def __init__(self, lines: Sequence[bytes], limits: RowLimits, samples_room: int) -> None:
        self._lines = lines
        self._limits = limits
        self._samples_room = samples_room
        self._items: dict[int, JsonObject] = {}
        self._answers: dict[int, JsonObject] = {}
        self._samples = [NO_SAMPLE] * len(lines)
        self._columns: list[list[float | None]] = []
        self._counts: list[list[Counts | None]] = []
        self._truths: list[list[float | None]] = []
        self._remarks: list[ScoreRemark] = []
        self._questions: dict[int, JsonObject] = {}
        self._answered: dict[int, GivenLine] = {}
        self._failures: dict[int, ScoreError] = {}
        self._notes: list[ScoreError] = []
        self._whole: Batch | None = None
        """All rows that are left, shared by the metrics as long as none of them loses a row."""

    def refuse(self, given: Sequence[GivenLine]) -> None:
        """Rows that have no sample, for the reason that came with them."""
        for row, line in enumerate(given):
            if line.why_not is not None:
                self._fail_sample(row, line.why_not.code, line.why_not.message)

    def parse(self) -> None:
        for row, line in enumerate(self._lines):
            if row in self._failures:
                continue
            if not line:
                limit = self._limits.row_bytes
                self._fail_sample(row, TOO_LARGE, f"the row is larger than {limit} bytes")
                continue
            try:
                item = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                self._fail_sample(row, UNDECODABLE, f"not JSON: {error.msg}")
                continue
            if type(item) is dict:
                self._items[row] = item
            else:
                self._fail_sample(row, UNDECODABLE, "not a JSON object")

    def answer(self, answer: Answer) -> None:
        def work(rows: Sequence[int]) -> tuple[list[JsonObject], list[bytes]]:
            samples = answer([self._items[row] for row in rows])
            if len(samples) != len(rows):
                raise TypeError(f"{len(samples)} samples for {len(rows)} items")
            return samples, [orjson.dumps(sample) for sample in samples]

        def blame(row: int, error: BaseException) -> None:
            self._fail_sample(row, *_cause(error))

        for rows, (samples, encoded) in settle(work, list(self._items), blame):
            for row, sample, line in zip(rows, samples, encoded, strict=True):
                self._keep(row, sample, line)

    def take(self, given: Sequence[GivenLine]) -> None:
        """Samples stay as they were written; reading them changes nothing of what is kept."""
        for row in self._items:
            line = given[row].sample
            try:
                sample: object = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                self._fail_sample(row, UNDECODABLE, f"its sample is not JSON: {error.msg}")
                continue
            if isinstance(sample, dict):
                self._answered[row] = given[row]
                self._keep(row, cast("JsonObject", sample), line)
            else:
                self._fail_sample(row, UNDECODABLE, "its sample is not a JSON object")

    def _keep(self, row: int, sample: JsonObject, line: bytes) -> None:
        if len(line) > self._samples_room:
            # All of them go into one message, and one that is too large would never be taken.
            limit = self._limits.samples_bytes
            self._fail_sample(row, TOO_LARGE, f"the chunk's answers exceed {limit} bytes")
            return
        self._samples_room -= len(line)
        self._answers[row] = sample
        self._samples[row] = line

    def question(self, named: NamedMetric) -> None:
        metric = named.metric
        if not isinstance(metric, LiveMetric):
            raise Invalid(f"metric {named.name!r} asks nobody")

        def work(rows: Sequence[int]) -> list[list[JsonObject | None]]:
            asked = [list(of_row) for of_row in metric.questions(self._batch(rows))]
            if [len(of_row) for of_row in asked] != [len(metric.respondents)] * len(rows):
                raise TypeError(f"wanted {len(metric.respondents)} questions for each row")
            # Now, so that what is no JSON concerns the row that it is asked about.
            orjson.dumps(asked)
            return asked

        for rows, asked in settle(work, self._rows_left, self._blaming(named)):
            for row, of_row in zip(rows, asked, strict=True):
                self._questions.setdefault(row, {})[named.name] = list[JsonValue](of_row)

    def measure(self, named: NamedMetric) -> None:
        metric, n_scores = named.metric, len(named.metric.scores)
        replies = self._replies(named.name, metric) if isinstance(metric, LiveMetric) else None

        def work(rows: Sequence[int]) -> _Measure:
            scored = metric.score(self._batch(rows, replies))
            return _Measure(
                values=_checked(scored, n_scores, len(rows)),
                notes=scored.notes,
                counts=_checked_counts(scored.counts, len(rows)) if metric.corpus else (),
                remarks=remarks_of(named, rows, scored),
            )

        columns: list[list[float | None]] = [[None] * len(self._lines) for _ in range(n_scores)]
        counts: list[Counts | None] = [None] * len(self._lines)
        for rows, measured in settle(work, self._rows_left, self._blaming(named)):
            for column, part in zip(columns, measured.values, strict=True):
                self._place(column, rows, part, named.name, measured.notes)
            for row, of_row in zip(rows, measured.counts, strict=False):
                counts[row] = of_row
            self._remarks += measured.remarks
        self._columns += columns
        if metric.corpus:
            self._counts.append(counts)

    def hear(self, named: NamedMetric) -> None:
        """What people said of the metric's scores, also of rows that have failed: it stands, whatever a model did.

        A row of which it cannot be rendered has none, and that is no fault of the row; what exceeds its limits is.
        """

        def blame(row: int, error: BaseException) -> None:
            if not isinstance(error, TemplateError) and row not in self._failures:
                self._fail_metric(row, named.name, *_cause(error))

        for truth in named.truths:
            column: list[float | None] = [None] * len(self._lines)
            for rows, said in settle(partial(self._said, truth), list(self._readable), blame):
                for row, value in zip(rows, said, strict=True):
                    column[row] = value
            self._truths.append(column)

    def _said(self, truth: GroundTruth, rows: Sequence[int]) -> list[float | None]:
        no_sample: JsonObject = {}
        return truth.said(
            [self._readable[row] for row in rows],
            [self._answers.get(row, no_sample) for row in rows],
        )

    @cached_property
    def _readable(self) -> dict[int, JsonObject]:
        """Every item that can be read, those of rows that came without a sample included."""
        unsampled = (row for row in self._failures if row not in self._items)
        return self._items | {
            row: item for row in unsampled if (item := _item(self._lines[row])) is not None
        }

    @property
    def _rows_left(self) -> list[int]:
        return [row for row in self._answers if row not in self._failures]

    def _blaming(self, named: NamedMetric) -> Blame:
        def blame(row: int, error: BaseException) -> None:
            self._fail_metric(row, named.name, *_cause(error))

        return blame

    def _fail_metric(
        self, row: int, metric: str, code: str, message: str, *, unanswered: bool = False
    ) -> None:
        self._failures[row] = ScoreError(
            row=row,
            metric=metric,
            stage="metric",
            code=code,
            message=_short(message),
            failed=True,
            unanswered=unanswered,
        )

    def _replies(self, name: str, metric: LiveMetric) -> dict[int, list[JsonObject | None]]:
        """What was answered to the metric's questions, by row; rows for which somebody did not answer fail."""
        if not metric.respondents:
            return {row: [] for row in self._rows_left}
        replies: dict[int, list[JsonObject | None]] = {}
        for row in self._rows_left:
            given = self._answered.get(row)
            answers = parse_answers(b"" if given is None else given.answers, name)
            missing = [answer for answer in answers or () if isinstance(answer, NoAnswer)]
            if answers is None:
                self._fail_metric(row, name, NO_ANSWERS, "nobody was asked about the row")
            elif missing:
                why = missing[0]
                self._fail_metric(row, name, why.code, why.message, unanswered=why.is_unanswered)
            else:
                replies[row] = [one for one in answers if not isinstance(one, NoAnswer)]
        return replies

    def _place(
        self,
        column: list[float | None],
        rows: Sequence[int],
        values: list[float],
        metric: str,
        notes: Mapping[int, Note],
    ) -> None:
        if math.isfinite(sum(values)):
            # Nearly every column of nearly every chunk: no NaN in it, since one would make the sum NaN.
            if len(rows) == len(column):
                column[:] = values
            else:
                for row, value in zip(rows, values, strict=True):
                    column[row] = value
            return
        for place, (row, value) in enumerate(zip(rows, values, strict=True)):
            if math.isfinite(value):
                column[row] = value
            else:
                note = notes.get(place) or _unexplained(value)
                self._notes.append(
                    ScoreError(
                        row=row,
                        metric=metric,
                        stage="metric",
                        code=note.code,
                        message=_short(note.message),
                        failed=False,
                    )
                )

    def _batch(
        self,
        rows: Sequence[int],
        replies: Mapping[int, Sequence[JsonObject | None]] | None = None,
    ) -> Batch:
        if replies is not None:
            return Batch(
                [self._items[row] for row in rows],
                [self._answers[row] for row in rows],
                [replies[row] for row in rows],
            )
        if self._whole is not None and len(rows) == len(self._whole):
            return self._whole
        batch = Batch([self._items[row] for row in rows], [self._answers[row] for row in rows])
        if len(rows) == len(self._answers):
            self._whole = batch
        return batch

    def _fail_sample(self, row: int, code: str, message: str) -> None:
        self._failures[row] = ScoreError(
            row=row, metric=None, stage="sample", code=code, message=_short(message), failed=True
        )

    def scored(self) -> ScoredRows:
        for row in self._failures:
            # A failed row has no score at all, so that it counts alike in each of them.
            for column in self._columns:
                column[row] = None
            for counted in self._counts:
                counted[row] = None
        notes = [note for note in self._notes if note.row not in self._failures]
        return ScoredRows(
            samples=self._samples,
            columns=self._columns,
            errors=sorted([*self._failures.values(), *notes], key=lambda error: error.row),
            remarks=[remark for remark in self._remarks if remark.row not in self._failures],
            counts=self._counts,
            truths=self._truths,
        )

    def questioned(self) -> ScoredRows:
        return ScoredRows(
            samples=[orjson.dumps(self._questions.get(row, {})) for row in range(len(self._lines))],
            columns=(),
            errors=sorted(self._failures.values(), key=lambda error: error.row),
            remarks=(),
            counts=(),
            truths=(),
        )


def _item(line: bytes) -> JsonObject | None:
    try:
        item: object = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return cast("JsonObject", item) if isinstance(item, dict) else None


def _checked(scored: Columns, n_scores: int, n_rows: int) -> list[list[float]]:
    """The metric's columns as plain floats; a metric that breaks its promise has raised."""
    columns = [[float(value) for value in column] for column in scored.values]
    if len(columns) != n_scores or any(len(column) != n_rows for column in columns):
        shape = ", ".join(str(len(column)) for column in columns)
        raise TypeError(f"wanted {n_scores} columns of {n_rows} values, found ({shape})")
    return columns


def _checked_counts(
    found: Sequence[Counts | None] | None, n_rows: int
) -> tuple[Counts | None, ...]:
    """The same for the counts of a metric with corpus scores.

    Raises TypeError or ValueError for what are no counts, cannot be written, or take more room than a row's may.
    """
    if found is None or len(found) != n_rows:
        n_found = "none" if found is None else len(found)
        raise TypeError(f"wanted counts of {n_rows} rows, found {n_found}")
    try:
        counts = COUNTS.validate_python(tuple(found))
    except ValidationError:
        raise TypeError(
            f"wanted integers for a row's counts, by place or by name, found {reprlib.repr(found[0])}"
        ) from None
    # Now, so that it concerns the row that it is about, and not the message that all of them go into.
    size = max(len(orjson.dumps(of_row)) for of_row in counts)
    if size > COUNTS_BYTES_MAX:
        raise ValueError(f"counts of {size} bytes for a row, where {COUNTS_BYTES_MAX} may be")
    return counts


def _unexplained(value: float) -> Note:
    if math.isnan(value):
        return Note(code=NO_REASON, message="the metric gave no value, and no reason")
    return Note(code=NON_FINITE, message=f"the metric gave {value}")


def _cause(error: BaseException) -> tuple[str, str]:
    """A word for counting, and a sentence."""
    if isinstance(error, TemplateError):
        return error.code, _short(error.message)
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY, "the row needs more memory than a scoring child may have"
    return RAISED, _short(f"{type(error).__name__}: {error}")


def _short(message: str) -> str:
    return writable(message, MESSAGE_CHARACTERS_MAX)
