"""Messages that others write: with the headers of other libraries, with none, and with hostile ones."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import aiormq
import pytest
from aiormq.abc import AbstractChannel
from pamqp.commands import Basic
from pamqp.common import FieldValue

from evalbus.bus.base import Message, Outgoing
from evalbus.bus.detours import note_of
from evalbus.bus.rabbitmq import RabbitMQBus
from evalbus.bus.replies import reply
from evalbus.bus.topology import DEAD_QUEUE, RPC_QUERIES, START_QUEUE
from evalbus.errors import TransientError
from evalbus_schemas.cloudevents import START_BENCHMARK
from tests.buses import Inbox, a_message


class RawProperties(Basic.Properties):
    """Properties of which some are sent as the very bytes given."""

    raw: Mapping[str, bytes]

    def encode_property(self, name: str, value: FieldValue) -> bytes:
        return self.raw[name] if name in self.raw else super().encode_property(name, value)


@asynccontextmanager
async def stranger(url: str) -> AsyncIterator[AbstractChannel]:
    """A channel of a client that is not ours."""
    connection = await aiormq.connect(url)
    try:
        yield await connection.channel()
    finally:
        await connection.close()


async def send_start(url: str, properties: Basic.Properties, body: bytes = b"{}") -> None:
    async with stranger(url) as channel:
        await channel.basic_publish(
            body,
            exchange="evalbus.commands",
            routing_key="benchmark.start",
            properties=properties,
        )


async def test_cloudevents_headers_are_read_with_either_prefix(amqp_url: str) -> None:
    inbox = Inbox()

    async with RabbitMQBus(amqp_url) as bus, bus.subscribe(START_QUEUE, inbox, prefetch=1):
        for prefix in ("cloudEvents:", "cloudEvents_"):
            headers: dict[str, Any] = {
                f"{prefix}id": "event-1",
                f"{prefix}type": "their.type.v1",
                f"{prefix}source": "/their/service",
                f"{prefix}subject": "their subject",
                f"{prefix}time": "2026-01-02T03:04:05Z",
            }
            await send_start(amqp_url, Basic.Properties(headers=headers, message_id="other"))
        one, other = await inbox.holds(2)

    for message in (one, other):
        assert message.id == "event-1"
        assert message.type == "their.type.v1"
        assert message.source == "/their/service"
        assert message.subject == "their subject"
        assert message.time is not None
        assert message.time.isoformat() == "2026-01-02T03:04:05+00:00"


async def test_a_bare_message_is_known_by_its_address_and_message_id(amqp_url: str) -> None:
    inbox = Inbox()

    async with RabbitMQBus(amqp_url) as bus, bus.subscribe(START_QUEUE, inbox, prefetch=1):
        await send_start(amqp_url, Basic.Properties(message_id="order-7"))
        await send_start(amqp_url, Basic.Properties())
        named, nameless = await inbox.holds(2)

    assert (named.id, named.type, named.content_type) == ("order-7", START_BENCHMARK, "")
    assert nameless.id
    assert nameless.id != named.id


def nested(depth: int) -> bytes:
    """A header table that holds a table that holds a table …"""
    table = b""
    for _ in range(depth):
        entry = b"\x01aF" + len(table).to_bytes(4, "big") + table
        table = entry
    return len(table).to_bytes(4, "big") + table


@pytest.mark.parametrize(
    ("what", "sent"),
    [
        ("headers", nested(600)),
        ("headers", nested(20)),
        ("timestamp", b"\x7f" + b"\xff" * 7),
        ("message_id", b"\x02\xff\xfe"),
    ],
    ids=["600 tables deep", "20 tables deep", "a time beyond all calendars", "an id of no UTF-8"],
)
async def test_what_cannot_be_decoded_is_set_aside_and_the_connection_lives(
    amqp_url: str, what: str, sent: bytes
) -> None:
    inbox, dead = Inbox(), Inbox()
    properties = RawProperties(content_type="application/json")
    properties.raw = {what: sent}
    setattr(properties, what, "replaced")

    async with (
        RabbitMQBus(amqp_url) as bus,
        bus.subscribe(START_QUEUE, inbox, prefetch=1),
        bus.subscribe(DEAD_QUEUE, dead, prefetch=1),
    ):
        await send_start(amqp_url, properties, b"hostile")
        await send_start(amqp_url, Basic.Properties(message_id="good"))
        [letter] = await dead.holds(1)
        await inbox.holds(1)

    assert inbox.ids == ["good"]
    assert letter.body == b"hostile"
    assert note_of(letter).reason == "unreadable_headers"


async def test_binary_nested_and_huge_headers_are_left_out_also_of_a_retry(amqp_url: str) -> None:
    inbox = Inbox(TransientError("once"))
    headers: dict[str, Any] = {
        "plain": "kept",
        "number": 7,
        "binary": bytearray(b"\xff\xfe"),
        "nested": {"a": [1, {"b": "c"}]},
        "huge": "x" * 100_000,
        "evalbus-attempt": "many",
        "evalbus-body-bytes": "minus one",
        "cloudEvents:type": {"not": "text"},
        "cloudEvents:id": "i" * 300,
        "x-death": "not a list",
    }

    async with RabbitMQBus(amqp_url) as bus, bus.subscribe(START_QUEUE, inbox, prefetch=1):
        await send_start(amqp_url, Basic.Properties(headers=headers, message_id="order-7"))
        first, second = await inbox.holds(2)

    for message in (first, second):
        assert message.headers == {"plain": "kept", "number": "7"}
        assert (message.id, message.type) == ("order-7", START_BENCHMARK)
        assert message.body_bytes == 2
    assert (first.attempt, second.attempt) == (1, 2)


async def test_many_small_headers_do_not_outgrow_a_frame(amqp_url: str) -> None:
    inbox = Inbox(TransientError("once"))
    headers: dict[str, Any] = {f"name-{number}": "x" * 100 for number in range(1000)}

    async with RabbitMQBus(amqp_url) as bus, bus.subscribe(START_QUEUE, inbox, prefetch=1):
        await send_start(amqp_url, Basic.Properties(headers=headers))
        await inbox.holds(2)

    assert [message.attempt for message in inbox.messages] == [1, 2]


@pytest.mark.parametrize(
    "address",
    [
        "amq.rabbitmq.reply-to.garbage",
        "amq.rabbitmq.reply-to.g1h2AA5yZXBseUAyOTAyODE5MwAAA/8AAAAAawDtyA==.2TRYfed1C3eJuQQ4XJJq9g==",
        "amq_00000000000000000000000000000000",
        "evalbus.reply.nobody",
        "evalbus.scored",
        "amq.gen-\nevalbus.scored",
        "x" * 255,
    ],
)
async def test_no_address_for_a_reply_harms_whoever_answers(amqp_url: str, address: str) -> None:
    inbox = Inbox()

    async def answer(message: Message) -> Sequence[Outgoing]:
        await inbox(message)
        outgoing = reply(message, a_message(b"answer"))
        return [outgoing] if outgoing else []

    async with RabbitMQBus(amqp_url) as bus, bus.subscribe(RPC_QUERIES, answer, prefetch=1):
        async with stranger(amqp_url) as channel:
            for body in (b"first", b"second"):
                await channel.basic_publish(
                    body,
                    exchange="evalbus.rpc",
                    routing_key="queries",
                    properties=Basic.Properties(reply_to=address),
                )
        await inbox.holds(2)

    assert [message.body for message in inbox.messages] == [b"first", b"second"]


async def test_an_answer_reaches_a_queue_that_the_asker_made_itself(amqp_url: str) -> None:
    async def answer(message: Message) -> Sequence[Outgoing]:
        outgoing = reply(message, a_message(b"answer"))
        return [outgoing] if outgoing else []

    async with RabbitMQBus(amqp_url) as bus, bus.subscribe(RPC_QUERIES, answer, prefetch=1):
        connection = await aio_pika.connect(amqp_url)
        async with connection, connection.channel() as channel:
            mine = await channel.declare_queue(exclusive=True)
            exchange = await channel.get_exchange("evalbus.rpc")
            await exchange.publish(
                aio_pika.Message(b"{}", correlation_id="q-1", reply_to=mine.name), "queries"
            )
            async with mine.iterator(timeout=10) as messages:
                reply_message = await anext(messages)
                await reply_message.ack()

    assert (reply_message.body, reply_message.correlation_id) == (b"answer", "q-1")
