"""On a broker that stands ready from the definitions, each process can do its work, and nothing else."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage
from aiormq.exceptions import ChannelAccessRefused

from deploy.rabbitmq.definitions import FILE
from evalbus.bus.rabbitmq import RabbitMQBus
from evalbus.bus.topology import (
    COMMANDS,
    DEAD_QUEUE,
    MARKER,
    RPC_COMMANDS,
    SCORED_QUEUE,
    START_QUEUE,
    WORK_RECORDED,
    Queue,
)
from tests.buses import Inbox, a_message, eventually, to
from tests.servers.broker import Broker
from tests.servers.rabbitmq import RabbitNode

PASSWORD = "a password"


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A broker into which the definitions were imported, and whose users were given passwords."""

    broker: Broker

    def url(self, user: str) -> str:
        return self.broker.url(user=f"evalbus-{user}", password=PASSWORD)

    def bus(self, user: str) -> RabbitMQBus:
        return RabbitMQBus(self.url(user), name=user, connect_seconds=10.0)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    node = RabbitNode(tmp_path_factory.mktemp("definitions"))
    try:
        node.start()
        definitions = json.loads(FILE.read_text())
        node.api("POST", "definitions", definitions)
        for user in definitions["users"]:
            node.api("PUT", f"users/{user['name']}", {"password": PASSWORD, "tags": ""})
        yield Prepared(broker=node.broker)
    finally:
        node.kill9()


async def try_to_consume(url: str, queue: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        found = await channel.declare_queue(queue, passive=True)
        await found.consume(_ignore)


async def _ignore(_: AbstractIncomingMessage) -> None:
    pass


async def try_to_publish(url: str, exchange: str, key: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        target = (
            await channel.get_exchange(exchange, ensure=False)
            if exchange
            else channel.default_exchange
        )
        await target.publish(aio_pika.Message(b"{}"), key)


async def test_whoever_may_declare_finds_everything_as_it_would_be_declared(
    prepared: Prepared,
) -> None:
    async with prepared.bus("migrate") as bus:
        health = bus.health

    assert health.is_connected


@pytest.mark.parametrize(
    ("user", "queue"),
    [
        ("producer", START_QUEUE),
        ("producer", RPC_COMMANDS),
        ("evaluator", WORK_RECORDED),
        ("results", SCORED_QUEUE),
    ],
    ids=lambda value: getattr(value, "name", value),
)
async def test_a_service_gets_its_messages_without_being_allowed_to_declare(
    prepared: Prepared, user: str, queue: Queue
) -> None:
    inbox = Inbox()
    message = a_message()

    async with (
        prepared.bus("migrate") as anybody,
        prepared.bus(user) as bus,
        bus.subscribe(queue, inbox, prefetch=1),
    ):
        await anybody.publish(to(queue, message))
        await eventually(lambda: message.id in inbox.ids)

    assert inbox.ids.count(message.id) == 1


async def test_an_evaluator_hands_in_scores_and_sets_aside_what_it_cannot_score(
    prepared: Prepared,
) -> None:
    scored, dead = Inbox(), Inbox()
    message = a_message()

    async with (
        prepared.bus("results") as results,
        results.subscribe(SCORED_QUEUE, scored, prefetch=1),
        results.subscribe(DEAD_QUEUE, dead, prefetch=1),
        prepared.bus("evaluator") as evaluator,
    ):
        await evaluator.publish(to(SCORED_QUEUE, message))
        await evaluator.publish(to(DEAD_QUEUE, message))
        await eventually(lambda: message.id in scored.ids and message.id in dead.ids)


@pytest.mark.parametrize("queue", [START_QUEUE, RPC_COMMANDS, SCORED_QUEUE, DEAD_QUEUE])
async def test_an_evaluator_reads_nothing_but_work(prepared: Prepared, queue: Queue) -> None:
    with pytest.raises(ChannelAccessRefused):
        await try_to_consume(prepared.url("evaluator"), queue.name)


@pytest.mark.parametrize(
    ("exchange", "key"),
    [
        (COMMANDS.name, START_QUEUE.key),
        (WORK_RECORDED.exchange.name, WORK_RECORDED.key),
        ("evalbus.events", "benchmark.completed.default"),
        # By this way a message gets into any queue.
        ("", START_QUEUE.name),
    ],
)
async def test_an_evaluator_cannot_give_work_or_tell_of_jobs(
    prepared: Prepared, exchange: str, key: str
) -> None:
    with pytest.raises(ChannelAccessRefused):
        await try_to_publish(prepared.url("evaluator"), exchange, key)


async def test_a_client_asks_and_listens_on_queues_of_its_own(prepared: Prepared) -> None:
    async with await aio_pika.connect(prepared.url("client")) as connection:
        channel = await connection.channel()
        own = await channel.declare_queue(exclusive=True)
        await own.bind("evalbus.events", "benchmark.#")
    await try_to_publish(prepared.url("client"), COMMANDS.name, START_QUEUE.key)

    with pytest.raises(ChannelAccessRefused):
        await try_to_consume(prepared.url("client"), WORK_RECORDED.name)


async def test_who_finds_that_the_broker_was_emptied_says_so_once(prepared: Prepared) -> None:
    told: list[str] = []

    async def data_lost() -> None:
        told.append("lost")

    for _ in range(2):
        async with RabbitMQBus(
            prepared.url("results"), name="results", data_lost=data_lost, connect_seconds=10.0
        ):
            pass

    assert told == ["lost"]
    queues = prepared.broker.api("GET", "queues")
    assert MARKER in [queue["name"] for queue in queues]
