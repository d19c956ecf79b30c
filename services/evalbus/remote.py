"""The bus of somebody who only asks: RabbitMQ and nothing of the servers, so that a plain installation can do it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from evalbus.bus.base import Bus
from evalbus.bus.policy import RetryPolicy
from evalbus.bus.rabbitmq import RabbitMQBus
from evalbus.errors import WrongSettings
from evalbus.settings import Settings


def amqp_url(settings: Settings) -> str:
    if settings.amqp_url is None:
        raise WrongSettings("EVALBUS_AMQP_URL is not set: which RabbitMQ?")
    return settings.amqp_url.get_secret_value()


@asynccontextmanager
async def connect(settings: Settings) -> AsyncGenerator[Bus, None]:
    """A bus for a client of services that run elsewhere; raises Unavailable when there is no broker in time."""
    bus = RabbitMQBus(
        amqp_url(settings),
        name="evalbus client",
        policy=RetryPolicy(attempts_max=settings.attempts_max),
        data_lost=None,
        message_bytes_max=settings.message_bytes_max,
        connect_seconds=settings.connect_seconds,
    )
    async with bus:
        yield bus
