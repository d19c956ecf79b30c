"""The evaluator on a bus: what it takes, what it answers, and the signs of life in between."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from evalbus.bus.base import Message, Outgoing
from evalbus.bus.codec import encode, parse, parse_lines
from evalbus.bus.memory import MemoryBus
from evalbus.bus.topology import (
    DEAD_QUEUE,
    PROGRESS_QUEUE,
    SCORED_QUEUE,
    WORK_LIVE,
    WORK_RECORDED,
    Queue,
)
from evalbus.errors import Malformed
from evalbus.evaluator.scoring import join_lines, score_chunk
from evalbus.evaluator.service import ScoreChunk, serve
from evalbus.settings import Settings
from evalbus_schemas import cloudevents
from evalbus_schemas.chunks import ChunkProgress, ChunkRequested, ChunkScored
from tests.buses import Inbox, a_message, eventually, to
from tests.parrot import Endpoint
from tests.scoring import a_request, parsed

ROW = b'{"output":"a","reference":"a"}'


@dataclass
class ScorerHere:
    """Scores in this process, once it may."""

    workers: int = 1
    evaluator: str = "here"
    at_work: int = 0
    at_work_max: int = 0
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def score(
        self,
        request: ChunkRequested,
        body: bytes,
        *,
        note_rows: Callable[[int], None] | None = None,
    ) -> bytes:
        self.at_work += 1
        self.at_work_max = max(self.at_work_max, self.at_work)
        if note_rows is not None:
            note_rows(request.n_rows - 1)
        await self.may_go_on.wait()
        self.at_work -= 1
        return score_chunk(body, evaluator=self.evaluator)


def a_chunk(number: int = 0) -> Message:
    request = a_request(2, chunk=number)
    return encode(
        request,
        cloudevents.CHUNK_REQUESTED,
        source="/tests",
        lines=b"\n".join([ROW, ROW]),
        correlation_id="order-7",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )


def ready() -> ScorerHere:
    scorer = ScorerHere()
    scorer.may_go_on.set()
    return scorer


async def handled(message: Message, scorer: ScorerHere) -> list[Outgoing]:
    async with MemoryBus() as bus:
        handler = ScoreChunk(scorer=scorer, bus=bus, heartbeat_seconds=60)
        return list(await handler(message))


async def test_the_answer_carries_the_scores_and_where_they_belong() -> None:
    # when
    (answer,) = await handled(a_chunk(7), ready())

    # then
    assert (answer.exchange, answer.key) == (SCORED_QUEUE.exchange.name, SCORED_QUEUE.key)
    scored, samples = parse_lines(answer.message, ChunkScored, type=cloudevents.CHUNK_SCORED)
    assert (scored.chunk, scored.scores, scored.evaluator) == (7, ((1.0, 1.0),), "here")
    assert samples == b'{"output_text":"a"}\n{"output_text":"a"}'
    assert answer.message.correlation_id == "order-7"
    assert answer.message.traceparent == a_chunk().traceparent
    assert answer.message.is_persistent


async def test_the_same_chunk_has_the_same_answer_id_however_often_it_comes() -> None:
    # when
    ids = [(await handled(a_chunk(chunk), ready()))[0].message.id for chunk in (1, 1, 2)]

    # then
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not_json"),
        (b"{}\n{}", "invalid"),
        (join_lines(a_request(2), [ROW]), "wrong_row_count"),
    ],
)
async def test_a_chunk_that_makes_no_sense_is_set_aside(body: bytes, reason: str) -> None:
    # given
    message = a_message(body, type=cloudevents.CHUNK_REQUESTED, content_type=cloudevents.NDJSON)

    # when, then
    with pytest.raises(Malformed) as raised:
        await handled(message, ready())
    assert raised.value.reason == reason


@pytest.mark.parametrize("queue", [WORK_RECORDED, WORK_LIVE], ids=lambda queue: queue.name)
async def test_chunks_of_both_work_queues_are_answered(queue: Queue) -> None:
    # given
    scored = Inbox()
    async with (
        MemoryBus() as bus,
        bus.subscribe(SCORED_QUEUE, scored, prefetch=10),
        serve(bus, Settings(), ready(), Endpoint()),
    ):
        # when
        await bus.publish(*(to(queue, a_chunk(number)) for number in range(5)))
        await eventually(lambda: len(scored.messages) == 5)

    # then
    answers = [parsed(message.body).header for message in scored.messages]
    assert {answer.chunk for answer in answers} == set(range(5))


async def test_the_next_chunk_is_at_hand_while_one_is_scored() -> None:
    # given
    scorer, scored = ScorerHere(workers=1), Inbox()
    async with (
        MemoryBus() as bus,
        bus.subscribe(SCORED_QUEUE, scored, prefetch=10),
        serve(bus, Settings(), scorer, Endpoint()),
    ):
        await bus.publish(*(to(WORK_RECORDED, a_chunk(number)) for number in range(5)))

        # when
        await eventually(lambda: scorer.at_work == 2)
        scorer.may_go_on.set()
        await eventually(lambda: len(scored.messages) == 5)

    # then
    assert scorer.at_work_max == 2


async def test_while_a_chunk_takes_its_time_there_are_signs_of_life() -> None:
    # given
    scorer, signs, scored = ScorerHere(), Inbox(), Inbox()
    settings = Settings(heartbeat_seconds=0.02)
    async with (
        MemoryBus() as bus,
        bus.subscribe(PROGRESS_QUEUE, signs, prefetch=10),
        bus.subscribe(SCORED_QUEUE, scored, prefetch=10),
        serve(bus, settings, scorer, Endpoint()),
    ):
        # when
        await bus.publish(to(WORK_RECORDED, a_chunk(7)))
        await eventually(lambda: len(signs.messages) >= 2)
        scorer.may_go_on.set()
        await eventually(lambda: len(scored.messages) == 1)

    # then
    sign = parse(signs.messages[0], ChunkProgress, type=cloudevents.CHUNK_PROGRESS)
    assert (sign.chunk, sign.rows_done, sign.evaluator) == (7, 1, "here")
    assert not signs.messages[0].is_persistent


async def test_a_broken_chunk_does_not_hold_up_the_next() -> None:
    # given
    scored, dead = Inbox(), Inbox()
    broken = a_message(b"{", type=cloudevents.CHUNK_REQUESTED, content_type=cloudevents.NDJSON)
    async with (
        MemoryBus() as bus,
        bus.subscribe(SCORED_QUEUE, scored, prefetch=10),
        bus.subscribe(DEAD_QUEUE, dead, prefetch=10),
        serve(bus, Settings(), ready(), Endpoint()),
    ):
        # when
        await bus.publish(to(WORK_RECORDED, broken), to(WORK_RECORDED, a_chunk(1)))
        await eventually(lambda: len(scored.messages) == len(dead.messages) == 1)

    # then
    assert dead.messages[0].body == b"{"


async def test_leaving_waits_for_the_chunk_in_hand() -> None:
    # given
    scorer, scored = ScorerHere(), Inbox()
    async with MemoryBus() as bus, bus.subscribe(SCORED_QUEUE, scored, prefetch=10):
        async with serve(bus, Settings(drain_seconds=10), scorer, Endpoint()):
            await bus.publish(to(WORK_RECORDED, a_chunk()))
            await eventually(lambda: scorer.at_work == 1)

            # when
            asyncio.get_running_loop().call_soon(scorer.may_go_on.set)

        # then
        await eventually(lambda: len(scored.messages) == 1)
