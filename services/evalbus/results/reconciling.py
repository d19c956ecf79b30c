"""Looking after what got stuck. It asks the database only: a queue's depth is no evidence of anything."""

import asyncio
from dataclasses import dataclass

from evalbus.errors import TransientError
from evalbus.logs import get_logger
from evalbus.store.ports import UpkeepStore

log = get_logger(__name__)

FORGET_EVERY_SECONDS = 600.0
RECLAIM_ROWS = 20_000
RECLAIM_STEPS = 50
RECLAIM_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Reconciling:
    upkeep: UpkeepStore
    overdue_seconds: float
    every_seconds: float
    event_days: int
    answer_days: int

    async def run(self) -> None:
        clock = asyncio.get_running_loop().time
        forget_at = clock()
        while True:
            try:
                overdue = await self.upkeep.overdue_to_pending(overdue_seconds=self.overdue_seconds)
                if overdue:
                    log.warning("chunks.overdue", chunks=overdue)
                await self.upkeep.end_overdue()
                await self.upkeep.settle()
                await self._reclaim()
                if clock() >= forget_at:
                    await self.upkeep.forget(
                        event_days=self.event_days, answer_days=self.answer_days
                    )
                    forget_at = clock() + FORGET_EVERY_SECONDS
            except TransientError as error:
                log.warning("reconciling.waits", error=str(error))
            await asyncio.sleep(self.every_seconds)

    async def _reclaim(self) -> None:
        """A little at a time, so that nobody waits for it."""
        for _ in range(RECLAIM_STEPS):
            if not await self.upkeep.reclaim(rows_max=RECLAIM_ROWS):
                return
            await asyncio.sleep(RECLAIM_PAUSE_SECONDS)
