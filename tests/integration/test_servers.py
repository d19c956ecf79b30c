"""The servers that the other tests stand on: each test alone in its corner, each server found again where it was."""

import asyncio

import aio_pika
import asyncpg

from tests.servers.broker import Broker
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitNode


async def declare(url: str, queue: str, *, passive: bool = False) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(queue, durable=True, passive=passive)


async def queues(broker: Broker, vhost: str) -> list[str]:
    return [
        queue["name"] for queue in await asyncio.to_thread(broker.api, "GET", f"queues/{vhost}")
    ]


async def test_a_test_gets_a_vhost_with_nothing_on_it(
    broker: Broker, amqp_vhost: str, amqp_url: str
) -> None:
    before = await queues(broker, amqp_vhost)

    await declare(amqp_url, "mine")

    assert before == []
    await declare(amqp_url, "mine", passive=True)


async def test_a_killed_node_comes_back_at_its_address_with_its_queues(
    own_rabbit_node: RabbitNode,
) -> None:
    url = own_rabbit_node.make_vhost("kept")
    await declare(url, "kept")

    own_rabbit_node.kill9()
    await asyncio.to_thread(own_rabbit_node.start)

    await declare(url, "kept", passive=True)


async def test_a_wiped_node_comes_back_at_its_address_with_nothing(
    own_rabbit_node: RabbitNode,
) -> None:
    own_rabbit_node.make_vhost("lost")
    await declare(own_rabbit_node.url(), "lost")

    own_rabbit_node.wipe()
    await asyncio.to_thread(own_rabbit_node.start)

    assert await queues(own_rabbit_node.broker, "%2F") == []
    assert [v["name"] for v in own_rabbit_node.api("GET", "vhosts")] == ["/"]


async def test_a_killed_postgres_comes_back_at_its_address(
    own_postgres_server: PostgresServer,
) -> None:
    connection = await asyncpg.connect(own_postgres_server.url)
    await connection.execute("CREATE TABLE kept ()")

    await asyncio.to_thread(own_postgres_server.kill9)
    await asyncio.to_thread(own_postgres_server.start)

    connection.terminate()
    again = await asyncpg.connect(own_postgres_server.url)
    assert await again.fetchval("SELECT count(*) FROM kept") == 0
    await again.close()
