"""The RabbitMQ bus on a broker that is stopped, killed, frozen, wiped and tampered with while it works."""

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from urllib.parse import quote

import aio_pika

from evalbus.bus.base import Message, Outgoing
from evalbus.bus.rabbitmq import RabbitMQBus
from evalbus.bus.topology import (
    DEAD_QUEUE,
    EVENTS,
    MARKER,
    QUEUES,
    RPC_QUERIES,
    SCORED_QUEUE,
    START_QUEUE,
    TIERS,
    WORK_RECORDED,
)
from tests.buses import Inbox, a_message, eventually, to, to_start
from tests.servers.broker import Broker
from tests.servers.rabbitmq import RabbitNode

MESSAGES = 300


async def publish_slowly(bus: RabbitMQBus, messages: Sequence[Message]) -> None:
    """One after the other, each again until it is confirmed."""
    for message in messages:
        await bus.publish(to(WORK_RECORDED, message))
        await asyncio.sleep(0.002)


async def assert_nothing_is_lost_over(node: RabbitNode, fault: Callable[[], None]) -> None:
    """Publish and consume while the fault strikes; every message is handled at least once, by itself."""
    messages = [a_message(b"x" * 1000) for _ in range(MESSAGES)]
    scored = Inbox()

    async def handle(message: Message) -> Sequence[Outgoing]:
        return [to(SCORED_QUEUE, a_message(id=message.id))]

    async with (
        RabbitMQBus(node.url()) as bus,
        bus.subscribe(WORK_RECORDED, handle, prefetch=4),
        bus.subscribe(SCORED_QUEUE, scored, prefetch=4),
    ):
        publishing = asyncio.create_task(publish_slowly(bus, messages))
        await scored.holds(MESSAGES // 6)
        await asyncio.to_thread(fault)
        await publishing
        await eventually(
            lambda: set(scored.ids) == {message.id for message in messages}, seconds=60
        )
        await eventually(lambda: bus.health.is_ready, seconds=30)


async def test_a_broker_restart_loses_nothing(own_rabbit_node: RabbitNode) -> None:
    await assert_nothing_is_lost_over(own_rabbit_node, own_rabbit_node.restart)


async def test_a_killed_broker_loses_nothing(own_rabbit_node: RabbitNode) -> None:
    def kill_and_start() -> None:
        own_rabbit_node.kill9()
        own_rabbit_node.start()

    await assert_nothing_is_lost_over(own_rabbit_node, kill_and_start)


async def test_connections_closed_by_force_lose_nothing(own_rabbit_node: RabbitNode) -> None:
    node = own_rabbit_node

    def close_all() -> None:
        for _ in range(3):
            node.ctl("close_all_connections", "a test")

    await assert_nothing_is_lost_over(node, close_all)


async def test_a_wiped_broker_is_reported_once_and_made_whole(own_rabbit_node: RabbitNode) -> None:
    node, inbox, times_lost = own_rabbit_node, Inbox(), 0

    async def data_lost() -> None:
        nonlocal times_lost
        times_lost += 1

    def wipe() -> None:
        node.wipe()
        node.start()

    async with (
        RabbitMQBus(node.url(), data_lost=data_lost) as bus,
        bus.subscribe(WORK_RECORDED, inbox, prefetch=4),
    ):
        times_lost_at_first_start = times_lost
        await asyncio.to_thread(wipe)
        await eventually(lambda: times_lost > times_lost_at_first_start, seconds=30)
        await eventually(lambda: bus.health.is_ready, seconds=30)
        await bus.publish(to(WORK_RECORDED, a_message()))
        await inbox.holds(1)
    async with RabbitMQBus(node.url(), data_lost=data_lost):
        pass

    assert times_lost_at_first_start == 1
    assert times_lost == 2
    assert queue_names(node.broker, "/") >= {MARKER, *(queue.name for queue in QUEUES)}


async def test_when_data_lost_fails_it_is_called_again(own_rabbit_node: RabbitNode) -> None:
    times_called = 0

    async def data_lost() -> None:
        nonlocal times_called
        times_called += 1
        if times_called < 3:
            raise OSError("the database is not there yet")

    async with RabbitMQBus(own_rabbit_node.url(), data_lost=data_lost) as bus:
        assert bus.health.is_ready

    assert times_called == 3


async def test_a_frozen_broker_is_given_up_and_found_again(own_rabbit_node: RabbitNode) -> None:
    node, inbox = own_rabbit_node, Inbox()
    message = a_message()

    async with (
        RabbitMQBus(node.url(), heartbeat_seconds=1) as bus,
        bus.subscribe(WORK_RECORDED, inbox, prefetch=1),
    ):
        await eventually(lambda: bus.health.is_ready)
        node.pause()
        publishing = asyncio.create_task(bus.publish(to(WORK_RECORDED, message)))
        await eventually(lambda: not bus.health.is_connected, seconds=20)
        node.resume()
        await publishing
        await inbox.holds(1, seconds=30)
        await eventually(lambda: bus.health.is_ready, seconds=30)

    assert set(inbox.ids) == {message.id}


async def test_closing_does_not_wait_for_a_frozen_broker(own_rabbit_node: RabbitNode) -> None:
    node, inbox = own_rabbit_node, Inbox()

    async with (
        RabbitMQBus(node.url()) as bus,
        bus.subscribe(WORK_RECORDED, inbox, prefetch=1),
        bus.listen("benchmark.#"),
    ):
        await eventually(lambda: bus.health.is_ready)
        node.pause()
        started = monotonic()
    seconds = monotonic() - started
    node.resume()

    assert seconds < 25


async def test_in_a_memory_alarm_acknowledgements_go_on_and_publishing_waits(
    own_rabbit_node: RabbitNode,
) -> None:
    node, may_end, inbox = own_rabbit_node, asyncio.Event(), Inbox()

    async def handle(message: Message) -> Sequence[Outgoing]:
        await may_end.wait()
        return []

    async with RabbitMQBus(node.url()) as bus:
        async with bus.subscribe(WORK_RECORDED, handle, prefetch=1):
            await bus.publish(to(WORK_RECORDED, a_message()))
            await eventually(lambda: unacknowledged(node.broker, WORK_RECORDED.name) == 1)
            await asyncio.to_thread(node.ctl, "set_vm_memory_high_watermark", "absolute", "1MB")
            publishing = asyncio.create_task(bus.publish(to(SCORED_QUEUE, a_message())))
            may_end.set()
            await eventually(
                lambda: unacknowledged(node.broker, WORK_RECORDED.name) == 0, seconds=20
            )
            was_published_in_the_alarm = publishing.done()
            await asyncio.to_thread(node.ctl, "set_vm_memory_high_watermark", "absolute", "1GB")
            await publishing
        async with bus.subscribe(SCORED_QUEUE, inbox, prefetch=1):
            await inbox.holds(1, seconds=30)

    assert not was_published_in_the_alarm


async def test_a_queue_deleted_while_it_is_consumed_is_made_anew(
    amqp_url: str, amqp_vhost: str, broker: Broker
) -> None:
    inbox = Inbox()
    message = a_message()

    async with (
        RabbitMQBus(amqp_url) as bus,
        bus.subscribe(WORK_RECORDED, inbox, prefetch=4),
    ):
        await eventually(lambda: bus.health.is_ready)
        delete_queue(broker, amqp_vhost, WORK_RECORDED.name)
        await eventually(lambda: WORK_RECORDED.name in bus.health.idle_subscriptions)
        await eventually(lambda: bus.health.is_ready)
        await bus.publish(to(WORK_RECORDED, message))
        await inbox.holds(1)

    assert inbox.ids == [message.id]


async def test_a_queue_and_an_exchange_deleted_before_publishing_are_made_anew(
    amqp_url: str, amqp_vhost: str, broker: Broker
) -> None:
    inbox = Inbox()
    messages = [a_message() for _ in range(20)]

    async with RabbitMQBus(amqp_url) as bus:
        delete_queue(broker, amqp_vhost, START_QUEUE.name)
        await asyncio.gather(*(bus.publish(to_start(message)) for message in messages[:10]))
        broker.api("DELETE", f"exchanges/{quote(amqp_vhost, safe='')}/evalbus.commands")
        await asyncio.gather(*(bus.publish(to_start(message)) for message in messages[10:]))
        async with bus.subscribe(START_QUEUE, inbox, prefetch=4):
            await eventually(lambda: set(inbox.ids) == {message.id for message in messages})


async def test_a_retry_finds_its_delay_although_somebody_deleted_it(
    amqp_url: str, amqp_vhost: str, broker: Broker
) -> None:
    inbox = Inbox(KeyError("once"))

    async with (
        RabbitMQBus(amqp_url) as bus,
        bus.subscribe(START_QUEUE, inbox, prefetch=1),
    ):
        delete_queue(broker, amqp_vhost, TIERS[0].name)
        await bus.publish(to_start(a_message()))
        await inbox.holds(2)

    assert [message.attempt for message in inbox.messages] == [1, 2]


async def test_a_full_queue_makes_the_publisher_wait(
    amqp_url: str, amqp_vhost: str, broker: Broker
) -> None:
    inbox = Inbox()
    vhost = quote(amqp_vhost, safe="")
    broker.api(
        "PUT",
        f"policies/{vhost}/small",
        {"pattern": "^evalbus.work.recorded$", "definition": {"max-length": 2}},
    )

    async with RabbitMQBus(amqp_url) as bus:
        published = 0
        does_wait = False
        # One after another: many at once may all be in before the broker counts them.
        while published < 100 and not does_wait:
            publishing = asyncio.create_task(bus.publish(to(WORK_RECORDED, a_message())))
            published += 1
            await asyncio.wait([publishing], timeout=2)
            does_wait = not publishing.done()
        async with bus.subscribe(WORK_RECORDED, inbox, prefetch=1):
            await eventually(lambda: len(set(inbox.ids)) == published)

    assert does_wait


async def test_a_question_fails_when_the_connection_is_lost(own_rabbit_node: RabbitNode) -> None:
    node, asked = own_rabbit_node, Inbox()

    async with (
        RabbitMQBus(node.url()) as bus,
        bus.subscribe(RPC_QUERIES, asked, prefetch=1),
    ):
        asking = asyncio.create_task(bus.ask(to(RPC_QUERIES, a_message()), timeout_seconds=60))
        await asked.holds(1)
        started = monotonic()
        await asyncio.to_thread(node.kill9)
        [end] = await asyncio.gather(asking, return_exceptions=True)
        seconds = monotonic() - started

    assert "the connection was lost" in str(end)
    assert seconds < 10


async def test_a_listener_hears_again_after_the_connection_was_lost(
    own_rabbit_node: RabbitNode,
) -> None:
    node, heard = own_rabbit_node, list[bytes]()

    async with RabbitMQBus(node.url()) as bus, bus.listen("benchmark.#") as events:

        async def hear() -> None:
            async for event in events:
                heard.append(event.body)

        async def say_until_heard(body: bytes) -> None:
            async with asyncio.timeout(30):
                while body not in heard:
                    await bus.publish(
                        Outgoing(
                            message=a_message(body),
                            exchange=EVENTS.name,
                            key="benchmark.started.default",
                            is_mandatory=False,
                        )
                    )
                    await asyncio.sleep(0.05)

        hearing = asyncio.create_task(hear())
        await say_until_heard(b"before")
        await asyncio.to_thread(node.ctl, "close_all_connections", "a test")
        await say_until_heard(b"after")
        hearing.cancel()


async def test_a_message_that_the_broker_set_aside_says_so(amqp_url: str) -> None:
    """A poisonous message that ends every process that takes it reaches the broker's own limit."""
    dead = Inbox()

    async with RabbitMQBus(amqp_url) as bus, bus.subscribe(DEAD_QUEUE, dead, prefetch=1):
        await bus.publish(to(WORK_RECORDED, a_message(b"poison")))
        await reject_one(amqp_url, WORK_RECORDED.name)
        [letter] = await dead.holds(1)

    assert letter.body == b"poison"
    assert letter.headers["evalbus-queue"] == "evalbus.work.recorded"
    assert letter.headers["evalbus-reason"] == "rejected"
    assert letter.headers["evalbus-detail"] == "set aside by the broker"


async def reject_one(url: str, queue: str) -> None:
    connection = await aio_pika.connect(url)
    async with connection, connection.channel() as channel:
        message = await (await channel.get_queue(queue, ensure=False)).get(timeout=10)
        await message.reject(requeue=False)


def delete_queue(broker: Broker, vhost: str, name: str) -> None:
    broker.api("DELETE", f"queues/{quote(vhost, safe='')}/{quote(name, safe='')}")


def queue_names(broker: Broker, vhost: str) -> set[str]:
    return {queue["name"] for queue in broker.api("GET", f"queues/{quote(vhost, safe='')}")}


def unacknowledged(broker: Broker, name: str) -> int:
    queue = broker.api("GET", f"queues/%2F/{name}")
    return int(queue.get("messages_unacknowledged", 0))
