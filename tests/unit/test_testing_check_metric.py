"""check_metric: silent about a metric that keeps its promises, and a sentence about each one that is broken."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from evalbus.errors import Invalid
from evalbus.metrics.base import Batch, Columns, Metric, Note, Remark, ScoreDeclaration, Whole
from evalbus.templates import Template, compile_template
from evalbus.testing import Row, check_metric
from evalbus_schemas.base import Closed
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.scores import Counts
from tests.metric_cases.case import Case
from tests.metric_cases.labels import LABELS

ROWS = [
    Row(item={"reference": "abc"}, sample={"output_text": "abcd"}),
    Row(item={"reference": "abc"}, sample={"output_text": "a"}),
    Row(item={"reference": "abc"}, sample={"output_text": None}),
]


class Length(Metric):
    """How long an answer is, for its own sake, and the mean length in whole characters."""

    class Parameters(Closed):
        candidate: str = "{{ sample.output_text }}"

    formula = "the number of characters"
    source = "this test"
    scores: tuple[ScoreDeclaration, ...] = (
        ScoreDeclaration(name="length", direction="none", minimum=0.0),
    )
    corpus: tuple[ScoreDeclaration, ...] = (
        ScoreDeclaration(name="mean", direction="none", minimum=0.0),
    )

    def __init__(self, parameters: Any, limits: RowLimits) -> None:
        self._candidate = compile_template(parameters.candidate)

    def templates(self) -> Mapping[str, Template]:
        return {"candidate": self._candidate}

    def score(self, batch: Batch) -> Columns:
        texts = batch.texts(self._candidate)
        return Columns(
            values=([math.nan if text is None else float(len(text)) for text in texts],),
            notes={
                row: Note(code="no_candidate", message="null")
                for row, text in enumerate(texts)
                if text is None
            },
            counts=[None if text is None else (1, len(text)) for text in texts],
        )

    def whole(self, total: Counts) -> Whole:
        assert isinstance(total, tuple)
        rows, characters = total
        return Whole(values=(float(characters // rows),), detail={"rows": rows})


class Changed(Length):
    """The same with one change to its columns."""

    def score(self, batch: Batch) -> Columns:
        return self.changed(super().score(batch), batch)

    def changed(self, columns: Columns, batch: Batch) -> Columns:
        raise NotImplementedError


def broken(message: str, kind: type[Metric], rows: Sequence[Row] = ROWS) -> None:
    with pytest.raises(AssertionError, match=message):
        check_metric(kind, {"candidate": "{{ sample.output_text }}"}, rows)


def test_a_metric_that_keeps_its_promises_passes() -> None:
    check_metric(Length, {}, ROWS)


@pytest.mark.parametrize("case", LABELS, ids=lambda case: case.type)
def test_metrics_of_labels_keep_theirs(case: Case) -> None:
    # given
    pairs = [(reference, answer) for reference, answer, _ in (*case.scored, *case.unscored)]
    rows = [
        Row(item={"reference": reference}, sample={"output_text": answer})  # type: ignore[dict-item]  # the cases are JSON
        for reference, answer in pairs
    ]

    # then
    check_metric(case.type, case.parameters, rows)


def test_an_unknown_type_and_no_rows_are_refused() -> None:
    with pytest.raises(Invalid, match="unknown metric type 'exact-mach'"):
        check_metric("exact-mach", {}, ROWS)
    with pytest.raises(ValueError, match="there are none"):
        check_metric(Length, {}, [])


def test_docstring_formula_and_source_are_needed() -> None:
    class Silent(Length):
        pass

    class Formless(Length):
        """Counts."""

        formula = " "

    class Sourceless(Length):
        """Counts."""

        source = ""

    broken("Silent has no docstring", Silent)
    broken("Formless does not say its formula", Formless)
    broken("Sourceless does not say its source", Sourceless)


def test_parameters_refuse_unknown_names_and_have_a_schema() -> None:
    class Loose(Length):
        """Takes anything."""

        class Parameters(BaseModel):
            candidate: str = "{{ sample.output_text }}"

    class Opaque(Length):
        """Takes what JSON cannot say."""

        class Parameters(Closed):
            candidate: str = "{{ sample.output_text }}"
            kind: Callable[[], None] | None = None

    broken("derive them from Closed", Loose)
    broken("no JSON schema", Opaque)


def test_names_are_unique_and_directions_known() -> None:
    class Twice(Length):
        """Has one name for two things."""

        corpus = (ScoreDeclaration(name="length", direction="none"),)

    class Sideways(Length):
        """Goes nowhere."""

        scores = (ScoreDeclaration(name="length", direction="sideways"),)  # type: ignore[arg-type]  # wrong on purpose

    class Scoreless(Length):
        """Gives nothing."""

        scores = ()

    broken("the name of another: length, length", Twice)
    broken("the direction of length is 'sideways'", Sideways)
    broken("declares no score for a row", Scoreless)


def test_templates_are_reported_by_their_parameter() -> None:
    class Secretive(Length):
        """Has a template that nobody can check."""

        def templates(self) -> Mapping[str, Template]:
            return {}

    class Misnamed(Length):
        """Has a template under another name."""

        def templates(self) -> Mapping[str, Template]:
            return {"answer": self._candidate}

    broken("leaves out '{{ sample.output_text }}'", Secretive)
    broken("names 'answer', which is no parameter", Misnamed)


def test_columns_have_the_shape_of_the_declared_scores() -> None:
    class Short(Changed):
        """Loses a row."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            return replace(columns, values=(list(columns.values[0][1:]),))

    class Narrow(Changed):
        """Loses a column."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            return replace(columns, values=())

    broken(r"wanted 1 columns of 3 values for the rows, found \[2\]", Short)
    broken(r"wanted 1 columns of 3 values for the rows, found \[\]", Narrow)


def test_values_are_finite_and_in_their_range() -> None:
    class Negative(Changed):
        """Leaves its range."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            return replace(columns, values=([-value for value in columns.values[0]],))

    class Endless(Changed):
        """Has no end."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            return replace(columns, values=([math.inf] * len(batch),))

    broken("length is -4.0 for row 0 of the rows, outside of 0.0 to None", Negative)
    broken("length is inf", Endless)


def test_a_row_without_a_value_has_a_note_that_says_why() -> None:
    class Mute(Changed):
        """Says nothing of what is missing."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            return replace(columns, notes={})

    class Empty(Changed):
        """Says next to nothing."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            return replace(columns, notes={2: Note(code="no_candidate", message="")})

    class Elsewhere(Changed):
        """Talks of rows that are not there."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            return replace(columns, notes={**columns.notes, 9: Note(code="a", message="b")})

    class Remarkable(Changed):
        """Remarks on scores that are not there."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            return replace(columns, remarks={(0, 1): Remark(label="good")})

    broken("NaN for row 2 of the rows, and no note says why", Mute)
    broken("the note of row 2 of the rows is empty", Empty)
    broken("a note is about row 9", Elsewhere)
    broken("a remark is about score 1 of row 0", Remarkable)


def test_counts_are_there_exactly_with_a_score_of_the_whole_and_are_integers() -> None:
    class Uncounted(Changed):
        """Counts nothing."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            return replace(columns, counts=None)

    class Undeclared(Length):
        """Counts for nobody."""

        corpus = ()

    class Fractional(Changed):
        """Counts in halves."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            return replace(columns, counts=[(1, 0.5)] * len(batch))  # type: ignore[list-item]  # wrong on purpose

    broken("does not count every row", Uncounted)
    broken("counts, but declares no score for all rows together", Undeclared)
    broken("the counts of row 0 of the rows are no plain integers", Fractional)


def test_a_row_has_one_outcome_alone_in_company_in_any_order_and_again() -> None:
    class Relative(Changed):
        """Looks at the other rows."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            return replace(columns, values=([value + len(batch) for value in columns.values[0]],))

    class Ordered(Changed):
        """Looks at the place of a row."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            values = [value + row for row, value in enumerate(columns.values[0])]
            return replace(columns, values=(values,))

    class Forgetful(Changed):
        """Remembers how often it was asked."""

        asked: ClassVar[list[None]] = []

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            self.asked.append(None)
            remark = Remark(rationale=f"question {len(self.asked)}")
            return replace(columns, remarks={(row, 0): remark for row in range(len(batch))})

    broken("row 0 has another outcome alone than in company", Relative)
    broken("when the order of the rows is another", Ordered)
    broken("scored again, have another outcome", Forgetful)


def test_counts_that_depend_on_company_are_found() -> None:
    class Crowded(Changed):
        """Counts the others."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            return replace(columns, counts=[(len(batch), 1)] * len(batch))

    broken("another outcome alone than in company", Crowded)


