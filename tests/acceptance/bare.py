"""What a service sends that has none of our code."""

from collections.abc import Mapping
from uuid import uuid4

import aio_pika


async def publish(amqp_url: str, body: bytes, headers: Mapping[str, str] | None = None) -> str:
    """A bare message with the command to start a benchmark; its id."""
    connection = await aio_pika.connect(amqp_url)
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        exchange = await channel.get_exchange("evalbus.commands", ensure=False)
        message = aio_pika.Message(
            body,
            message_id=str(uuid4()),
            content_type="application/json",
            headers=dict(headers or {}),
        )
        await exchange.publish(message, "benchmark.start")
        assert message.message_id
        return message.message_id
