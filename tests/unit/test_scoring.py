"""One chunk in, one answer out: what each row gets, whatever becomes of the others."""

import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbus.errors import Invalid, Malformed
from evalbus.evaluator.plans import NamedMetric
from evalbus.evaluator.remarks import remarks_of
from evalbus.evaluator.scoring import check_lines, join_lines, score_chunk, split_lines
from evalbus.metrics import Columns, Remark, build_metric
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import MetricPlugin
from evalbus_schemas.chunks import RowLimits, ScoreRemark
from tests.scoring import OUTPUT, REFERENCE, a_chunk_of, a_plugin, a_request, exact_match, parsed

STRING_CHECK = a_plugin(
    "string-check",
    operation="contains",
    left_template="{{ sample.output_text }}",
    right_template=REFERENCE,
)
NUMBER_CHECK = a_plugin(
    "number-check",
    operation="==",
    left_template="{{ sample.output_text }}",
    right_template=REFERENCE,
)


def test_the_five_rows_of_the_published_example_score_as_published() -> None:
    # given
    rows: list[JsonObject | bytes] = [
        {"output": "The answer is 4", "reference": "4"},
        {"output": "Paris is the capital", "reference": "Paris"},
        {"output": "Blue", "reference": "blue"},
        {"output": "Jupiter", "reference": "Jupiter"},
        {"output": "H2O", "reference": "H2O"},
    ]
    f1 = a_plugin("f1", reference=REFERENCE)
    _, body = a_chunk_of(rows, metrics=[exact_match(), STRING_CHECK, f1, NUMBER_CHECK])

    # when
    scored = parsed(score_chunk(body))

    # then
    exact, contains, words, numbers = scored.columns
    assert exact == (0.0, 0.0, 1.0, 1.0, 1.0)
    assert contains == (1.0, 1.0, 0.0, 1.0, 1.0)
    assert math.isclose(sum(value or 0.0 for value in words) / 5, 0.8)
    assert numbers == (1.0, None, None, None, 1.0)
    assert scored.notes == {1: "unparsable", 2: "unparsable", 3: "unparsable"}
    assert not scored.failed
    assert scored.samples[2] == {"output_text": "Blue"}


def test_a_row_without_a_field_fails_alone_and_says_what_is_missing() -> None:
    # given
    rows: list[JsonObject | bytes] = [
        {"output": "a", "reference": "a"},
        {"output": "b", "refrence": "b"},
        {"output": "c", "reference": "c"},
    ]
    _, body = a_chunk_of(rows)

    # when
    scored = parsed(score_chunk(body))

    # then
    assert scored.columns == ((1.0, None, 1.0),)
    error = scored.failed[1]
    assert (error.metric, error.stage, error.code) == ("exact-match", "metric", "missing_field")
    assert "refrence" in error.message
    assert scored.samples[1] == {"output_text": "b"}


def test_a_row_that_one_metric_fails_has_no_score_from_any_other() -> None:
    # given
    divides = a_plugin(
        "string-check",
        name="divides",
        operation="==",
        left_template="{{ 1 / item.n }} ",
        right_template="1.0 ",
    )
    rows: list[JsonObject | bytes] = [
        {"output": "a", "reference": "a", "n": 1},
        {"output": "b", "reference": "b", "n": 0},
    ]
    _, body = a_chunk_of(rows, metrics=[exact_match(), divides, STRING_CHECK])

    # when
    scored = parsed(score_chunk(body))

    # then
    assert scored.columns == ((1.0, None), (1.0, None), (1.0, None))
    assert [(error.row, error.metric) for error in scored.header.errors] == [(1, "divides")]
    assert scored.failed[1].code == "template_failed"


@pytest.mark.parametrize(
    ("line", "code"),
    [(b"", "too_large"), (b"{", "undecodable"), (b"[1]", "undecodable"), (b"\xff", "undecodable")],
)
def test_a_row_that_cannot_be_read_fails_without_a_sample(line: bytes, code: str) -> None:
    # given
    _, body = a_chunk_of([{"output": "a", "reference": "a"}, line])

    # when
    scored = parsed(score_chunk(body))

    # then
    assert scored.columns == ((1.0, None),)
    error = scored.failed[1]
    assert (error.metric, error.stage, error.code) == (None, "sample", code)
    assert scored.samples[1] == {}


def test_a_chunk_of_nothing_but_failed_rows_is_answered_in_full() -> None:
    # given
    _, body = a_chunk_of([b"", {"output": None, "reference": "a"}, {"reference": "a"}])

    # when
    scored = parsed(score_chunk(body))

    # then
    assert scored.columns == ((None, None, None),)
    codes = {row: error.code for row, error in scored.failed.items()}
    assert codes == {0: "too_large", 1: "no_output", 2: "missing_field"}


def test_a_template_that_needs_too_much_room_fails_its_row() -> None:
    # given
    limits = RowLimits(template_characters=100)
    output = "{% for _ in range(item.n) %}x{% endfor %}"
    rows: list[JsonObject | bytes] = [{"n": 100, "reference": "x"}, {"n": 101, "reference": "x"}]
    _, body = a_chunk_of(rows, output=output, limits=limits)

    # when
    scored = parsed(score_chunk(body))

    # then
    assert scored.columns == ((0.0, None),)
    assert scored.failed[1].code == "template_too_long"


