"""Noting in the database that the broker is away: who asks why a job stands still may reach only one of the two."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from evalbus.bus.base import Bus
from evalbus.errors import TransientError
from evalbus.logs import get_logger
from evalbus.store.ports import UpkeepStore

log = get_logger(__name__)

LOOK_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class BrokerWatch:
    bus: Bus
    upkeep: UpkeepStore
    service: UUID = field(default_factory=uuid4)

    async def run(self) -> None:
        """For ever. A connection that is made anew is none to speak of: the broker is away when two looks say so."""
        misses, is_noted = 0, False
        try:
            while True:
                misses = 0 if self.bus.health.is_connected else misses + 1
                try:
                    if misses > 1:
                        await self.upkeep.broker_away(self.service)
                        is_noted = True
                    elif is_noted and not misses:
                        await self.upkeep.broker_back(self.service)
                        is_noted = False
                except TransientError as error:
                    log.warning("broker.not_noted", error=str(error))
                await asyncio.sleep(LOOK_SECONDS)
        except asyncio.CancelledError:
            if is_noted:
                with suppress(TransientError):
                    await asyncio.shield(self.upkeep.broker_back(self.service))
            raise
