"""Explanations for whoever asks: made one at a time, off the loop, and kept for a while where nothing can change them."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from evalbus.errors import Unavailable
from evalbus.results.explaining.explain import columns_for, explain
from evalbus.store.ports import ExplainingStore
from evalbus_schemas.explanations import Explanations
from evalbus_schemas.queries import JobNamed

KEPT_MAX: Final = 16
WAITING_MAX: Final = 8
"""Who waits here takes a place from whoever asks something quick."""


@dataclass(frozen=True, kw_only=True)
class Explainer:
    store: ExplainingStore
    _kept: OrderedDict[UUID, Explanations] = field(default_factory=OrderedDict[UUID, Explanations])
    """Of jobs that have ended, the ones asked for last."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WAITING_MAX))

    async def explain(self, named: JobNamed) -> Explanations:
        """Raises NotFound, or Unavailable when too many are asked for at once."""
        if self._waiting.locked():
            raise Unavailable("too many explanations are being made: ask again in a few seconds")
        async with self._waiting:
            job_id = await self.store.job_id(named)
            if known := self._known(job_id):
                return known
            async with self._turn:
                # Whoever went before may have asked for the same.
                return self._known(job_id) or await self._explained(named)

    def _known(self, job_id: UUID) -> Explanations | None:
        found = self._kept.get(job_id)
        if found is not None:
            self._kept.move_to_end(job_id)
        return found

    async def _explained(self, named: JobNamed) -> Explanations:
        job = await self.store.job(named)
        columns = [columns_for(job) for _ in job.datasets]
        for seen, dataset in zip(columns, job.datasets, strict=True):
            async for rows in self.store.rows(job, dataset):
                await asyncio.to_thread(seen.add, rows)
        explanations = await asyncio.to_thread(explain, job, columns)
        if job.finished_at is not None:
            self._kept[job.job_id] = explanations
            if len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return explanations
