"""Rows whose samples came with them: scored as they are, and failed for the reasons that came instead."""

from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from pydantic import JsonValue

from evalbus.errors import Invalid
from evalbus.evaluator.given import answered_line, parse_given, sampled_line, unsampled_line
from evalbus.evaluator.isolation import Part, merged, part_body, scored_piece
from evalbus.evaluator.remarks import REMARKS_BYTES_MAX
from evalbus.evaluator.scoring import join_lines, score_chunk
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import MetricPlugin
from evalbus_schemas.chunks import ChunkRequested, RowLimits
from tests.jury import a_jury, install_jury
from tests.parrot import a_parrot, install_parrot
from tests.scoring import Scored, a_plugin, a_request, exact_match, parsed


def a_given_request(
    n_rows: int, *, metrics: Sequence[MetricPlugin] = (), limits: RowLimits | None = None
) -> ChunkRequested:
    request = a_request(n_rows, metrics=metrics, output="{{ item.nothing }}", limits=limits)
    return request.model_copy(update={"samples": "given"})


def scored(
    *lines: bytes, metrics: Sequence[MetricPlugin] = (), limits: RowLimits | None = None
) -> Scored:
    request = a_given_request(len(lines), metrics=metrics, limits=limits)
    return parsed(score_chunk(join_lines(request, lines)))


ITEM = b'{"reference":"a"}'


def test_given_samples_are_scored_and_the_model_has_no_say() -> None:
    # when
    result = scored(ITEM + b'\x1e{"output_text":"a","more":[1]}', ITEM + b'\x1e{"output_text":"b"}')

    # then
    assert result.columns == ((1.0, 0.0),)
    assert not result.failed


def test_samples_stay_as_they_were_written() -> None:
    # given
    written = b'{ "output_text": "a",  "n": 1.50 }'
    request = a_given_request(1)

    # when
    body = score_chunk(join_lines(request, [ITEM + b"\x1e" + written]))

    # then
    assert body.partition(b"\n")[2] == written


def test_a_row_without_a_sample_fails_for_the_reason_that_came_with_it() -> None:
    # when
    result = scored(
        ITEM + b'\x1e{}\x1e["timeout","after 4 calls: no answer"]',
        ITEM + b'\x1e{"output_text":"a"}',
    )

    # then
    error = result.failed[0]
    assert (error.stage, error.metric, error.code) == ("sample", None, "timeout")
    assert error.message == "after 4 calls: no answer"
    assert result.columns == ((None, 1.0),)
    assert result.samples[0] == {}


def test_its_item_need_not_even_be_readable() -> None:
    # when
    result = scored(b'{"a":"\x1e"\x1e{}\x1e["undecodable","not JSON"]')

    # then
    assert (result.failed[0].code, result.failed[0].message) == ("undecodable", "not JSON")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (ITEM, "no_sample"),
        (ITEM + b"\x1e", "undecodable"),
        (ITEM + b"\x1e[1]", "undecodable"),
        (ITEM + b"\x1e{}\x1eno reason", "undecodable"),
        (ITEM + b'\x1e{}\x1e["only a code"]', "undecodable"),
        (ITEM + b'\x1e{"output_text":"a"}\x1e{"no":"reason"}', "undecodable"),
        (b'\x1e{"output_text":"a"}', "too_large"),
        (b'[]\x1e{"output_text":"a"}', "undecodable"),
    ],
)
def test_a_line_that_makes_no_sense_costs_its_row_and_no_other(line: bytes, code: str) -> None:
    # when
    result = scored(line, ITEM + b'\x1e{"output_text":"a"}')

    # then
    assert result.failed[0].code == code
    assert result.columns == ((None, 1.0),)


def test_samples_that_would_outgrow_their_message_fail_their_rows() -> None:
    # given
    line = ITEM + b"\x1e" + orjson.dumps({"output_text": "a" * 60})

    # when
    result = scored(line, line, limits=RowLimits(samples_bytes=100))

    # then
    assert list(result.failed) == [1]
    assert result.failed[1].code == "too_large"


def test_a_metric_that_raises_fails_the_row_and_leaves_its_sample() -> None:
    # given
    broken = a_plugin("exact-match", name="broken", reference="{{ item.missing }}")

    # when
    result = scored(ITEM + b'\x1e{"output_text":"a"}', metrics=[exact_match(), broken])

    # then
    assert result.failed[0].stage == "metric"
    assert result.samples == [{"output_text": "a"}]


