"""Reading datasets into the store: one lease a job, rows in stretches, never far ahead of what is sent."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, suppress
from dataclasses import dataclass

from evalbus.datasets.base import DatasetReader, Fingerprint, Position
from evalbus.datasets.sources import Uploads
from evalbus.errors import Refused, SourceBroken, TransientError
from evalbus.logs import get_logger
from evalbus.producer.claiming import held, work_on_claimed
from evalbus.producer.opening import DatasetOpening
from evalbus.producer.slicing import Slicing
from evalbus.producer.uploads import UploadFiles
from evalbus.store.ports import DispatchStore, JobStore, Lease, LeaseLost, Stretch, Watcher

log = get_logger(__name__)

READINGS_MAX = 32
STRETCHES_AT_ONCE = 4
AHEAD_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Claims jobs with rows to read, and reads several at once, so that a small one never waits for a large one."""

    store: DispatchStore
    jobs: JobStore
    work: Watcher
    opening: DatasetOpening
    uploads: UploadFiles
    lease_seconds: float
    poll_seconds: float
    chunks_ahead: int

    async def run(self) -> None:
        """For ever; on cancellation every lease is given back, so that another producer goes on at once."""
        await work_on_claimed(
            self._claim,
            self._read,
            at_once_max=READINGS_MAX,
            wait=lambda: self.work.wait(self.poll_seconds),
        )

    async def _claim(self) -> Lease | None:
        try:
            return await self.store.claim(lease_seconds=self.lease_seconds)
        except TransientError as error:
            log.warning("reading.waits", error=str(error))
            return None

    async def _read(self, lease: Lease) -> None:
        about = log.bind(job_id=str(lease.job_id))
        try:
            await self._datasets(lease)
        except LeaseLost:
            about.info("lease.lost")
        except TransientError as error:
            # The lease runs out, and whoever claims the job then goes on after the last stored row.
            about.warning("reading.interrupted", error=str(error))
        except SourceBroken as error:
            await self._fail(lease, error.code, error.message)
        except Refused as refusal:
            await self._fail(lease, "source_gone", refusal.message)
        except asyncio.CancelledError:
            with suppress(TransientError):
                await asyncio.shield(self.store.release(lease))
            raise
        except Exception:
            about.exception("reading.failed")
            await self._fail(lease, "internal", "the datasets could not be read; the log says more")

    async def _fail(self, lease: Lease, code: str, message: str) -> None:
        with suppress(TransientError):
            await self.jobs.fail(lease.job_id, code=code, message=message)

    async def _datasets(self, lease: Lease) -> None:
        for dataset_no, progress in enumerate(lease.datasets):
            if not progress.is_read:
                lease, is_whole = await self._taken_over(lease, dataset_no)
                if is_whole:
                    continue
                lease = await self._dataset(lease, dataset_no)
                async with self._held(lease):
                    await self.store.finish_dataset(lease, dataset_no)
        await self.store.finish(lease)
        log.info("job.read", job_id=str(lease.job_id), chunks=lease.next_chunk)

    async def _taken_over(self, lease: Lease, dataset_no: int) -> tuple[Lease, bool]:
        """What the job that this one is derived from had of the dataset; True if that is all of it."""
        if lease.derivation is None:
            return lease, False
        while True:
            async with self._held(lease):
                taken = await self.store.take_over(
                    lease, dataset_no, lease_seconds=self.lease_seconds
                )
            lease = taken.lease
            if taken.is_last:
                return lease, taken.is_whole
            await self._room(lease)

    async def _dataset(self, lease: Lease, dataset_no: int) -> Lease:
        # What was uploaded or lies elsewhere may take longer to come than the lease lasts.
        async with self._held(lease), AsyncExitStack() as at_hand:
            uploads = await at_hand.enter_async_context(
                self.uploads.at_hand([lease.benchmark.datasets[dataset_no]])
            )
            reader = await asyncio.to_thread(self._open, lease, dataset_no, uploads)
            return await self._read_to_the_end(lease, dataset_no, reader)

    async def _read_to_the_end(self, lease: Lease, dataset_no: int, reader: DatasetReader) -> Lease:
        try:
            async with aclosing(self._batches(lease, dataset_no, reader)) as batches:
                async for stretches, position in batches:
                    lease = await self.store.add(
                        lease, stretches, position=position, lease_seconds=self.lease_seconds
                    )
                    await self._room(lease)
        finally:
            await asyncio.to_thread(reader.close)
        return lease

    def _open(self, lease: Lease, dataset_no: int, uploads: Uploads) -> DatasetReader:
        progress = lease.datasets[dataset_no]
        reader = self.opening.open(
            lease.benchmark.datasets[dataset_no],
            uploads=uploads,
            limits=lease.limits,
            position=Position.model_validate_json(progress.position) if progress.position else None,
        )
        reader.verify(Fingerprint.model_validate_json(progress.fingerprint))
        return reader

    async def _batches(
        self, lease: Lease, dataset_no: int, reader: DatasetReader
    ) -> AsyncGenerator[tuple[list[Stretch], str]]:
        """Read the next batch while the one before is stored."""
        first_row = lease.datasets[dataset_no].n_rows
        ahead = Ahead(
            lease=lease,
            dataset_no=dataset_no,
            reader=reader,
            slicing=Slicing(lease.benchmark.slices),
        )
        # One stretch at first, so that scoring begins at once.
        reading = asyncio.create_task(asyncio.to_thread(ahead.read, first_row, 1))
        try:
            while stretches := (await reading)[0]:
                position = reading.result()[1]
                last = stretches[-1]
                first_row = last.first_row + len(last.rows)
                reading = asyncio.create_task(
                    asyncio.to_thread(ahead.read, first_row, STRETCHES_AT_ONCE)
                )
                yield stretches, position
        finally:
            # A thread cannot be cut off: wait for it before its reader is closed.
            with suppress(Exception):
                await reading

    def _held(self, lease: Lease) -> AbstractAsyncContextManager[None]:
        return held(self._renew(lease), name=f"hold {lease.job_id}")

    async def _renew(self, lease: Lease) -> None:
        while True:
            await asyncio.sleep(self.lease_seconds / 4)
            # Whether it is lost tells whoever writes under it.
            with suppress(LeaseLost, TransientError):
                await self.store.renew(lease, lease_seconds=self.lease_seconds)

    async def _room(self, lease: Lease) -> None:
        """Return when the window has nearly caught up: what is read ahead is bounded, however large the dataset."""
        while await self.store.waiting(lease) > self.chunks_ahead:
            await self.store.renew(lease, lease_seconds=self.lease_seconds)
            await self.work.wait(min(AHEAD_SECONDS, self.lease_seconds / 4))


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """The blocking half: rows of one dataset as stretches, within the job's limits."""

    lease: Lease
    dataset_no: int
    reader: DatasetReader
    slicing: Slicing

    def read(self, first_row: int, stretches_max: int) -> tuple[list[Stretch], str]:
        """At most so many stretches, none at the end; and the position behind them."""
        limits, row_limit = self.lease.limits, self.lease.benchmark.params.limit_samples
        stretches: list[Stretch] = []
        while len(stretches) < stretches_max:
            left = limits.chunk_rows if row_limit is None else row_limit - first_row
            if left <= 0:
                break
            rows = self.reader.read(min(left, limits.chunk_rows), limits.chunk_bytes)
            if not rows:
                break
            stretches.append(
                Stretch(
                    dataset_no=self.dataset_no,
                    first_row=first_row,
                    rows=rows,
                    slices=self.slicing.memberships(row.item for row in rows),
                )
            )
            first_row += len(rows)
        return stretches, self.reader.position.model_dump_json()