ROWS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {
                "output": st.sampled_from(["a", "b 1", None]),
                "reference": st.sampled_from(["a", "1", None]),
            }
        ),
        st.just({"output": "a"}),
        st.just({"reference": "a"}),
        st.just({}),
        st.just(b""),
        st.just(b"nonsense"),
    ),
    min_size=1,
    max_size=12,
)


@given(rows=ROWS, slice_rows=st.integers(0, 5))
def test_a_row_scores_the_same_alone_and_in_any_company(
    rows: list[JsonObject | bytes], slice_rows: int
) -> None:
    # given
    metrics = [exact_match(), a_plugin("f1", reference=REFERENCE), STRING_CHECK, NUMBER_CHECK]
    _, body = a_chunk_of(rows, metrics=metrics)

    # when
    together = parsed(score_chunk(body, slice_rows=slice_rows))
    alone = [parsed(score_chunk(a_chunk_of([row], metrics=metrics)[1])) for row in rows]

    # then
    for row, single in enumerate(alone):
        assert [column[row] for column in together.columns] == [c[0] for c in single.columns]
        assert together.samples[row] == single.samples[0]
        assert [
            error.model_copy(update={"row": 0})
            for error in together.header.errors
            if error.row == row
        ] == list(single.header.errors)


def test_the_answer_says_whose_rows_it_scores() -> None:
    # given
    request, body = a_chunk_of([{"output": "a", "reference": "a"}])

    # when
    header = parsed(score_chunk(body, evaluator="here")).header

    # then
    assert (header.job_id, header.job, header.workspace) == (request.job_id, request.job, "default")
    assert (header.chunk, header.n_rows, header.evaluator) == (request.chunk, 1, "here")
    assert header.seconds > 0


@pytest.mark.parametrize("lines", [[], [b"{}"], [b"{}", b"{}", b"{}"]])
def test_a_chunk_with_another_number_of_rows_than_announced_is_malformed(
    lines: list[bytes],
) -> None:
    # given
    body = join_lines(a_request(2), lines)

    # when, then
    with pytest.raises(Malformed):
        score_chunk(body)
    with pytest.raises(Malformed):
        check_lines(body, 2)


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_end_after_the_last_row_is_no_row(end: bytes) -> None:
    # given
    body = join_lines(a_request(2), [b'{"output":"a","reference":"a"}', b""]) + end

    # when
    scored = parsed(score_chunk(body))
    check_lines(body, 2)

    # then
    assert scored.failed[1].code == "too_large"
    assert split_lines(b"a\n" + end, 2) == [b"a", b""]


@pytest.mark.parametrize(
    "metric", [a_plugin("no-such-metric"), a_plugin("f1", refference=REFERENCE)]
)
def test_a_plan_that_cannot_be_run_here_is_refused_as_a_whole(metric: MetricPlugin) -> None:
    # given
    _, body = a_chunk_of([{"output": "a"}], metrics=[metric], output=OUTPUT)

    # when, then
    with pytest.raises(Invalid):
        score_chunk(body)


def test_a_chunk_of_a_producer_that_knows_nothing_of_live_metrics_is_scored() -> None:
    # given
    head, _, lines = a_chunk_of([{"output": "a", "reference": "a"}])[1].partition(b"\n")
    known = {"job_id", "job", "workspace", "chunk", "dataset", "first_row", "n_rows", "plan"}
    old = {name: value for name, value in orjson.loads(head).items() if name in known}

    # when
    scored = parsed(score_chunk(orjson.dumps(old) + b"\n" + lines))

    # then
    assert scored.columns == ((1.0,),)
    assert not scored.failed


def test_a_chunk_of_a_producer_that_knows_more_is_scored_by_what_is_known_here() -> None:
    # given
    head, _, lines = a_chunk_of([{"output": "a", "reference": "a"}])[1].partition(b"\n")
    new = orjson.loads(head) | {"not_yet_invented": {"a": 1}}

    # when
    scored = parsed(score_chunk(orjson.dumps(new) + b"\n" + lines))

    # then
    assert scored.columns == ((1.0,),)


def remarks_on_a_row(*remarks: tuple[tuple[int, int], Remark]) -> list[ScoreRemark]:
    """Of a metric with one score, about the only row that it was given, which is the eighth of its chunk."""
    named = NamedMetric(name="exact", metric=build_metric(exact_match(), RowLimits()))
    return remarks_of(named, [7], Columns(values=[[1.0]], remarks=dict(remarks)))


def test_what_a_metric_says_names_row_and_score_and_can_be_written_whatever_it_is() -> None:
    # given
    half = "half of a character: \ud800"

    # when
    (said,) = remarks_on_a_row(((0, 0), Remark(label=half, rationale=half, detail={"n": math.nan})))

    # then
    assert (said.row, said.metric, said.score) == (7, "exact", "exact-match")
    assert said.label == said.rationale == "half of a character: \ufffd"
    assert said.detail == {"n": None}
    assert ScoreRemark.model_validate_json(said.model_dump_json()) == said


@pytest.mark.parametrize("about", [(1, 0), (0, 1)], ids=["row", "score"])
def test_a_remark_about_what_there_is_not_is_refused(about: tuple[int, int]) -> None:
    # when, then
    with pytest.raises(LookupError):
        remarks_on_a_row((about, Remark(label="good")))
