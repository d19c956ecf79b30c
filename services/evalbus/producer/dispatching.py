"""Sending chunks: the window is filled fairly, and what could not be sent is given back."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from evalbus.bus import codec
from evalbus.bus.base import Bus, Outgoing
from evalbus.bus.topology import WORK, WORK_LIVE, WORK_RECORDED
from evalbus.errors import TransientError, Unroutable
from evalbus.logs import get_logger
from evalbus.producer.commands import SOURCE
from evalbus.store.ports import ChunkBroken, ChunkToSend, DispatchStore, JobStore, Watcher
from evalbus_schemas import cloudevents
from evalbus_schemas.chunks import ChunkRequested, RowLimits

log = get_logger(__name__)

CHUNKS_AT_ONCE = 16
BATCHES_ON_THE_WAY = 2
PAUSE_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Dispatching:
    """Any number of producers may dispatch side by side; the store gives each chunk to one of them."""

    store: DispatchStore
    jobs: JobStore
    bus: Bus
    work: Watcher
    window: int
    poll_seconds: float

    async def run(self) -> None:
        """For ever. A batch is taken while the one before waits for its confirms."""
        places = asyncio.Semaphore(BATCHES_ON_THE_WAY)
        async with asyncio.TaskGroup() as sendings:
            while True:
                await places.acquire()
                chunks = await self._take()
                if not chunks:
                    places.release()
                    await self.work.wait(self.poll_seconds)
                    continue
                task = sendings.create_task(self._send(chunks), name="send chunks")
                task.add_done_callback(lambda _: places.release())

    async def _take(self) -> Sequence[ChunkToSend]:
        try:
            return await self.store.take(window=self.window, most=CHUNKS_AT_ONCE)
        except TransientError as error:
            log.warning("dispatching.waits", error=str(error))
            await asyncio.sleep(PAUSE_SECONDS)
            return []
        except ChunkBroken as broken:
            # It would be the same at every try, and no chunk of any job would be sent any more.
            log.exception("chunk.broken", job_id=str(broken.job_id))
            message = "a chunk of it cannot be sent; the log of the producer says more"
            with suppress(TransientError):
                await self.jobs.fail(broken.job_id, code="internal", message=message)
            return []

    async def _send(self, chunks: Sequence[ChunkToSend]) -> None:
        try:
            await self.bus.publish(*(requested(chunk) for chunk in chunks))
        except (TransientError, Unroutable) as error:
            # Some may have arrived all the same; a chunk that is scored twice counts once.
            log.warning("chunks.not_sent", chunks=len(chunks), error=str(error))
            await asyncio.sleep(PAUSE_SECONDS)
            with suppress(TransientError):
                await self.store.give_back(chunks)
        except asyncio.CancelledError:
            # Another producer sends them at once, instead of when they are missed.
            with suppress(TransientError):
                await asyncio.shield(self.store.give_back(chunks))
            raise
        else:
            # Without it they are sent once more, no worse.
            with suppress(TransientError):
                await self.store.confirm(chunks)


def requested(chunk: ChunkToSend) -> Outgoing:
    contract = ChunkRequested(
        job_id=chunk.job_id,
        job=chunk.job,
        workspace=chunk.workspace,
        source_job_id=chunk.source_job_id,
        chunk=chunk.chunk_no,
        dataset=chunk.dataset,
        first_row=chunk.first_row,
        n_rows=chunk.n_rows,
        rows=chunk.rows,
        repeat=chunk.repeat,
        samples="given" if chunk.samples_are_given else "asked",
        asking=chunk.asking,
        plan=chunk.plan,
        limits=RowLimits(**{name: getattr(chunk.limits, name) for name in RowLimits.model_fields}),
    )
    message = codec.encode(
        contract,
        cloudevents.CHUNK_REQUESTED,
        source=SOURCE,
        id=codec.stable_id("requested", chunk.job_id, chunk.chunk_no),
        subject=chunk.job,
        lines=chunk.lines,
        correlation_id=str(chunk.job_id),
    )
    queue = WORK_LIVE if chunk.is_live else WORK_RECORDED
    return Outgoing(message=message, exchange=WORK.name, key=queue.key)
