"""How the RabbitMQ bus starts where it may do little, and how it says that it cannot start at all."""

import asyncio
from collections.abc import Iterator, Sequence
from time import monotonic
from uuid import uuid4

import pytest

from evalbus.bus.base import Message, Outgoing
from evalbus.bus.policy import RetryPolicy
from evalbus.bus.rabbitmq import RabbitMQBus
from evalbus.bus.topology import DEAD_QUEUE, MARKER, SCORED_QUEUE, WORK_RECORDED
from evalbus.errors import TransientError, Unavailable, WrongSettings
from tests.buses import Inbox, a_message, to
from tests.servers.broker import Broker
from tests.servers.ports import free_ports

PASSWORD = "correct-horse-battery"


@pytest.fixture
def evaluator_url(broker: Broker, amqp_vhost: str) -> Iterator[str]:
    """A user that may take work and hand in scores, and declare nothing of the system."""
    user = f"evaluator-{uuid4().hex[:8]}"
    broker.api("PUT", f"users/{user}", {"password": PASSWORD, "tags": ""})
    broker.allow(
        user,
        amqp_vhost,
        configure="^amq_[0-9a-f]{32}$",
        write=r"^(evalbus\.scored|evalbus\.dead|evalbus\.retry\..*)$",
        read=r"^evalbus\.work\..*$",
    )
    yield broker.url(amqp_vhost, user=user, password=PASSWORD)
    broker.api("DELETE", f"users/{user}")


async def test_a_user_that_may_declare_nothing_works_on_what_stands(
    amqp_url: str, evaluator_url: str
) -> None:
    scored, dead = Inbox(), Inbox()

    async def handle(message: Message) -> Sequence[Outgoing]:
        if message.body == b"poison" or message.attempt == 1:
            raise TransientError("not now")
        return [to(SCORED_QUEUE, a_message(message.body))]

    async with (
        RabbitMQBus(amqp_url) as whole,
        whole.subscribe(SCORED_QUEUE, scored, prefetch=1),
        whole.subscribe(DEAD_QUEUE, dead, prefetch=1),
        RabbitMQBus(evaluator_url, policy=RetryPolicy(attempts_max=2)) as bus,
        bus.subscribe(WORK_RECORDED, handle, prefetch=2),
    ):
        await whole.publish(
            to(WORK_RECORDED, a_message(b"good")), to(WORK_RECORDED, a_message(b"poison"))
        )
        await scored.holds(1)
        await dead.holds(1)

    assert [message.body for message in scored.messages] == [b"good"]
    assert [message.body for message in dead.messages] == [b"poison"]


async def test_without_a_topology_such_a_user_is_told_who_makes_it(evaluator_url: str) -> None:
    bus = RabbitMQBus(evaluator_url, connect_seconds=5)

    with pytest.raises(Unavailable, match="evalbus migrate"):
        await bus.__aenter__()


async def test_only_who_can_be_told_of_a_loss_declares_the_marker(
    amqp_url: str, amqp_vhost: str, broker: Broker
) -> None:
    async def data_lost() -> None:
        return None

    async with RabbitMQBus(amqp_url):
        without = queue_names(broker, amqp_vhost)
    async with RabbitMQBus(amqp_url, data_lost=data_lost):
        with_it = queue_names(broker, amqp_vhost)

    assert with_it - without == {MARKER}


async def test_a_broker_that_cannot_be_reached_is_named_without_the_password() -> None:
    [port] = free_ports(1)
    bus = RabbitMQBus(f"amqp://someone:{PASSWORD}@127.0.0.1:{port}/", connect_seconds=1)

    started = monotonic()
    with pytest.raises(Unavailable) as caught:
        await bus.__aenter__()
    seconds = monotonic() - started

    assert f"127.0.0.1:{port}" in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert seconds < 5


async def test_a_broker_that_says_nothing_is_waited_for_no_longer_than_allowed() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    bus = RabbitMQBus(f"amqp://someone:{PASSWORD}@127.0.0.1:{port}/", connect_seconds=0.5)

    started = monotonic()
    with pytest.raises(Unavailable, match=f"127.0.0.1:{port}"):
        await bus.__aenter__()
    seconds = monotonic() - started
    silent.close()
    await silent.wait_closed()

    assert seconds < 5


async def test_a_wrong_password_is_said_at_once(broker: Broker, amqp_vhost: str) -> None:
    url = broker.url(amqp_vhost, password="wrong-secret")

    started = monotonic()
    with pytest.raises(WrongSettings) as caught:
        await RabbitMQBus(url).__aenter__()
    seconds = monotonic() - started

    assert "password" in str(caught.value)
    assert "wrong-secret" not in str(caught.value)
    assert seconds < 10


async def test_a_missing_virtual_host_is_said_at_once(broker: Broker) -> None:
    started = monotonic()
    with pytest.raises(WrongSettings, match="no virtual host 'nowhere'"):
        await RabbitMQBus(broker.url("nowhere")).__aenter__()
    seconds = monotonic() - started

    assert seconds < 10


async def test_a_queue_that_stands_with_other_arguments_is_said_at_once(
    broker: Broker, amqp_url: str, amqp_vhost: str
) -> None:
    broker.api("PUT", f"queues/{amqp_vhost}/evalbus.scored", {"durable": True, "arguments": {}})

    with pytest.raises(WrongSettings, match=r"evalbus\.scored"):
        await RabbitMQBus(amqp_url).__aenter__()


async def test_closing_a_bus_that_was_never_opened_is_allowed() -> None:
    bus = RabbitMQBus("amqp://someone@127.0.0.1:1/")

    await bus.__aexit__(None, None, None)

    assert not bus.health.is_connected


def queue_names(broker: Broker, vhost: str) -> set[str]:
    return {queue["name"] for queue in broker.api("GET", f"queues/{vhost}")}
