"""What a person would look at first when something does not go, each with what was found."""

import platform
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from evalbus.bus.rabbitmq import QueueState
from evalbus.errors import EvalbusError
from evalbus.runtime import check_schema, database_url, open_stores, rabbitmq_bus, reading
from evalbus.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Check:
    name: str
    ok: bool
    detail: str


async def examine(settings: Settings) -> list[Check]:
    """Python and the servers, and whether somebody works on them; never raises for what it looks at."""
    python = Check(name="python", ok=True, detail=platform.python_version())
    if settings.is_embedded:
        return [python, *await _tried("embedded", _look_embedded(settings))]
    return [
        python,
        *await _tried("database", _look_at_database(settings)),
        *await _tried("broker", _look_at_broker(settings)),
    ]


async def _tried(name: str, look: Awaitable[list[Check]]) -> list[Check]:
    try:
        return await look
    except EvalbusError as error:
        return [Check(name=name, ok=False, detail=str(error))]


async def _look_embedded(settings: Settings) -> list[Check]:
    async with reading(settings):
        detail = f"a private Postgres works in {settings.data_dir.absolute()}"
        return [Check(name="embedded", ok=True, detail=detail)]


async def _look_at_database(settings: Settings) -> list[Check]:
    async with open_stores(database_url(settings), settings) as stores:
        async with stores.database.connection() as connection:
            version: str = await connection.fetchval("SHOW server_version")
        await check_schema(stores)
        return [Check(name="database", ok=True, detail=f"Postgres {version}, schema at head")]


async def _look_at_broker(settings: Settings) -> list[Check]:
    async with rabbitmq_bus(settings, name="evalbus doctor") as bus:
        detail = f"RabbitMQ {bus.server_version}, topology declared"
        return [Check(name="broker", ok=True, detail=detail), _services(await bus.queues())]


def _services(queues: Sequence[QueueState]) -> Check:
    """Whether somebody takes what is put into each queue."""
    idle = [
        f"{queue.name} ({queue.messages} waiting)" if queue.messages else queue.name
        for queue in queues
        if not queue.consumers
    ]
    if not idle:
        return Check(name="services", ok=True, detail=f"each of {len(queues)} queues is consumed")
    detail = f"nobody consumes {', '.join(idle)}: do a producer, an evaluator and results run?"
    return Check(name="services", ok=False, detail=detail)
