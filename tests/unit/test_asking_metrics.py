"""A chunk with live metrics, from the work queue to its scores: who is asked about what, and what it costs a row."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from pydantic import JsonValue

from evalbus.evaluator.children import ScoringChildren
from evalbus.evaluator.live_chunk import ENVELOPE_BYTES
from evalbus.evaluator.remarks import LABEL_CHARACTERS_MAX, REMARKS_BYTES_MAX
from evalbus.metrics import DETAIL_BYTES_MAX, RATIONALE_CHARACTERS_MAX
from evalbus.models import Call
from evalbus.models.base import CacheMode
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import Asked, RowLimits
from tests.buses import eventually
from tests.evaluators import Shelf, a_live_chunk, running
from tests.jury import a_jury, install_jury
from tests.parrot import Behaviour, Endpoint, a_parrot, never, refused, throttled
from tests.scoring import JOB_ID, Scored, a_plugin, exact_match

RECORDED = a_plugin("recorded", name="baseline", output="{{ item.question }}")
TWO = ("one", "two")
QUICK = RowLimits(row_seconds=1.0)


@pytest.fixture(autouse=True)
def _jury(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_jury(tmp_path, monkeypatch)


def row(question: str, **more: Any) -> bytes:
    return orjson.dumps({"question": question, "reference": question, **more})


def given(question: str, sample: str | None = None, **more: Any) -> bytes:
    """The same with its sample, as a derived job sends it."""
    answer = sample if sample is not None else f'{{"output_text":"{question}"}}'
    return row(question, **more) + b"\x1e" + answer.encode()


def calls_by_metrics(scored: Scored) -> list[list[int]]:
    """Of each row, what each of its questions took."""
    return [[asked.calls for asked in of_row] for of_row in scored.header.asked_by_metrics]


def why(scored: Scored, row: int) -> tuple[str, str | None, str, bool]:
    error = scored.failed[row]
    return (error.stage, error.metric, error.code, error.unanswered)


async def test_recorded_answers_are_asked_about_and_scored_with_what_was_said() -> None:
    # given
    wrong = row("Bern", reference="Rome")

    # when
    async with running() as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk("Paris", wrong, model=RECORDED, metrics=[a_jury()])
        )

    # then
    assert sorted(map(str, evaluator.endpoint.prompts)) == ["jury/one: Bern", "jury/one: Paris"]
    assert scored.columns == ((1.0, 0.0),)
    assert scored.header.counts == (((1, 1), (0, 1)),)
    assert [(said.row, said.metric, said.score) for said in scored.header.remarks] == [
        (0, "jury", "agreed"),
        (1, "jury", "agreed"),
    ]
    assert scored.header.remarks[1].label == "jury/one: Bern"
    assert scored.samples == [{"output_text": "Paris"}, {"output_text": "Bern"}]
    assert scored.header.asked == ()
    assert calls_by_metrics(scored) == [[1], [1]]


async def test_a_model_is_asked_first_and_live_and_plain_metrics_score_the_same_answers() -> None:
    # when
    async with running() as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk(
                "Paris", metrics=[exact_match(), a_jury(), a_plugin("length", unit="characters")]
            )
        )

    # then
    assert evaluator.endpoint.prompts == ["Paris", "jury/one: Paris"]
    assert scored.columns == ((1.0,), (1.0,), (5.0,))
    assert [one.type for one in scored.header.signatures] == ["exact-match", "jury", "length"]
    assert [asked.calls for asked in scored.header.asked] == [1]
    assert [asked.requests for asked in scored.header.asked] == [({"said": "Paris"},)]
    assert [asked.requests for asked in scored.header.asked_by_metrics[0]] == [
        ({"metric": "jury", "said": "jury/one: Paris"},)
    ]


async def test_each_metric_hears_its_own_judges_and_no_others() -> None:
    # given
    metrics = [a_jury("strict", judges=TWO), a_jury("mild", judges=TWO)]
    partial = row("Bern", reference="strict/two")

    # when
    async with running() as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk("Paris", partial, model=RECORDED, metrics=metrics)
        )

    # then
    assert scored.columns == ((1.0, 0.5), (1.0, 0.0))
    assert [said.rationale for said in scored.header.remarks if said.row == 1] == [
        "strict/one: Bern; strict/two: Bern",
        "mild/one: Bern; mild/two: Bern",
    ]
    assert calls_by_metrics(scored) == [[1] * 4, [1] * 4]
    assert len({call.id for call in evaluator.endpoint.calls}) == 8


async def test_where_there_is_nothing_to_ask_nobody_is_asked() -> None:
    # given
    rows = [
        row("none of them", deaf=TWO),
        row("the other alone", deaf=["one"]),
        row("both"),
    ]

    # when
    async with running() as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk(*rows, model=RECORDED, metrics=[a_jury(judges=TWO)])
        )

    # then
    assert sorted(map(str, evaluator.endpoint.prompts)) == [
        "jury/one: both",
        "jury/two: both",
        "jury/two: the other alone",
    ]
    assert scored.columns == ((None, 1.0, 1.0),)
    assert (scored.failed, scored.notes) == ({}, {0: "nobody_asked"})
    assert calls_by_metrics(scored) == [[], [1], [1, 1]]


async def test_a_row_that_cannot_be_asked_about_fails_alone_and_nobody_is_asked_about_it() -> None:
    # given
    bad = row("Bern", asking="unrenderable", only="strict")
    metrics = [a_jury("mild"), exact_match(), a_jury("strict")]

    # when
    async with running() as evaluator:
        (scored,) = await evaluator.score(a_live_chunk("Paris", bad, "Rome", metrics=metrics))

    # then
    assert scored.columns == ((1.0, None, 1.0),) * 3
    assert why(scored, 1) == ("metric", "strict", "missing_field", False)
    assert scored.failed[1].message == "the item has no criteria"
    assert scored.samples[1]["output_text"] == "Bern"
    assert not [prompt for prompt in evaluator.endpoint.prompts if "/one: Bern" in str(prompt)]


async def test_a_judge_that_does_not_answer_fails_the_row_and_what_it_took_is_counted() -> None:
    # given
    endpoint = Endpoint(first=[throttled(), refused()])

    # when
    async with running(endpoint) as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk(
                "Paris",
                "Rome",
                model=RECORDED,
                metrics=[a_jury(judges=TWO), exact_match()],
                max_retries=1,
                concurrency=1,
            )
        )

    # then
    assert why(scored, 0) == ("metric", "jury", "http_400", True)
    assert scored.failed[0].message == "after 2 calls: no such model"
    assert scored.columns == ((None, 1.0), (None, 1.0))
    assert scored.samples[0] == {"output_text": "Paris"}
    assert calls_by_metrics(scored) == [[2, 1], [1, 1]]
    assert scored.header.asked_by_metrics[0][0] == Asked(
        calls=2,
        requests=(
            {"metric": "jury", "error": "too many"},
            {"metric": "jury", "error": "no such model"},
        ),
    )


async def test_a_row_whose_model_does_not_answer_is_not_judged() -> None:
    # given
    endpoint = Endpoint(first=[refused()])

    # when
    async with running(endpoint) as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk("Paris", "Rome", metrics=[a_jury()], concurrency=1)
        )

    # then
    assert why(scored, 0) == ("sample", None, "http_400", False)
    assert endpoint.prompts == ["Paris", "Rome", "jury/one: Rome"]
    assert calls_by_metrics(scored) == [[], [1]]


@pytest.mark.parametrize("when", ["asking", "scoring"])
async def test_a_metric_that_raises_over_a_row_costs_that_row(when: str) -> None:
    # given
    bad = row("Bern", **{when: "raise"})

    # when
    async with running() as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk("Paris", bad, "Rome", model=RECORDED, metrics=[a_jury(), exact_match()])
        )

    # then
    assert scored.columns == ((1.0, None, 1.0),) * 2
    assert why(scored, 1) == ("metric", "jury", "raised", False)
    assert scored.failed[1].message == "ValueError: not this one"


@pytest.mark.parametrize("when", ["asking", "scoring"])
@pytest.mark.parametrize(("what", "code"), [("exit", "crashed"), ("hang", "overran")])
async def test_a_metric_that_ends_its_child_or_never_ends_costs_that_row(
    when: str, what: str, code: str
) -> None:
    # given
    bad = row("Bern", **{when: what})

    # when
    async with (
        ScoringChildren(1, evaluator="here") as children,
        running(scorer=children) as evaluator,
    ):
        await evaluator.send(
            a_live_chunk("Paris", bad, "Rome", metrics=[exact_match(), a_jury()], limits=QUICK)
        )
        await evaluator.scored.holds(1, seconds=60)
        (scored,) = await evaluator.results()

    # then
    assert scored.columns == ((1.0, None, 1.0),) * 2
    assert why(scored, 1) == ("metric", "jury", code, False)
    assert scored.samples[1]["output_text"] == "Bern"
    assert [asked.calls for asked in scored.header.asked] == [1, 1, 1]
    assert calls_by_metrics(scored) == [[1], [] if when == "asking" else [1], [1]]


async def test_a_chunk_that_comes_again_asks_neither_model_nor_judge_again() -> None:
    # given
    shelf = Shelf()
    metrics = [a_jury(judges=TWO, is_priced=True)]
    chunk = a_live_chunk("Paris", "Rome", model=a_parrot(is_priced=True), metrics=metrics)
    async with running(shelf=shelf) as evaluator:
        await evaluator.score(chunk)
        await eventually(lambda: len(shelf.kept) == 6)

        # when
        await evaluator.score(chunk)
        first, again = await evaluator.results(2)

    # then
    assert len(evaluator.endpoint.calls) == 6
    assert again.columns == first.columns == ((1.0, 1.0),)
    assert again.samples == first.samples
    # What an answer took before its evaluator died was paid for: it counts as it was.
    assert again.header.asked_by_metrics == first.header.asked_by_metrics
    assert [asked.cost for asked in again.header.asked_by_metrics[0]] == [
        pytest.approx(20e-6),
        pytest.approx(20e-6),
    ]


async def test_an_evaluator_that_dies_while_judges_are_asked_leaves_what_they_said() -> None:
    # given
    judges: list[Any] = [_answer, never()]
    endpoint = Endpoint(first=[_answer, _answer, *judges])
    shelf = Shelf()
    chunk = a_live_chunk("Paris", "Rome", metrics=[a_jury()], concurrency=1)
    async with running(endpoint, shelf=shelf) as dying:
        await dying.send(chunk)
        await eventually(lambda: len(shelf.kept) == 3 and len(endpoint.calls) == 4)

    # when
    async with running(endpoint, shelf=shelf) as other:
        (scored,) = await other.score(chunk)

    # then
    assert endpoint.prompts == [
        *("Paris", "Rome", "jury/one: Paris", "jury/one: Rome"),
        "jury/one: Rome",
    ]
    assert endpoint.calls[3].id == endpoint.calls[4].id
    assert scored.columns == ((1.0, 1.0),)


@pytest.mark.parametrize("cache", ["off", "read", "write", "on"])
async def test_a_derived_job_finds_what_judges_said_for_its_source(cache: CacheMode) -> None:
    # given
    metrics = [a_jury(cache=cache, is_priced=True)]
    shelf = Shelf()
    async with running(shelf=shelf) as evaluator:
        await evaluator.score(a_live_chunk("Paris", "Rome", model=RECORDED, metrics=metrics))
        await eventually(lambda: len(shelf.kept) >= 2)

        # when
        await evaluator.score(
            a_live_chunk(
                given("Rome"),
                rows=(1,),
                job_id=uuid4(),
                source_job_id=JOB_ID,
                model=RECORDED,
                metrics=metrics,
                is_given=True,
            )
        )
        scored = (await evaluator.results(2))[1]

    # then
    assert len(evaluator.endpoint.calls) == 2
    assert scored.columns == ((1.0,),)
    assert scored.header.asked_by_metrics == ((Asked(calls=0, is_cached=True, cost=0.0),),)


@pytest.mark.parametrize(("cache", "calls"), [("on", 1), ("off", 2), ("write", 2), ("read", 2)])
async def test_other_jobs_find_what_judges_said_where_the_cache_is_on(
    cache: CacheMode, calls: int
) -> None:
    # given
    shelf = Shelf()
    async with running(shelf=shelf) as evaluator:
        # when
        for _ in range(2):
            await evaluator.score(
                a_live_chunk("Paris", job_id=uuid4(), model=RECORDED, metrics=[a_jury(cache=cache)])
            )
            await eventually(lambda: bool(shelf.kept))

    # then
    assert len(evaluator.endpoint.calls) == calls


async def test_what_one_metric_was_told_is_not_taken_for_another() -> None:
    # given
    alike = [
        a_plugin("jury", name=name, juror="same", judges=("one",)) for name in ("first", "other")
    ]
    endpoint = Endpoint(first=[_answer, _says("no")])
    chunk = a_live_chunk("Paris", model=RECORDED, metrics=alike, concurrency=1)
    shelf = Shelf()

    # when
    async with running(endpoint, shelf=shelf) as evaluator:
        await evaluator.score(chunk)
        await eventually(lambda: len(shelf.kept) == 2)
        await evaluator.score(chunk)
        first, again = await evaluator.results(2)

    # then
    assert first.columns == again.columns == ((1.0,), (0.0,))
    assert len(endpoint.calls) == 2


async def test_model_and_judges_together_are_never_asked_more_at_once_than_the_chunk_may() -> None:
    # given
    endpoint = Endpoint(seconds=0.01)

    # when
    async with running(endpoint) as evaluator:
        await evaluator.score(
            a_live_chunk(
                *(f"question {i}" for i in range(8)),
                metrics=[a_jury("strict", judges=TWO), a_jury("mild", judges=TWO)],
                concurrency=3,
            )
        )

    # then
    assert len(endpoint.calls) == 8 * 5
    assert endpoint.at_work_max == 3


async def test_no_judge_is_asked_while_the_bus_is_away_and_afterwards_none_twice() -> None:
    # given
    may_answer = asyncio.Event()
    waiting = [_answer_after(may_answer), _answer_after(may_answer)]
    endpoint = Endpoint(first=[*[_answer] * 4, *waiting])
    shelf = Shelf()
    async with running(endpoint, shelf=shelf) as evaluator:
        await evaluator.send(a_live_chunk("a", "b", "c", "d", metrics=[a_jury()], concurrency=2))
        await eventually(lambda: len(endpoint.calls) == 6)

        # when
        evaluator.lose_the_bus()
        may_answer.set()
        await eventually(lambda: len(shelf.kept) == 6)
        asked_meanwhile = len(endpoint.calls)
        evaluator.find_the_bus()
        (scored,) = await evaluator.results()

    # then
    assert asked_meanwhile == 6
    assert sorted(map(str, endpoint.prompts)) == sorted(
        [*"abcd", *(f"jury/one: {letter}" for letter in "abcd")]
    )
    assert scored.columns == ((1.0,) * 4,)
    assert len(evaluator.scored.messages) == 1


async def test_logs_of_models_and_judges_together_are_cut_to_what_the_message_may_have() -> None:
    # given
    limits = RowLimits(row_bytes=1000, samples_bytes=1_000_000)
    large = "x" * 120_000
    message_bytes_max = 1_500_000

    # when
    async with running(message_bytes_max=message_bytes_max) as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk(
                *(f"{i}{large}" for i in range(5)),
                "small",
                metrics=[a_jury(judges=TWO)],
                limits=limits,
            )
        )
        size = len(evaluator.scored.messages[0].body)

    # then
    assert size + ENVELOPE_BYTES <= message_bytes_max
    logs = [len(asked.requests) for asked in scored.header.asked]
    judged = [len(asked.requests) for of_row in scored.header.asked_by_metrics for asked in of_row]
    assert (logs[-1], judged[-2:]) == (1, [1, 1])
    assert 0 < sum(logs) + sum(judged) < 6 * 3
    assert calls_by_metrics(scored) == [[1, 1]] * 6


async def test_given_samples_are_judged_and_the_model_is_not_asked() -> None:
    # given
    lines = [
        given("Paris"),
        row("Rome") + b'\x1e{}\x1e["http_500","after 4 calls: down"]',
        given("Bern", sample='{ "output_text": "Bern",  "n": 1.50 }'),
    ]

    # when
    async with running() as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk(*lines, metrics=[a_jury(), exact_match()], is_given=True)
        )
        written = evaluator.scored.messages[0].body.split(b"\n")[-1]

    # then
    assert sorted(map(str, evaluator.endpoint.prompts)) == ["jury/one: Bern", "jury/one: Paris"]
    assert scored.columns == ((1.0, None, 1.0),) * 2
    assert why(scored, 1) == ("sample", None, "http_500", False)
    assert written == b'{ "output_text": "Bern",  "n": 1.50 }'
    assert scored.header.asked == ()
    assert calls_by_metrics(scored) == [[1], [], [1]]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", "undecodable"),
        (b"", "too_large"),
        (b'{"a":"\x1e"}', "undecodable"),
        (b'{"reference":"a"}', "missing_field"),
    ],
)
async def test_a_row_without_a_sample_fails_for_that_and_nobody_is_asked_about_it(
    line: bytes, code: str
) -> None:
    # when
    async with running() as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk(line, "Paris", model=RECORDED, metrics=[a_jury()])
        )

    # then
    assert why(scored, 0) == ("sample", None, code, False)
    assert scored.columns == ((None, 1.0),)
    assert evaluator.endpoint.prompts == ["jury/one: Paris"]


async def test_what_a_metric_says_of_a_row_is_cut_to_its_limits() -> None:
    # given
    long = {"label": "l" * 10_000, "rationale": "é" * 10_000, "detail": {"a": "d" * 20_000}}

    # when
    async with running() as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk(row("Paris", remark=long), model=RECORDED, metrics=[a_jury()])
        )

    # then
    (remark,) = scored.header.remarks
    assert remark.label == "l" * (LABEL_CHARACTERS_MAX - 1) + "…"
    assert remark.rationale == "é" * (RATIONALE_CHARACTERS_MAX - 1) + "…"
    assert remark.detail is None
    assert len(orjson.dumps(long["detail"])) > DETAIL_BYTES_MAX


async def test_what_metrics_say_of_all_rows_never_outgrows_the_message() -> None:
    # given
    long = {"label": "kept", "rationale": "漢" * 8000, "detail": {"a": "d" * 16_000}}
    rows = [row(f"question {i}", remark=long) for i in range(64)]

    # when
    async with running() as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk(*rows, model=RECORDED, metrics=[a_jury()], concurrency=16)
        )

    # then
    told = [
        remark.model_dump_json(include={"rationale", "detail"}) for remark in scored.header.remarks
    ]
    assert {remark.label for remark in scored.header.remarks} == {"kept"}
    assert len(scored.header.remarks) == 64
    assert sum(len(text.encode()) for text in told) > REMARKS_BYTES_MAX // 2
    assert sum(len(text.encode()) for text in told) < REMARKS_BYTES_MAX + 64 * 100


@pytest.mark.parametrize(
    "remark", [{"label": 7}, {"detail": 7}, {"rationale": ["no text"]}], ids=str
)
async def test_a_metric_that_says_what_is_no_remark_costs_its_row(remark: JsonObject) -> None:
    # when
    async with running() as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk(row("Paris", remark=remark), "Rome", model=RECORDED, metrics=[a_jury()])
        )

    # then
    assert scored.columns == ((None, 1.0),)
    assert why(scored, 0) == ("metric", "jury", "raised", False)
    assert [said.row for said in scored.header.remarks] == [1]


@pytest.mark.parametrize("counts", [[1, 2], {"a": 0.5}, 7], ids=str)
async def test_a_metric_that_counts_what_is_no_integer_costs_its_row(counts: JsonValue) -> None:
    # when
    async with running() as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk(row("Paris", counts=counts), "Rome", model=RECORDED, metrics=[a_jury()])
        )

    # then
    assert scored.columns == ((None, 1.0),)
    assert why(scored, 0) == ("metric", "jury", "raised", False)
    assert scored.header.counts == ((None, (1, 1)),)


async def test_a_question_that_cannot_be_sent_costs_its_row() -> None:
    # given
    bad = row("Paris", asking="unsayable")

    # when
    async with running() as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk(bad, "Rome", model=RECORDED, metrics=[a_jury()])
        )

    # then
    assert scored.columns == ((None, 1.0),)
    assert why(scored, 0) == ("metric", "jury", "raised", False)
    assert evaluator.endpoint.prompts == ["jury/one: Rome"]


@pytest.mark.parametrize("place", [0, 1], ids=["before", "behind"])
async def test_a_failed_row_says_and_counts_nothing(place: int) -> None:
    # given
    broken = exact_match(name="broken", reference="{{ item.there }}")
    metrics = [a_jury()]
    metrics.insert(place, broken)

    # when
    async with running() as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk("Paris", row("Rome", there="Rome"), model=RECORDED, metrics=metrics)
        )

    # then
    assert why(scored, 0) == ("metric", "broken", "missing_field", False)
    assert scored.columns == ((None, 1.0), (None, 1.0))
    assert scored.header.counts == ((None, (1, 1)),)
    assert [said.row for said in scored.header.remarks] == [1]


async def test_a_chunk_that_does_not_say_how_to_ask_is_set_aside() -> None:
    # when
    async with running() as evaluator:
        await evaluator.send(
            a_live_chunk("Paris", model=RECORDED, metrics=[a_jury()], asking=False)
        )
        await evaluator.dead.holds(1)

    # then
    assert not evaluator.endpoint.calls


async def test_a_metric_that_needs_nobody_after_all_is_scored_without_a_call() -> None:
    # when
    async with running() as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk("Paris", model=RECORDED, metrics=[a_jury(judges=()), a_jury("other")])
        )

    # then
    assert evaluator.endpoint.prompts == ["other/one: Paris"]
    assert scored.columns == ((None,), (1.0,))
    assert scored.notes == {0: "nobody_asked"}


def _says(text: str) -> Behaviour:
    async def answer(_: JsonObject, __: Call) -> str:
        return text

    return answer


def _answer_after(event: asyncio.Event) -> Behaviour:
    async def answer(request: JsonObject, call: Call) -> str:
        await event.wait()
        return await _answer(request, call)

    return answer


async def _answer(request: JsonObject, _: Call) -> str:
    return str(request["prompt"])
