"""What only the in-process bus promises: bounds, and patterns that mean what they mean on RabbitMQ."""

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest

from evalbus.bus.base import Message, Outgoing
from evalbus.bus.memory import LISTENER_MESSAGES_MAX, MemoryBus, topic_pattern
from evalbus.bus.topology import DEAD_QUEUE, EVENTS, SCORED_QUEUE, WORK_RECORDED
from evalbus.errors import Malformed, Unavailable
from tests.buses import Inbox, a_message, eventually, to


async def test_publishing_to_a_full_queue_waits_for_room() -> None:
    inbox = Inbox()

    async with MemoryBus(capacity=2) as bus:
        publishing = [
            asyncio.create_task(bus.publish(to(WORK_RECORDED, a_message()))) for _ in range(5)
        ]
        await eventually(lambda: sum(task.done() for task in publishing) == 2)
        async with bus.subscribe(WORK_RECORDED, inbox, prefetch=1):
            await inbox.holds(5)
        await asyncio.gather(*publishing)


async def test_publishing_does_not_wait_for_ever() -> None:
    async with MemoryBus(capacity=1, publish_seconds_max=0.05) as bus:
        await bus.publish(to(WORK_RECORDED, a_message()))

        with pytest.raises(Unavailable, match="no room"):
            await bus.publish(to(WORK_RECORDED, a_message()))


async def test_outputs_that_find_no_room_are_held_until_they_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scored, handled = Inbox(), list[bytes]()

    async def handle(message: Message) -> list[Outgoing]:
        handled.append(message.body)
        return [to(SCORED_QUEUE, a_message(message.body))]

    async with (
        MemoryBus(capacity=1, publish_seconds_max=0.02) as bus,
        bus.subscribe(WORK_RECORDED, handle, prefetch=4),
    ):
        for number in range(4):
            await bus.publish(to(WORK_RECORDED, a_message(b"%d" % number)))
            await eventually(partial(_are_more_than, handled, number))
        # Of their outputs one is in the queue now, and three wait longer than a publish may.
        await eventually(lambda: "outputs.held" in caplog.text)
        async with bus.subscribe(SCORED_QUEUE, scored, prefetch=1):
            await scored.holds(4)

    assert {message.body for message in scored.messages} == {b"0", b"1", b"2", b"3"}


def _are_more_than(things: Sequence[object], number: int) -> bool:
    return len(things) > number


async def test_a_full_queue_of_dead_letters_stops_nobody() -> None:
    inbox = Inbox(*[Malformed("invalid", "x")] * 10)
    dead = Inbox()

    async with MemoryBus(capacity=1) as bus:
        async with bus.subscribe(WORK_RECORDED, inbox, prefetch=1):
            for _ in range(10):
                await bus.publish(to(WORK_RECORDED, a_message()))
            await inbox.holds(10)
        async with bus.subscribe(DEAD_QUEUE, dead, prefetch=1):
            await dead.holds(10)


async def test_a_body_is_handed_over_without_a_copy() -> None:
    inbox = Inbox()
    body = bytes(256 * 1024)

    async with MemoryBus() as bus, bus.subscribe(WORK_RECORDED, inbox, prefetch=1):
        await bus.publish(to(WORK_RECORDED, a_message(body)))
        [message] = await inbox.holds(1)

    assert message.body is body


async def test_a_listener_that_is_far_behind_loses_the_oldest() -> None:
    async with MemoryBus() as bus, bus.listen("#") as events:
        for number in range(LISTENER_MESSAGES_MAX + 1):
            await bus.publish(
                Outgoing(
                    message=a_message(b"%d" % number),
                    exchange=EVENTS.name,
                    key="benchmark.started.default",
                    is_mandatory=False,
                )
            )
        oldest = await anext(events)

    assert oldest.body == b"1"


@pytest.mark.parametrize(
    ("pattern", "key", "does_match"),
    [
        ("benchmark.*.default", "benchmark.started.default", True),
        ("benchmark.*.default", "benchmark.started.other", False),
        ("benchmark.*", "benchmark.started.default", False),
        ("benchmark.#", "benchmark.started.default", True),
        ("benchmark.#", "benchmark", True),
        ("benchmark.#", "benchmarks", False),
        ("#", "", True),
        ("#", "anything.at.all", True),
        ("#.default", "default", True),
        ("#.default", "benchmark.started.default", True),
        ("#.default", "benchmarkdefault", False),
        ("benchmark.#.default", "benchmark.default", True),
        ("benchmark.#.default", "benchmark.started.default", True),
        ("benchmark.#.default", "benchmark.started.other", False),
        ("*.*", "one", False),
        ("a+b", "a+b", True),
        ("a+b", "aab", False),
    ],
)
def test_a_pattern_means_what_it_means_on_rabbitmq(
    pattern: str, key: str, does_match: bool
) -> None:
    assert (topic_pattern(pattern).fullmatch(key) is not None) is does_match
