"""What people said of rows goes with their scores: in its own columns, whatever becomes of the row."""

from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbus.evaluator.child_process import ChildLost
from evalbus.evaluator.frames import Progress
from evalbus.evaluator.given import unsampled_line
from evalbus.evaluator.isolation import Part, blamed_piece, merged, part_body, scored_piece
from evalbus.evaluator.scoring import join_lines, score_chunk
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import MetricPlugin
from evalbus_schemas.chunks import RowLimits
from tests.evaluators import a_live_chunk, running
from tests.jury import a_jury, install_jury
from tests.parrot import Endpoint, refused
from tests.scoring import Scored, a_chunk_of, a_plugin, a_request, exact_match, parsed

LABEL = "{{ item.label }}"
EXACT = exact_match(ground_truth=LABEL)
LENGTH = a_plugin("length", unit="characters", ground_truth="{{ item.length }}")
MATHS = a_plugin("f1", reference="{{ item.reference }}", ground_truth="{{ 1 / item.label }}")


def scored(
    *items: JsonObject | bytes,
    metrics: Sequence[MetricPlugin] = (EXACT,),
    limits: RowLimits | None = None,
) -> Scored:
    return parsed(score_chunk(a_chunk_of(items, metrics=metrics, limits=limits)[1]))


def a_row(label: object, **more: object) -> JsonObject:
    fields: JsonObject = orjson.loads(orjson.dumps({"label": label, **more}))
    return {"output": "a", "reference": "a"} | fields


def test_there_is_a_column_for_each_score_with_a_ground_truth() -> None:
    # when
    result = scored(
        a_row(True, length=3),
        a_row("0", length=None),
        metrics=[LENGTH, exact_match(name="x"), EXACT],
    )

    # then
    assert result.header.truths == ((3.0, None), (1.0, 0.0))
    assert result.columns == ((1.0, 1.0), (1.0, 1.0), (1.0, 1.0))
    assert not result.header.errors


def test_without_ground_truth_there_is_no_column() -> None:
    assert scored(a_row(1), metrics=[exact_match()]).header.truths == ()


def test_a_ground_truth_that_cannot_be_rendered_costs_nothing_but_itself() -> None:
    # given
    rows: list[JsonObject] = [a_row(1), {"output": "a", "reference": "a"}, a_row(0), a_row("x")]

    # when
    result = scored(*rows, metrics=[EXACT, MATHS])

    # then
    assert result.header.truths == ((1.0, None, 0.0, None), (1.0, None, None, None))
    assert result.columns == ((1.0,) * 4, (1.0,) * 4)
    assert not result.header.errors


def test_what_people_said_of_a_row_stands_though_the_row_failed() -> None:
    # given
    no_answer = a_row(0, output=None)
    no_reference: JsonObject = {"output": "a", "label": 1}
    of_sample = exact_match(
        name="of-sample", ground_truth="{{ 1 if sample.output_text == 'a' else 0 }}"
    )

    # when
    result = scored(
        a_row(1), no_answer, no_reference, b"", b"{", b"[1]", metrics=[EXACT, of_sample]
    )

    # then
    assert sorted(result.failed) == [1, 2, 3, 4, 5]
    assert result.header.truths == (
        (1.0, 0.0, 1.0, None, None, None),
        (1.0, None, 1.0, None, None, None),
    )


def test_a_ground_truth_that_needs_too_much_memory_fails_its_row() -> None:
    # given
    greedy = exact_match(ground_truth="{{ 'x' * item.n }}", name="greedy")

    # when
    result = scored(a_row(1, n=1), a_row(0, n=10**18), metrics=[EXACT, greedy, LENGTH])

    # then
    error = result.failed[1]
    assert (error.metric, error.stage, error.code) == ("greedy", "metric", "out_of_memory")
    assert result.columns == ((1.0, None),) * 3
    assert result.header.truths[0] == (1.0, 0.0)


def test_a_ground_truth_that_writes_too_much_says_nothing() -> None:
    # given
    long = exact_match(ground_truth="{% for _ in range(item.n) %}1{% endfor %}")

    # when
    result = scored(
        a_row(1, n=2), a_row(1, n=999), metrics=[long], limits=RowLimits(template_characters=100)
    )

    # then
    assert result.header.truths == ((11.0, None),)
    assert not result.failed


