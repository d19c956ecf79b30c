"""Making the result of every job whose rows are all stored."""

import asyncio
from dataclasses import dataclass

from evalbus.errors import TransientError
from evalbus.logs import get_logger
from evalbus.results.aggregates import aggregate
from evalbus.store.ports import FinalStore, Watcher

log = get_logger(__name__)

PAUSE_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Finalizing:
    """In a task and transaction of its own; whoever dies here leaves the job to the next one who looks."""

    finals: FinalStore
    final: Watcher
    poll_seconds: float

    async def run(self) -> None:
        while True:
            try:
                name = await self.finals.finalize_next(aggregate)
            except TransientError as error:
                log.warning("finalizing.waits", error=str(error))
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if name is None:
                await self.final.wait(self.poll_seconds)
            else:
                log.info("job.finalized", job=name)