def test_items_and_samples_stay_as_they_are() -> None:
    class Scribbling(Changed):
        """Writes into what it reads."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            for item in batch.items:
                item["seen"] = True
            return columns

    rows = [Row(item={"reference": "abc"}, sample={"output_text": "a"})]

    broken("changes the items, samples or answers", Scribbling, rows)


def test_no_rows_give_empty_columns() -> None:
    class Greedy(Changed):
        """Needs at least one row."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            return replace(columns, values=([columns.values[0][0], *columns.values[0][1:]],))

    broken("raises IndexError for no rows", Greedy)


def test_the_whole_is_a_pure_function_of_counts_that_add_up() -> None:
    class Ragged(Changed):
        """Counts each row in its own way."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            texts = [sample["output_text"] for sample in batch.samples]
            return replace(columns, counts=[(1,) * len(str(text)) for text in texts])

        def whole(self, total: Counts) -> Whole:
            return Whole(values=(1.0,))

    class Ordering(Changed):
        """Looks at which name came first."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            texts = [sample["output_text"] for sample in batch.samples]
            return replace(columns, counts=[{str(text): 1} for text in texts])

        def whole(self, total: Counts) -> Whole:
            assert isinstance(total, dict)
            return Whole(values=(float(len(next(iter(total)))),))

    class Fickle(Length):
        """Never says the same twice."""

        said: ClassVar[list[None]] = []

        def whole(self, total: Counts) -> Whole:
            self.said.append(None)
            return Whole(values=(float(len(self.said)),))

    class Generous(Length):
        """Gives more than it declares."""

        def whole(self, total: Counts) -> Whole:
            return Whole(values=(1.0, 2.0))

    class Outside(Length):
        """Leaves its range."""

        def whole(self, total: Counts) -> Whole:
            return Whole(values=(-1.0,))

    class Destructive(Changed):
        """Uses up what it is given."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            return replace(columns, counts=[{"rows": 1}] * len(batch))

        def whole(self, total: Counts) -> Whole:
            assert isinstance(total, dict)
            return Whole(values=(float(total.pop("rows", 0)),))

    class Failing(Length):
        """Divides by nothing."""

        def whole(self, total: Counts) -> Whole:
            return Whole(values=(1 / 0,))

    broken("the counts of its rows cannot be added", Ragged)
    broken("depends on the order in which counts were added", Ordering, ROWS[:2])
    broken("two answers to one question", Fickle)
    broken("wanted 1 values of whole.., found 2", Generous)
    broken("mean is -1.0 for all rows together, outside", Outside)
    broken("changes the counts", Destructive)
    broken("raises ZeroDivisionError", Failing)


def test_a_detail_that_is_no_json_is_found() -> None:
    class Complex(Length):
        """Shows what nobody can write down."""

        def whole(self, total: Counts) -> Whole:
            return Whole(values=(1.0,), detail={"root": 1j})  # type: ignore[dict-item]  # wrong on purpose

    broken("the detail of whole.. is not JSON", Complex)


@pytest.mark.parametrize(
    ("stumbles_over", "shown"),
    [
        (None, "output_text is None"),
        (True, "output_text is True"),
        (10**30, "output_text is 1000000"),
        ("", "output_text is ''"),
        ("\ud800", "output_text is '.ud800'"),
        ([], r"output_text is \[\]"),
        ({"a": {"b": [None, "c"]}}, r"output_text is \{'a'"),
    ],
)
def test_odd_values_do_not_raise(stumbles_over: Any, shown: str) -> None:
    class Fragile(Changed):
        """Breaks."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            for sample in batch.samples:
                found = sample.get("output_text")
                if type(found) is type(stumbles_over) and found == stumbles_over:
                    raise TypeError("cannot")
            return columns

    broken(f"raises TypeError for a row whose {shown}", Fragile, ROWS[:2])


def test_odd_values_are_tried_in_every_field_and_give_values_as_promised() -> None:
    class Trusting(Changed):
        """Takes the reference for text."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            for item in batch.items:
                str.strip(item["reference"])  # type: ignore[arg-type]  # wrong on purpose
            return columns

    class Sloppy(Changed):
        """Leaves the range where nobody looks."""

        def changed(self, columns: Columns, batch: Batch) -> Columns:
            values = [-1.0 if value == 0.0 else value for value in columns.values[0]]
            return replace(columns, values=(values,))

    broken("raises TypeError for a row whose reference is None", Trusting)
    broken("length is -1.0 for row 0 of a row whose output_text is ''", Sloppy)