def test_a_line_reads_as_it_was_written() -> None:
    # when
    sampled = parse_given(sampled_line(ITEM, orjson.dumps({"output_text": "\x1e\n"})))
    unsampled = parse_given(unsampled_line(ITEM, "timeout", "a\x1eb\nc"))

    # then
    assert (sampled.item, orjson.loads(sampled.sample)) == (ITEM, {"output_text": "\x1e\n"})
    assert sampled.why_not is None
    assert unsampled.item == ITEM
    assert unsampled.why_not is not None
    assert (unsampled.why_not.code, unsampled.why_not.message) == ("timeout", "a\x1eb\nc")


def test_a_live_model_that_was_not_asked_is_refused_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    install_parrot(tmp_path, monkeypatch)
    request = a_request(1)
    plan = request.plan.model_copy(update={"model": a_parrot()})

    # when, then
    with pytest.raises(Invalid, match=r"parrot.*asked before"):
        score_chunk(join_lines(request.model_copy(update={"plan": plan}), [ITEM]))


def test_a_part_of_a_sparse_chunk_keeps_the_places_of_its_rows() -> None:
    # given
    request = a_request(4).model_copy(update={"rows": (2, 5, 7, 11), "first_row": 2})

    # when
    body = part_body(request, [b"a", b"b", b"c", b"d"], Part(first=1, count=2))

    # then
    head, *lines = body.split(b"\n")
    part = ChunkRequested.model_validate_json(head)
    assert ([part.row_index(0), part.row_index(1)], part.n_rows) == ([5, 7], 2)
    assert lines == [b"b", b"c"]


@pytest.fixture
def jury(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MetricPlugin:
    """A live metric with one judge."""
    install_jury(tmp_path, monkeypatch)
    return a_jury()


SAMPLED = ITEM + b'\x1e{"output_text":"a"}'
YES: JsonObject = {"jury": [{"sample": {"output_text": "yes, a"}}]}


def test_a_live_metric_scores_with_what_it_was_answered(jury: MetricPlugin) -> None:
    # when
    result = scored(answered_line(SAMPLED, YES), metrics=[jury])

    # then
    assert result.columns == ((1.0,),)
    assert [remark.label for remark in result.header.remarks] == ["yes, a"]


@pytest.mark.parametrize(
    "written", [b"", b"{}", b"[]", b"{nonsense", b'{"jury":7}', b'{"other":[]}']
)
def test_a_live_metric_never_scores_a_row_about_which_nobody_was_asked(
    jury: MetricPlugin, written: bytes
) -> None:
    # given
    line = SAMPLED + b"\x1e\x1e" + written if written else SAMPLED

    # when
    result = scored(line, answered_line(SAMPLED, YES), metrics=[jury])

    # then
    assert result.columns == ((None, 1.0),)
    assert result.failed[0].failed
    assert result.samples[1] == {"output_text": "a"}


@pytest.mark.parametrize("answer", [7, "yes", [], {}, {"sample": "yes"}, {"code": 1}], ids=str)
def test_an_answer_that_makes_no_sense_costs_its_row(jury: MetricPlugin, answer: JsonValue) -> None:
    # when
    result = scored(answered_line(SAMPLED, {"jury": [answer]}), metrics=[jury])

    # then
    error = result.failed[0]
    assert (error.stage, error.metric, error.code) == ("metric", "jury", "undecodable")
    assert not error.unanswered


def test_what_is_said_of_rows_is_the_same_in_whatever_parts_they_are_scored(
    jury: MetricPlugin,
) -> None:
    # given
    n_rows = 200
    item = orjson.dumps({"reference": "a", "remark": {"label": "l", "rationale": "é" * 5000}})
    line = answered_line(item + b'\x1e{"output_text":"a"}', YES)
    request = a_given_request(n_rows, metrics=[jury])
    lines = [line] * n_rows
    parts = [Part(first=first, count=50) for first in range(0, n_rows, 50)]

    # when
    whole = score_chunk(join_lines(request, lines))
    sliced = score_chunk(join_lines(request, lines), slice_rows=7)
    pieces = [scored_piece(part, score_chunk(part_body(request, lines, part))) for part in parts]
    together = merged(request, pieces, evaluator="", started=0.0)

    # then
    remarks = parsed(whole).header.remarks
    assert remarks == parsed(sliced).header.remarks == parsed(together).header.remarks
    told = [remark.rationale for remark in remarks if remark.rationale is not None]
    assert len(remarks) == n_rows
    assert sum(len(text.encode()) for text in told) == REMARKS_BYTES_MAX // 10_000 * 10_000