def test_rows_that_came_without_a_sample_keep_what_people_said() -> None:
    # given
    request = a_request(4, metrics=[EXACT]).model_copy(update={"samples": "given"})
    lines = [
        unsampled_line(orjson.dumps(a_row(1)), "timeout", "no answer"),
        unsampled_line(b'{"a":"\x1e"', "undecodable", "not JSON"),
        unsampled_line(b"", "too_large", "too large"),
        orjson.dumps(a_row(0)) + b'\x1e{"output_text":"a"}',
    ]

    # when
    result = parsed(score_chunk(join_lines(request, lines)))

    # then
    assert {row: error.code for row, error in result.failed.items()} == {
        0: "timeout",
        1: "undecodable",
        2: "too_large",
    }
    assert result.header.truths == ((1.0, None, None, 0.0),)


ROWS = st.lists(
    st.one_of(
        st.builds(
            a_row, st.sampled_from([1, 0, "0", None, "x"]), output=st.sampled_from(["a", None])
        ),
        st.just({"label": 1}),
        st.just({"output": "a", "reference": "a"}),
        st.just(b""),
        st.just(b"nonsense"),
    ),
    min_size=1,
    max_size=12,
)


@given(rows=ROWS, slice_rows=st.integers(0, 5))
def test_a_row_has_the_same_truths_alone_in_any_company_and_in_any_part(
    rows: list[JsonObject | bytes], slice_rows: int
) -> None:
    # given
    metrics = [EXACT, MATHS]
    request, body = a_chunk_of(rows, metrics=metrics)
    lines = body.split(b"\n")[1:]
    parts = [Part(first=row, count=1) for row in range(len(rows))]

    # when
    whole = parsed(score_chunk(body, slice_rows=slice_rows)).header.truths
    pieces = [scored_piece(part, score_chunk(part_body(request, lines, part))) for part in parts]

    # then
    assert whole == parsed(merged(request, pieces, evaluator="", started=0.0)).header.truths
    for row, piece in enumerate(pieces):
        assert [column[row] for column in whole] == [column[0] for column in piece.scored.truths]


def test_of_a_row_over_which_a_child_was_lost_nothing_is_known() -> None:
    # given
    request, body = a_chunk_of([a_row(1), a_row(0)], metrics=[EXACT, LENGTH])
    lines = body.split(b"\n")[1:]
    first = Part(first=0, count=1, is_suspect=True)
    rest = Part(first=1, count=1)
    progress = Progress(rows_done=0, rows_at_work=1, step=1, n_columns=2, n_counted=0, n_truths=2)

    # when
    blamed = blamed_piece(
        request, lines[0], first, ChildLost("overran", "took too long", progress), evaluator=""
    )
    good = scored_piece(rest, score_chunk(part_body(request, lines, rest)))

    # then
    together = parsed(merged(request, [blamed, good], evaluator="", started=0.0))
    assert together.header.truths == ((None, 0.0), (None, None))


async def test_rows_of_live_models_and_live_metrics_have_theirs_answered_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    install_jury(tmp_path, monkeypatch)
    jury = a_jury(ground_truth=LABEL)

    def row(question: str, label: int, **more: str) -> bytes:
        return orjson.dumps({"question": question, "reference": "Paris", "label": label, **more})

    rows = [
        row("Berne", 1),
        row("Paris", 1),
        row("Rome", 0),
        orjson.dumps({"reference": "Paris", "label": 1}),
        row("Paris", 0, asking="unrenderable"),
    ]
    endpoint = Endpoint([refused()])

    # when
    async with running(endpoint) as evaluator:
        asked, recorded = await evaluator.score(
            a_live_chunk(*rows, metrics=[jury, EXACT], concurrency=1),
            a_live_chunk(
                *rows,
                chunk=1,
                model=a_plugin("recorded", output="{{ item.question }}"),
                metrics=[EXACT, jury],
            ),
        )

    # then
    assert sorted(asked.failed) == [0, 3, 4]
    assert sorted(recorded.failed) == [3, 4]
    said = (1.0, 1.0, 0.0, 1.0, 0.0)
    assert asked.header.truths == recorded.header.truths == (said, said)
