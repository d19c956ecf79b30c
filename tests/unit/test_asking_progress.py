"""What is told of a chunk that takes its time: that somebody works on it, and what it waits for."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest

from evalbus.bus import codec
from evalbus.bus.base import Message, Outgoing
from evalbus.bus.memory import MemoryBus
from evalbus.bus.topology import PROGRESS_QUEUE
from evalbus.evaluator.advance import Advance, SignsOfLife
from evalbus_schemas import cloudevents
from evalbus_schemas.chunks import ChunkProgress, WaitsFor
from tests.fast_forward import fast_forward
from tests.scoring import a_request


class Signs:
    """Every sign, and when it came."""

    def __init__(self) -> None:
        self.came: list[tuple[float, WaitsFor | None]] = []
        self.rows: list[int] = []
        self._started = now()

    async def __call__(self, message: Message) -> Sequence[Outgoing]:
        sign = codec.parse(message, ChunkProgress, type=cloudevents.CHUNK_PROGRESS)
        self.came.append((round(now() - self._started, 1), sign.waits_for))
        self.rows.append(sign.rows_done)
        return []


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def signs_of_life() -> AsyncGenerator[tuple[Advance, Signs]]:
    signs = Signs()
    async with MemoryBus() as bus, bus.subscribe(PROGRESS_QUEUE, signs, prefetch=1):
        giving = SignsOfLife(bus=bus, evaluator="here", heartbeat_seconds=20.0)
        async with giving.given(a_request(5)) as advance:
            yield advance, signs


@fast_forward
async def test_there_is_a_sign_at_every_beat_with_the_rows_done() -> None:
    # when
    async with signs_of_life() as (advance, signs):
        await asyncio.sleep(30)
        advance.note_row()
        advance.note_row()
        await asyncio.sleep(11)

    # then
    assert signs.came == [(20.0, None), (40.0, None)]
    assert signs.rows == [0, 2]


@fast_forward
async def test_what_a_chunk_waits_for_is_told_at_once_and_so_is_that_it_goes_on() -> None:
    # when
    async with signs_of_life() as (advance, signs):
        await asyncio.sleep(3)
        with advance.barred():
            await asyncio.sleep(4)
        await asyncio.sleep(2)

    # then
    assert signs.came == [(3.0, "circuit_open"), (7.0, None)]


@fast_forward
async def test_news_come_at_most_once_a_second_and_the_last_one_is_not_lost() -> None:
    # when
    async with signs_of_life() as (advance, signs):
        for _ in range(9):
            with advance.pausing():
                await asyncio.sleep(0.5)
            await asyncio.sleep(0.1)
        await asyncio.sleep(2)

    # then
    moments = [moment for moment, _ in signs.came]
    assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(moments))
    assert signs.came[0] == (0.0, "retry_delay")
    assert signs.came[-1][1] is None


@pytest.mark.parametrize("seconds", [0.3, 1.0, 7.0])
@fast_forward
async def test_however_often_things_change_the_beat_goes_on(seconds: float) -> None:
    # when
    async with signs_of_life() as (advance, signs):
        for _ in range(int(60 / seconds)):
            # Over again before it could be told.
            with advance.pausing():
                pass
            await asyncio.sleep(seconds)

    # then
    assert [moment for moment, waits_for in signs.came if waits_for is None] == [20.0, 40.0]
