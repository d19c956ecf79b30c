"""Why a job stands still, also when that is because nobody can be asked."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from evalbus.bus.base import Bus
from evalbus.cli.modes import asking_client
from evalbus.cli.output import note
from evalbus.client import AsyncClient, opening
from evalbus.errors import Unavailable
from evalbus.settings import Settings
from evalbus_schemas.jobs import TERMINAL, WHY_ADVICE, Why, WhyReason

HOLD_WITHOUT_BROKER: frozenset[WhyReason] = frozenset({"paused", "finalizing"})
"""What a job may wait for whether or not there is a broker."""

PATIENCE_SECONDS = 5.0
"""Where there is somebody else to ask, nobody waits longer for the broker."""


async def why_of(settings: Settings, workspace: str, job: str) -> Why:
    """Asks the services, and the database itself when these cannot be asked and EVALBUS_DATABASE_URL says where it is.

    Raises Unavailable, which says broker_down if it is the broker that cannot be reached.
    """
    if settings.amqp_url is None:
        async with asking_client(settings, workspace) as client:
            return await client.jobs.why(job)
    patience = settings.connect_seconds if settings.database_url is None else PATIENCE_SECONDS
    limit = {"connect_seconds": min(settings.connect_seconds, patience)}
    broker = _Broker(settings.model_copy(update=limit))
    try:
        async with AsyncClient(
            workspace=workspace, settings=settings, opener=broker.opened
        ) as client:
            return await client.jobs.why(job)
    except Unavailable as error:
        said = str(error) if broker.is_reached else f"broker_down: {error}"
        if settings.database_url is None:
            raise Unavailable(said) from None
        note(f"{said}; asking the database")
    async with AsyncClient(
        workspace=workspace, settings=settings, opener=opening.querying(settings)
    ) as client:
        found = await client.jobs.why(job)
    if broker.is_reached or found.status in TERMINAL or found.reason in HOLD_WITHOUT_BROKER:
        return found
    return found.model_copy(update={"reason": "broker_down", "advice": WHY_ADVICE["broker_down"]})


class _Broker:
    """The way to the services; remembers whether it led as far as their broker."""

    def __init__(self, settings: Settings) -> None:
        self._open = opening.distributed(settings)
        self.is_reached = False

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Bus, None]:
        async with self._open() as bus:
            self.is_reached = True
            yield bus
