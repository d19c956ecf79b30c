"""The promises of the bus port, over every adapter."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from time import monotonic

import pytest

from evalbus.bus.base import Bus, Message, Outgoing
from evalbus.bus.codec import check_envelope
from evalbus.bus.detours import note_of
from evalbus.bus.memory import MemoryBus
from evalbus.bus.policy import RetryPolicy
from evalbus.bus.rabbitmq import RabbitMQBus
from evalbus.bus.replies import reply
from evalbus.bus.topology import (
    DEAD_QUEUE,
    EVENTS,
    RPC,
    RPC_QUERIES,
    SCORED_QUEUE,
    START_QUEUE,
    WORK_RECORDED,
)
from evalbus.errors import Malformed, TransientError, Unavailable, UnknownJob, Unroutable
from evalbus_schemas.cloudevents import RPC_REQUEST, START_BENCHMARK
from tests.buses import Inbox, a_message, eventually, to, to_start

POLICY = RetryPolicy(attempts_max=2)
MESSAGE_BYTES_MAX = 100_000


@pytest.fixture(params=["memory", "rabbitmq"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    """A bus of its own for each test, on which a message is tried twice."""
    made: Bus
    if request.param == "memory":
        made = MemoryBus(policy=POLICY, message_bytes_max=MESSAGE_BYTES_MAX)
    else:
        url: str = request.getfixturevalue("amqp_url")
        made = RabbitMQBus(url, policy=POLICY, message_bytes_max=MESSAGE_BYTES_MAX)
    async with made:
        yield made


async def test_a_message_arrives_with_everything_it_carried(bus: Bus) -> None:
    inbox = Inbox()
    message = a_message(
        b'{"benchmark": "default/capitals"}',
        subject="capitals",
        time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        correlation_id="order-7",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        headers={"tenant": "north"},
    )

    async with bus.subscribe(START_QUEUE, inbox, prefetch=1):
        await bus.publish(to_start(message))
        [arrived] = await inbox.holds(1)

    assert arrived.body == message.body
    assert arrived.id == message.id
    assert arrived.type == message.type
    assert arrived.content_type == message.content_type
    assert arrived.source == message.source
    assert arrived.subject == "capitals"
    assert arrived.time == message.time
    assert arrived.correlation_id == "order-7"
    assert arrived.traceparent == message.traceparent
    assert arrived.headers == {"tenant": "north"}
    assert arrived.attempt == 1
    assert arrived.routing_key == "benchmark.start"
    assert arrived.body_bytes == len(message.body)


async def test_a_message_waits_for_whoever_comes_later(bus: Bus) -> None:
    inbox = Inbox()
    message = a_message()

    await bus.publish(to_start(message))
    async with bus.subscribe(START_QUEUE, inbox, prefetch=1):
        await inbox.holds(1)

    assert inbox.ids == [message.id]


@pytest.mark.parametrize(
    ("exchange", "key"), [("evalbus.commands", "nobody.is.here"), ("evalbus.nowhere", "any")]
)
async def test_a_message_that_nobody_receives_is_an_error(
    bus: Bus, exchange: str, key: str
) -> None:
    nowhere = Outgoing(message=a_message(), exchange=exchange, key=key)

    with pytest.raises(Unroutable, match=key):
        await bus.publish(nowhere)


async def test_after_an_unroutable_message_publishing_goes_on(bus: Bus) -> None:
    inbox = Inbox()
    nowhere = Outgoing(message=a_message(), exchange="evalbus.nowhere", key="any")
    good = [to_start(a_message()) for _ in range(10)]

    async with bus.subscribe(START_QUEUE, inbox, prefetch=4):
        ends = await asyncio.gather(
            *(bus.publish(each) for each in (*good[:5], nowhere, *good[5:])),
            return_exceptions=True,
        )
        await eventually(lambda: set(inbox.ids) == {each.message.id for each in good})

    assert [type(end) for end in ends if end is not None] == [Unroutable]


async def test_an_event_that_nobody_listens_to_is_no_error(bus: Bus) -> None:
    event = Outgoing(
        message=a_message(),
        exchange=EVENTS.name,
        key="benchmark.started.default",
        is_mandatory=False,
    )

    await bus.publish(event)


async def test_many_messages_are_published_at_once(bus: Bus) -> None:
    inbox = Inbox()
    messages = [a_message(b"x" * 5000) for _ in range(200)]

    async with bus.subscribe(START_QUEUE, inbox, prefetch=8):
        async with asyncio.TaskGroup() as tasks:
            for message in messages:
                tasks.create_task(bus.publish(to_start(message)))
        await inbox.holds(200)

    assert sorted(inbox.ids) == sorted(message.id for message in messages)


async def test_two_messages_under_one_id_are_two_messages(bus: Bus) -> None:
    inbox = Inbox()
    message = a_message()

    async with bus.subscribe(START_QUEUE, inbox, prefetch=1):
        with pytest.raises(Unroutable):
            await bus.publish(
                Outgoing(message=message, exchange="evalbus.commands", key="nobody.is.here"),
                to_start(message),
            )
        await inbox.holds(1)

    assert inbox.ids == [message.id]


async def test_what_a_handler_returns_is_published(bus: Bus) -> None:
    inbox = Inbox()

    async def handle(message: Message) -> Sequence[Outgoing]:
        return [to(SCORED_QUEUE, a_message(b"scored")), to(SCORED_QUEUE, a_message(b"again"))]

    async with (
        bus.subscribe(WORK_RECORDED, handle, prefetch=1),
        bus.subscribe(SCORED_QUEUE, inbox, prefetch=4),
    ):
        await bus.publish(to(WORK_RECORDED, a_message()))
        await inbox.holds(2)

    assert sorted(message.body for message in inbox.messages) == [b"again", b"scored"]


async def test_a_message_whose_outputs_nobody_receives_is_tried_again(bus: Bus) -> None:
    inbox, attempts = Inbox(), list[int]()

    async def handle(message: Message) -> Sequence[Outgoing]:
        attempts.append(message.attempt)
        key = "nobody" if message.attempt == 1 else "scored"
        return [Outgoing(message=a_message(), exchange="evalbus.scored", key=key)]

    async with (
        bus.subscribe(WORK_RECORDED, handle, prefetch=1),
        bus.subscribe(SCORED_QUEUE, inbox, prefetch=1),
    ):
        await bus.publish(to(WORK_RECORDED, a_message()))
        await inbox.holds(1)

    assert attempts == [1, 2]


async def test_a_failed_message_comes_back_later_as_the_next_attempt(bus: Bus) -> None:
    inbox = Inbox(TransientError("the disk was busy"))
    message = a_message(
        b"keep me",
        subject="capitals",
        time=datetime(2026, 1, 2, tzinfo=UTC),
        correlation_id="order-7",
        reply_to="evalbus.reply.7",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        headers={"tenant": "north"},
    )

    async with bus.subscribe(START_QUEUE, inbox, prefetch=1):
        started = monotonic()
        await bus.publish(to_start(message))
        first, second = await inbox.holds(2)
        seconds = monotonic() - started

    assert seconds >= 1.0
    assert (first.attempt, second.attempt) == (1, 2)
    for name in (
        "body",
        "id",
        "type",
        "content_type",
        "source",
        "subject",
        "time",
        "correlation_id",
        "reply_to",
        "traceparent",
        "headers",
        "routing_key",
    ):
        assert getattr(second, name) == getattr(first, name), name


async def test_a_message_that_keeps_failing_is_set_aside_with_its_reason(bus: Bus) -> None:
    inbox, dead = Inbox(*[TransientError("the disk was busy")] * 5), Inbox()
    message = a_message(b"stubborn", correlation_id="order-7")

    async with (
        bus.subscribe(START_QUEUE, inbox, prefetch=1),
        bus.subscribe(DEAD_QUEUE, dead, prefetch=1),
    ):
        await bus.publish(to_start(message))
        [letter] = await dead.holds(1)

    assert [each.attempt for each in inbox.messages] == [1, 2]
    assert (letter.id, letter.type, letter.body) == (message.id, message.type, b"stubborn")
    assert (letter.correlation_id, letter.attempt) == ("order-7", 2)
    note = note_of(letter)
    assert (note.queue, note.reason) == ("evalbus.commands", "attempts_exhausted")
    assert note.detail == "the disk was busy"


async def test_a_bug_in_a_handler_costs_no_message_but_its_own(bus: Bus) -> None:
    inbox, dead = Inbox(KeyError("capital"), None, KeyError("capital")), Inbox()
    bad, good = a_message(), a_message()

    async with (
        bus.subscribe(START_QUEUE, inbox, prefetch=1),
        bus.subscribe(DEAD_QUEUE, dead, prefetch=1),
    ):
        await bus.publish(to_start(bad))
        await inbox.holds(1)
        await bus.publish(to_start(good))
        [letter] = await dead.holds(1)

    assert inbox.ids == [bad.id, good.id, bad.id]
    assert letter.id == bad.id
    assert note_of(letter).reason == "handler_failed"
    assert note_of(letter).detail == "KeyError: 'capital'"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Malformed("not_json", "line 1"), "not_json"),
        (UnknownJob("nobody knows job 7"), "unknown_job"),
    ],
)
async def test_what_trying_again_cannot_help_is_set_aside_at_once(
    bus: Bus, error: Exception, reason: str
) -> None:
    inbox, dead = Inbox(error), Inbox()

    async with (
        bus.subscribe(START_QUEUE, inbox, prefetch=1),
        bus.subscribe(DEAD_QUEUE, dead, prefetch=1),
    ):
        await bus.publish(to_start(a_message()))
        [letter] = await dead.holds(1)

    assert [message.attempt for message in inbox.messages] == [1]
    assert note_of(letter).reason == reason


async def test_a_dead_letter_that_cannot_be_kept_is_tried_until_it_can(bus: Bus) -> None:
    inbox = Inbox(UnknownJob("nobody knows job 7"))
    dead = Inbox(KeyError("one"), Malformed("invalid", "two"))

    async with (
        bus.subscribe(START_QUEUE, inbox, prefetch=1),
        bus.subscribe(DEAD_QUEUE, dead, prefetch=1),
    ):
        await bus.publish(to_start(a_message()))
        letters = await dead.holds(3, seconds=20)

    assert [note_of(letter).queue for letter in letters] == ["evalbus.commands"] * 3
    assert [note_of(letter).reason for letter in letters] == ["unknown_job"] * 3


async def test_a_body_over_the_limit_is_set_aside_with_its_beginning(bus: Bus) -> None:
    dead = Inbox()

    async def handle(message: Message) -> Sequence[Outgoing]:
        check_envelope(message, START_BENCHMARK)
        return []

    async with (
        bus.subscribe(START_QUEUE, handle, prefetch=1),
        bus.subscribe(DEAD_QUEUE, dead, prefetch=1),
    ):
        await bus.publish(to_start(a_message(b"x" * (MESSAGE_BYTES_MAX + 1))))
        [letter] = await dead.holds(1)

    assert note_of(letter).reason == "too_large"
    assert letter.body == b"x" * 64 * 1024
    assert letter.body_bytes == MESSAGE_BYTES_MAX + 1


async def test_a_body_at_the_limit_is_handled(bus: Bus) -> None:
    inbox = Inbox()

    async with bus.subscribe(START_QUEUE, inbox, prefetch=1):
        await bus.publish(to_start(a_message(b"x" * MESSAGE_BYTES_MAX)))
        [message] = await inbox.holds(1)

    assert len(message.body) == message.body_bytes == MESSAGE_BYTES_MAX


async def test_a_message_without_a_type_has_the_one_that_its_address_implies(bus: Bus) -> None:
    commands, queries = Inbox(), Inbox()

    async with (
        bus.subscribe(START_QUEUE, commands, prefetch=1),
        bus.subscribe(RPC_QUERIES, queries, prefetch=1),
    ):
        await bus.publish(to_start(a_message(type="")), to(RPC_QUERIES, a_message(type="")))
        await commands.holds(1)
        await queries.holds(1)

    assert commands.messages[0].type == START_BENCHMARK
    assert queries.messages[0].type == RPC_REQUEST


async def test_a_message_in_hand_when_its_subscription_ends_is_handled_by_the_next(
    bus: Bus,
) -> None:
    started, inbox = asyncio.Event(), Inbox()
    message = a_message()

    async def never_done(message: Message) -> Sequence[Outgoing]:
        started.set()
        await asyncio.Event().wait()
        return []

    async with bus.subscribe(START_QUEUE, never_done, prefetch=1):
        await bus.publish(to_start(message))
        await started.wait()
    async with bus.subscribe(START_QUEUE, inbox, prefetch=1):
        await inbox.holds(1)

    assert inbox.ids == [message.id]


async def test_a_handler_cut_off_by_a_library_sees_its_message_again(bus: Bus) -> None:
    attempts = list[int]()

    async def handle(message: Message) -> Sequence[Outgoing]:
        attempts.append(message.attempt)
        if message.attempt == 1:
            # What a client library lets out when its connection dies, although nobody cancelled anything.
            raise asyncio.CancelledError
        return []

    async with bus.subscribe(START_QUEUE, handle, prefetch=1):
        await bus.publish(to_start(a_message()))
        await eventually(lambda: len(attempts) == 2)

    assert attempts == [1, 2]


async def test_no_more_than_prefetch_messages_are_in_hand(bus: Bus) -> None:
    in_hand, most, done = 0, 0, 0

    async def handle(message: Message) -> Sequence[Outgoing]:
        nonlocal in_hand, most, done
        in_hand += 1
        most = max(most, in_hand)
        for _ in range(5):
            await asyncio.sleep(0.001)
        in_hand -= 1
        done += 1
        return []

    async with bus.subscribe(START_QUEUE, handle, prefetch=3):
        await bus.publish(*(to_start(a_message()) for _ in range(30)))
        await eventually(lambda: done == 30)

    assert most == 3


async def test_a_slow_message_does_not_hold_up_the_next(bus: Bus) -> None:
    done, is_over = list[bytes](), asyncio.Event()

    async def handle(message: Message) -> Sequence[Outgoing]:
        if message.body == b"slow":
            await is_over.wait()
        done.append(message.body)
        return []

    async with bus.subscribe(START_QUEUE, handle, prefetch=2):
        await bus.publish(to_start(a_message(b"slow")))
        await bus.publish(to_start(a_message(b"quick")), to_start(a_message(b"quick")))
        await eventually(lambda: len(done) == 2)
        is_over.set()
        await eventually(lambda: len(done) == 3)

    assert done == [b"quick", b"quick", b"slow"]


async def answer(message: Message) -> Sequence[Outgoing]:
    """Reply with the body turned round."""
    outgoing = reply(message, a_message(message.body[::-1]))
    return [outgoing] if outgoing else []


async def test_an_answer_comes_back_to_whoever_asked(bus: Bus) -> None:
    questions = [to(RPC_QUERIES, a_message(body)) for body in (b"abc", b"def", b"ghi")]

    async with bus.subscribe(RPC_QUERIES, answer, prefetch=4):
        answers = await asyncio.gather(
            *(bus.ask(question, timeout_seconds=5) for question in questions)
        )

    assert [each.body for each in answers] == [b"cba", b"fed", b"ihg"]


async def test_a_question_that_nobody_answers_ends_at_its_timeout(bus: Bus) -> None:
    inbox = Inbox()

    async with bus.subscribe(RPC_QUERIES, inbox, prefetch=1):
        with pytest.raises(Unavailable, match=r"no answer within 0\.2 s"):
            await bus.ask(to(RPC_QUERIES, a_message()), timeout_seconds=0.2)

    assert len(inbox.messages) == 1


async def test_a_question_to_nobody_is_an_error_at_once(bus: Bus) -> None:
    nowhere = Outgoing(message=a_message(), exchange=RPC.name, key="nobody")

    with pytest.raises(Unroutable):
        await bus.ask(nowhere, timeout_seconds=30)


async def test_a_question_that_outlived_its_asker_is_not_handled(bus: Bus) -> None:
    inbox = Inbox()
    late, next_one = a_message(b"late"), a_message(b"next")

    with pytest.raises(Unavailable):
        await bus.ask(to(RPC_QUERIES, late), timeout_seconds=0.1)
    await bus.publish(to(RPC_QUERIES, next_one))
    # A broker's clock starts when it has the question, and the asker's when it asks.
    await asyncio.sleep(0.2)
    async with bus.subscribe(RPC_QUERIES, inbox, prefetch=1):
        await inbox.holds(1)

    assert inbox.ids == [next_one.id]


async def test_an_answer_is_never_written_into_a_queue_of_the_system(bus: Bus) -> None:
    scored, handled = Inbox(), Inbox()
    sentinel = a_message(b"sentinel")

    async def obey(message: Message) -> Sequence[Outgoing]:
        await handled(message)
        return await answer(message)

    async with (
        bus.subscribe(RPC_QUERIES, obey, prefetch=1),
        bus.subscribe(SCORED_QUEUE, scored, prefetch=1),
    ):
        await bus.publish(to(RPC_QUERIES, a_message(b"abuse", reply_to=SCORED_QUEUE.name)))
        await handled.holds(1)
        await bus.publish(to(RPC_QUERIES, a_message(b"after")))
        await handled.holds(2)
        await bus.publish(to(SCORED_QUEUE, sentinel))
        await scored.holds(1)

    assert scored.ids == [sentinel.id]


async def test_while_a_server_is_away_the_queue_rests_and_nothing_is_lost(bus: Bus) -> None:
    is_away, tries, done, dead = True, Counter[str](), list[Message](), Inbox()

    async def handle(message: Message) -> Sequence[Outgoing]:
        tries[message.id] += 1
        if is_away:
            raise Unavailable("Postgres cannot be reached")
        done.append(message)
        return []

    messages = [a_message() for _ in range(2)]
    async with (
        bus.subscribe(START_QUEUE, handle, prefetch=2),
        bus.subscribe(DEAD_QUEUE, dead, prefetch=1),
    ):
        await eventually(lambda: bus.health.is_ready)
        await bus.publish(*(to_start(message) for message in messages))
        await eventually(lambda: bus.health.idle_subscriptions == (START_QUEUE.name,))
        # More often than a message may be tried: that a server is away is not counted as an attempt.
        await eventually(lambda: max(tries.values()) > POLICY.attempts_max, seconds=20)
        is_away = False
        await eventually(lambda: len(done) == 2, seconds=20)
        await eventually(lambda: bus.health.is_ready)

    assert sorted(message.id for message in done) == sorted(message.id for message in messages)
    assert {message.attempt for message in done} == {1}
    assert dead.messages == []


async def test_draining_finishes_what_is_in_hand_and_takes_no_more(bus: Bus) -> None:
    done, may_end, is_started = list[bytes](), asyncio.Event(), asyncio.Event()
    inbox = Inbox()

    async def handle(message: Message) -> Sequence[Outgoing]:
        is_started.set()
        await may_end.wait()
        done.append(message.body)
        return [to(SCORED_QUEUE, a_message(b"output"))]

    async with (
        bus.subscribe(START_QUEUE, handle, prefetch=1) as subscription,
        bus.subscribe(SCORED_QUEUE, inbox, prefetch=1),
    ):
        await bus.publish(to_start(a_message(b"in hand")))
        await is_started.wait()
        draining = asyncio.create_task(subscription.drain(10))
        await eventually(lambda: START_QUEUE.name in bus.health.idle_subscriptions)
        await bus.publish(to_start(a_message(b"too late")))
        may_end.set()
        await draining
        await subscription.drain(10)
        await inbox.holds(1)
    later = Inbox()
    async with bus.subscribe(START_QUEUE, later, prefetch=1):
        await later.holds(1)

    assert done == [b"in hand"]
    assert [message.body for message in later.messages] == [b"too late"]


async def test_draining_ends_at_its_limit_and_the_work_goes_back(bus: Bus) -> None:
    is_started, inbox = asyncio.Event(), Inbox()
    message = a_message()

    async def never_done(message: Message) -> Sequence[Outgoing]:
        is_started.set()
        await asyncio.Event().wait()
        return []

    async with bus.subscribe(START_QUEUE, never_done, prefetch=1) as subscription:
        await bus.publish(to_start(message))
        await is_started.wait()
        started = monotonic()
        await subscription.drain(0.2)
        seconds = monotonic() - started
    async with bus.subscribe(START_QUEUE, inbox, prefetch=1):
        await inbox.holds(1)

    assert seconds < 3
    assert inbox.ids == [message.id]


async def test_a_listener_hears_what_it_asked_for(bus: Bus) -> None:
    keys = ["benchmark.started.north", "benchmark.completed.south", "benchmark.completed.north"]

    async with bus.listen("benchmark.*.north") as some, bus.listen("benchmark.#") as all_of_them:
        for key in keys:
            await bus.publish(
                Outgoing(
                    message=a_message(key.encode()),
                    exchange=EVENTS.name,
                    key=key,
                    is_mandatory=False,
                )
            )
        async with asyncio.timeout(10):
            heard = [await anext(some) for _ in range(2)]
            everything = [await anext(all_of_them) for _ in range(3)]

    assert [event.routing_key for event in heard] == [keys[0], keys[2]]
    assert [event.body for event in heard] == [keys[0].encode(), keys[2].encode()]
    assert [event.routing_key for event in everything] == keys


async def test_a_queue_is_shared_by_its_subscriptions(bus: Bus) -> None:
    one, other = Inbox(), Inbox()

    async with (
        bus.subscribe(START_QUEUE, one, prefetch=2),
        bus.subscribe(START_QUEUE, other, prefetch=2),
    ):
        await eventually(lambda: bus.health.is_ready)
        messages = [a_message() for _ in range(40)]
        await bus.publish(*(to_start(message) for message in messages))
        await eventually(lambda: len(one.messages) + len(other.messages) >= 40)

    assert sorted(one.ids + other.ids) == sorted(message.id for message in messages)
    assert one.messages
    assert other.messages
