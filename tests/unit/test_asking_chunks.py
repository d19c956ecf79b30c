"""A chunk for a live model, from the work queue to its scores: what is asked, what is known, what is kept."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import orjson
import pytest

from evalbus.bus import codec
from evalbus.bus.base import Message
from evalbus.bus.memory import MemoryBus
from evalbus.bus.topology import ANSWERS_ASKED, SCORED_QUEUE, WORK_LIVE, WORK_RECORDED
from evalbus.errors import Unavailable
from evalbus.evaluator.live_chunk import ENVELOPE_BYTES
from evalbus.evaluator.scoring import join_lines
from evalbus.evaluator.service import serve
from evalbus.models import Call
from evalbus.models.base import CacheMode
from evalbus.settings import Settings
from evalbus_schemas import cloudevents
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import Asked, ChunkProgress, ChunkRequested, RowLimits
from tests.buses import Inbox, eventually, to
from tests.evaluators import ScorerHere, Shelf, a_live_chunk, running
from tests.parrot import (
    ENDPOINT,
    Behaviour,
    Endpoint,
    a_parrot,
    a_row,
    install_parrot,
    never,
    refused,
    throttled,
)
from tests.scoring import JOB_ID, parsed


@pytest.fixture(autouse=True)
def _parrot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_parrot(tmp_path, monkeypatch)


def said(samples: Sequence[JsonObject]) -> list[object]:
    """What each row was answered; None for one without an answer."""
    return [sample.get("output_text") for sample in samples]


async def test_rows_are_asked_for_and_scored() -> None:
    # given
    wrong = orjson.dumps({"question": "Bern", "reference": "Rome"})

    # when
    async with running() as evaluator:
        (scored,) = await evaluator.score(a_live_chunk("Paris", wrong, chunk=7))

    # then
    assert scored.header.chunk == 7
    assert scored.columns == ((1.0, 0.0),)
    assert said(scored.samples) == ["Paris", "Bern"]
    assert all(isinstance(sample["latency_seconds"], float) for sample in scored.samples)
    assert [asked.calls for asked in scored.header.asked] == [1, 1]
    assert [asked.requests for asked in scored.header.asked] == [
        ({"said": "Paris"},),
        ({"said": "Bern"},),
    ]


async def test_rows_that_cannot_be_rendered_fail_and_are_not_asked_for() -> None:
    # when
    async with running() as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk(b"{", a_row("Rome"), b'{"reference":"Bern"}', b"", b'{"a":"\x1e"}')
        )

    # then
    assert {row: error.code for row, error in scored.failed.items()} == {
        0: "undecodable",
        2: "missing_field",
        3: "too_large",
        4: "undecodable",
    }
    assert all(error.stage == "sample" for error in scored.failed.values())
    assert evaluator.endpoint.prompts == ["Rome"]
    assert scored.columns == ((None, 1.0, None, None, None),)
    assert [asked.calls for asked in scored.header.asked] == [0, 1, 0, 0, 0]


async def test_a_row_that_gets_no_answer_fails_with_the_cause_and_what_it_took() -> None:
    # given
    endpoint = Endpoint(first=[refused()])

    # when
    async with running(endpoint) as evaluator:
        (scored,) = await evaluator.score(a_live_chunk("Paris", "Rome", concurrency=1))

    # then
    error = scored.failed[0]
    assert (error.stage, error.code) == ("sample", "http_400")
    assert error.message == "after 1 call: no such model"
    assert said(scored.samples) == [None, "Rome"]
    assert scored.header.asked[0] == Asked(calls=1, requests=({"error": "no such model"},))


async def test_no_more_rows_of_a_chunk_are_asked_for_at_once_than_it_may() -> None:
    # given
    endpoint = Endpoint(seconds=0.01)

    # when
    async with running(endpoint) as evaluator:
        await evaluator.score(a_live_chunk(*(f"question {i}" for i in range(16)), concurrency=3))

    # then
    assert len(endpoint.calls) == 16
    assert endpoint.at_work_max == 3


async def test_calls_name_rows_by_their_place_in_the_dataset_and_repeats_apart() -> None:
    # when
    async with running() as evaluator:
        await evaluator.score(
            a_live_chunk("a", "b", first_row=100, chunk=0, concurrency=1),
            a_live_chunk("c", "d", rows=(3, 17), chunk=1, concurrency=1),
            a_live_chunk("c", "d", rows=(3, 17), chunk=2, repeat=1, concurrency=1),
        )

    # then
    calls = evaluator.endpoint.calls
    assert [call.row for call in calls] == [100, 101, 3, 17, 3, 17]
    assert len({call.id for call in calls}) == 6
    assert {(call.job, call.traceparent) for call in calls} == {("capitals-1", "00-trace")}


async def test_a_chunk_that_comes_again_asks_only_what_nobody_had_answered() -> None:
    # given
    endpoint = Endpoint(first=[_answer, _answer, never()])
    shelf = Shelf()
    chunk = a_live_chunk("a", "b", "c", concurrency=1, model=a_parrot(is_priced=True))
    async with running(endpoint, shelf=shelf) as dying:
        await dying.send(chunk)
        await eventually(lambda: len(shelf.kept) == 2)

    # when
    async with running(endpoint, shelf=shelf) as other:
        (scored,) = await other.score(chunk)

    # then
    assert endpoint.prompts == ["a", "b", "c", "c"]
    assert endpoint.calls[2].id == endpoint.calls[3].id
    assert [asked.calls for asked in scored.header.asked] == [1, 1, 1]
    assert not any(asked.is_cached for asked in scored.header.asked)
    assert all(asked.cost == pytest.approx(20e-6) for asked in scored.header.asked)
    assert said(scored.samples) == ["a", "b", "c"]


@pytest.mark.parametrize("cache", ["off", "read", "write", "on"])
async def test_whatever_the_cache_nothing_is_paid_for_twice_by_one_job(cache: CacheMode) -> None:
    # given
    chunk = a_live_chunk("a", "b", model=a_parrot(cache=cache))
    shelf = Shelf()

    # when
    async with running(shelf=shelf) as evaluator:
        await evaluator.score(a_live_chunk("a", "b", job_id=uuid4(), model=a_parrot(cache=cache)))
        await evaluator.score(chunk)
        await eventually(lambda: len(shelf.kept) >= 2)
        before = len(evaluator.endpoint.calls)
        await evaluator.score(chunk)

    # then
    assert len(evaluator.endpoint.calls) == before


@pytest.mark.parametrize(
    ("writes", "reads", "calls"),
    [
        ("on", "on", 1),
        ("write", "read", 1),
        ("on", "write", 2),
        ("on", "off", 2),
        ("read", "on", 2),
        ("off", "on", 2),
    ],
)
async def test_answers_are_found_by_other_jobs_where_one_writes_and_the_other_reads(
    writes: CacheMode, reads: CacheMode, calls: int
) -> None:
    # given
    shelf = Shelf()
    async with running(shelf=shelf) as evaluator:
        await evaluator.score(_of_some_job("Paris", cache=writes))
        await eventually(lambda: len(shelf.kept) >= 1)

        # when
        await evaluator.score(_of_some_job("Paris", cache=reads))
        scored = (await evaluator.results(2))[1]

    # then
    assert len(evaluator.endpoint.calls) == calls
    assert scored.columns == ((1.0,),)
    assert scored.header.asked[0].is_cached is (calls == 1)


async def test_a_hit_costs_nothing_and_says_so() -> None:
    # given
    shelf = Shelf()
    async with running(shelf=shelf) as evaluator:
        await evaluator.score(_of_some_job("Paris", cache="on", is_priced=True))
        await eventually(lambda: len(shelf.kept) == 1)

        # when
        await evaluator.score(_of_some_job("Paris", cache="on", is_priced=True))
        scored = (await evaluator.results(2))[1]

    # then
    assert scored.header.asked == (Asked(calls=0, is_cached=True, cost=0.0),)
    # Nor does it say how long it took: that was another job's call.
    assert scored.samples == [{"output_text": "Paris"}]


@pytest.mark.parametrize(
    "change",
    [
        {"workspace": "other"},
        {"repeat": 1},
        {"endpoint": "http://other.example"},
        {"question": "Rome"},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_only_the_very_same_question_is_a_hit(change: dict[str, object]) -> None:
    # given
    shelf = Shelf()
    async with running(shelf=shelf) as evaluator:
        await evaluator.score(_of_some_job("Paris", cache="on"))
        await eventually(lambda: len(shelf.kept) == 1)

        # when
        model = a_parrot(cache="on", endpoint=str(change.get("endpoint", ENDPOINT)))
        await evaluator.score(
            a_live_chunk(
                str(change.get("question", "Paris")),
                job_id=uuid4(),
                model=model,
                workspace=str(change.get("workspace", "default")),
                repeat=1 if "repeat" in change else 0,
            )
        )

    # then
    assert len(evaluator.endpoint.calls) == 2


@pytest.mark.parametrize("cache", ["off", "read", "write", "on"])
async def test_a_derived_job_finds_what_its_source_had_paid_for(cache: CacheMode) -> None:
    # given
    model = a_parrot(cache=cache, is_priced=True)
    shelf = Shelf()
    async with running(shelf=shelf) as evaluator:
        await evaluator.score(a_live_chunk("Paris", "Rome", model=model))
        await eventually(lambda: len(shelf.kept) >= 2)

        # when
        await evaluator.score(
            a_live_chunk(
                "Rome", rows=(1,), job_id=uuid4(), source_job_id=JOB_ID, chunk=5, model=model
            )
        )
        scored = (await evaluator.results(2))[1]

    # then
    assert len(evaluator.endpoint.calls) == 2
    assert said(scored.samples) == ["Rome"]
    assert scored.header.asked == (Asked(calls=0, is_cached=True, cost=0.0),)


async def test_what_a_source_was_answered_for_another_row_is_not_taken() -> None:
    # given
    shelf = Shelf()
    async with running(shelf=shelf) as evaluator:
        await evaluator.score(a_live_chunk("Paris"))
        await eventually(lambda: len(shelf.kept) == 1)

        # when
        await evaluator.score(
            a_live_chunk("Paris", rows=(1,), job_id=uuid4(), source_job_id=JOB_ID)
        )

    # then
    assert len(evaluator.endpoint.calls) == 2


async def test_nothing_is_asked_while_it_cannot_be_known_what_was_answered() -> None:
    # given
    shelf = Shelf(failures=[Unavailable("the database is away")])

    # when
    async with running(shelf=shelf) as evaluator:
        await evaluator.send(a_live_chunk("Paris"))
        await eventually(lambda: not shelf.failures)
        asked_at_once = len(evaluator.endpoint.calls)
        (scored,) = await evaluator.results()

    # then
    assert asked_at_once == 0
    assert scored.columns == ((1.0,),)
    assert not evaluator.dead.messages


async def test_answers_that_are_too_large_for_one_reply_are_fetched_apart() -> None:
    # given
    chunk = a_live_chunk("a", "b", "c", "d")
    shelf = Shelf()
    async with running(shelf=shelf) as evaluator:
        await evaluator.score(chunk)
        await eventually(lambda: len(shelf.kept) == 4)

        # when
        shelf.reply_answers_max = 1
        await evaluator.score(chunk)

    # then
    assert len(evaluator.endpoint.calls) == 4


async def test_answers_that_come_while_others_are_written_go_with_the_next_message() -> None:
    # given
    shelf = Shelf()
    shelf.may_keep.clear()

    # when
    async with running(shelf=shelf) as evaluator:
        await evaluator.score(a_live_chunk(*(f"question {i}" for i in range(16))))
        shelf.may_keep.set()
        await eventually(lambda: sum(shelf.batches) == 16)

    # then
    assert len(shelf.batches) < 16


async def test_rows_are_scored_although_their_answers_cannot_be_kept() -> None:
    # given
    async with MemoryBus(publish_seconds_max=0.05, capacity=1) as bus:
        scored, shelf = Inbox(), Shelf()
        async with (
            bus.subscribe(SCORED_QUEUE, scored, prefetch=10),
            bus.subscribe(ANSWERS_ASKED, shelf.rpc, prefetch=10),
            serve(bus, Settings(drain_seconds=0.1), ScorerHere(), Endpoint()),
        ):
            # when
            for number in range(3):
                await bus.publish(to(WORK_LIVE, a_live_chunk("Paris", chunk=number)))
            messages = await scored.holds(3)

    # then
    assert [parsed(message.body).columns for message in messages] == [((1.0,),)] * 3


async def test_what_is_noted_last_is_kept_before_the_evaluator_ends() -> None:
    # given
    shelf = Shelf()

    # when
    async with running(shelf=shelf) as evaluator:
        shelf.may_keep.clear()
        await evaluator.score(a_live_chunk("a", "b", "c"))
        shelf.may_keep.set()

    # then
    assert len(shelf.kept) == 3


async def test_a_chunk_in_hand_is_cut_off_with_its_calls_when_the_evaluator_stops() -> None:
    # given
    endpoint = Endpoint(first=[never()])

    # when
    async with running(endpoint) as evaluator:
        await evaluator.send(a_live_chunk("Paris"))
        await eventually(lambda: endpoint.at_work == 1)

    # then
    assert endpoint.at_work == 0
    assert not evaluator.scored.messages


async def test_a_chunk_that_comes_again_while_it_is_asked_waits_for_the_same_answer() -> None:
    # given
    may_answer = asyncio.Event()
    endpoint = Endpoint(first=[_answer_after(may_answer)])
    chunk = a_live_chunk("Paris", chunk=7)

    # when
    async with running(endpoint) as evaluator:
        await evaluator.send(chunk)
        await eventually(lambda: endpoint.at_work == 1)
        await evaluator.send(chunk, a_live_chunk("Rome", chunk=8))
        await evaluator.scored.holds(
            1
        )  # the other chunk, which came after the copy, is not held up
        may_answer.set()
        results = await evaluator.results(3)

    # then
    assert endpoint.prompts == ["Paris", "Rome"]
    assert [scored.header.chunk for scored in results] == [8, 7, 7]
    assert results[1].samples == results[2].samples
    assert said(results[1].samples) == ["Paris"]


async def test_no_call_is_begun_while_the_bus_is_away_and_those_that_are_out_are_kept() -> None:
    # given
    may_answer = asyncio.Event()
    endpoint = Endpoint(first=[_answer_after(may_answer), _answer_after(may_answer)])
    shelf = Shelf()
    async with running(endpoint, shelf=shelf) as evaluator:
        await evaluator.send(a_live_chunk("a", "b", "c", "d", concurrency=2))
        await eventually(lambda: endpoint.at_work == 2)

        # when
        evaluator.lose_the_bus()
        may_answer.set()
        await eventually(lambda: len(shelf.kept) == 2)
        asked_meanwhile = list(endpoint.prompts)
        evaluator.find_the_bus()
        (scored,) = await evaluator.results()

    # then
    assert asked_meanwhile == ["a", "b"]
    assert endpoint.prompts == ["a", "b", "c", "d"]
    assert said(scored.samples) == ["a", "b", "c", "d"]
    assert len(evaluator.scored.messages) == 1


async def test_a_chunk_that_waits_says_for_what_at_once() -> None:
    # given
    endpoint = Endpoint(first=[throttled(retry_after_seconds=0.3)])

    # when
    async with running(endpoint, heartbeat_seconds=30) as evaluator:
        await evaluator.score(a_live_chunk("Paris", max_retries=1))

    # then
    signs = [
        codec.parse(message, ChunkProgress, type=cloudevents.CHUNK_PROGRESS)
        for message in evaluator.signs.messages
    ]
    assert [sign.waits_for for sign in signs] == ["retry_delay"]


async def test_request_logs_are_cut_where_the_answer_would_outgrow_its_message() -> None:
    # given
    limits = RowLimits(row_bytes=1000, samples_bytes=1_000_000)
    large = "x" * 150_000
    message_bytes_max = 1_500_000

    # when
    async with running(message_bytes_max=message_bytes_max) as evaluator:
        (scored,) = await evaluator.score(
            a_live_chunk(*(f"{i}{large}" for i in range(6)), "small", limits=limits)
        )
        size = len(evaluator.scored.messages[0].body)

    # then
    assert size + ENVELOPE_BYTES <= message_bytes_max
    logs = [len(asked.requests) for asked in scored.header.asked]
    assert logs[-1] == 1
    assert 0 < sum(logs) < 7
    assert [asked.calls for asked in scored.header.asked] == [1] * 7


async def test_a_chunk_that_does_not_say_how_to_ask_is_set_aside() -> None:
    # when
    async with running() as evaluator:
        await evaluator.send(a_live_chunk("Paris", asking=False))
        await evaluator.dead.holds(1)

    # then
    assert not evaluator.endpoint.calls


async def test_a_live_chunk_on_the_wrong_queue_is_never_scored_by_what_would_be_asked() -> None:
    # when
    async with running(attempts_max=1) as evaluator:
        await evaluator.bus.publish(to(WORK_RECORDED, a_live_chunk("Paris")))
        await evaluator.dead.holds(1)

    # then
    assert not evaluator.scored.messages


async def test_given_samples_are_scored_from_either_queue_without_a_call() -> None:
    # given
    request = codec.parse_json(
        a_live_chunk("a", "b").body.partition(b"\n")[0], ChunkRequested
    ).model_copy(update={"samples": "given", "asking": None})
    lines = [
        b'{"reference":"a"}\x1e{"output_text":"a"}',
        b'{"reference":"b"}\x1e{}\x1e["http_500","after 4 calls: down"]',
    ]
    body = join_lines(request, lines).partition(b"\n")[2]
    message = codec.encode(request, cloudevents.CHUNK_REQUESTED, source="/tests", lines=body)

    # when
    async with running() as evaluator:
        await evaluator.bus.publish(to(WORK_LIVE, message), to(WORK_RECORDED, message))
        results = await evaluator.results(2)

    # then
    for scored in results:
        assert scored.columns == ((1.0, None),)
        assert (scored.failed[1].code, scored.failed[1].stage) == ("http_500", "sample")
        assert scored.header.asked == ()
    assert not evaluator.endpoint.calls


def _of_some_job(question: str, *, cache: CacheMode, is_priced: bool = False) -> Message:
    model = a_parrot(cache=cache, is_priced=is_priced)
    return a_live_chunk(question, job_id=uuid4(), model=model)


def _answer_after(event: asyncio.Event) -> Behaviour:
    async def answer(request: JsonObject, call: Call) -> str:
        await event.wait()
        return await _answer(request, call)

    return answer


async def _answer(request: JsonObject, _: Call) -> str:
    return str(request["prompt"])
