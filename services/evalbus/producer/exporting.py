"""Writing exports to buckets: one lease an export, from the first datapoint to the last, or not at all."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass

from evalbus.errors import Conflict, NotAllowed, NotFound, Refused, TransientError
from evalbus.exporting import config_of_command, file_chunks
from evalbus.exporting.pages import datapoint_pages
from evalbus.logs import get_logger
from evalbus.producer.buckets import BucketAway, BucketObject, BucketRefused
from evalbus.producer.claiming import held, work_on_claimed
from evalbus.producer.destinations import Destinations
from evalbus.store.ports import DatapointStore, ExportLease, ExportStore, LeaseLost, Watcher
from evalbus_schemas.exports import DatapointPage, ListDatapoints

log = get_logger(__name__)

EXPORTS_MAX = 2
"""At once, in one process: each holds tens of megabytes."""
ATTEMPTS_MAX = 3
PROGRESS_SECONDS = 1.0


class JobDeleted(Exception):
    """There is nothing to write any more."""


@dataclass(kw_only=True)
class Written:
    """How far an export has come."""

    datapoints: int = 0
    is_lost: bool = False
    """Somebody else writes it now."""


@dataclass(frozen=True, kw_only=True)
class Exporting:
    """Claims exports and writes them; any number of producers may do so side by side."""

    store: ExportStore
    datapoints: DatapointStore
    destinations: Destinations
    work: Watcher
    lease_seconds: float
    poll_seconds: float

    async def run(self) -> None:
        """For ever; on cancellation every lease is given back, so that another producer begins at once."""
        await work_on_claimed(
            self._claim,
            self._export,
            at_once_max=EXPORTS_MAX,
            wait=lambda: self.work.wait(self.poll_seconds),
        )

    async def _claim(self) -> ExportLease | None:
        try:
            return await self.store.claim(lease_seconds=self.lease_seconds)
        except TransientError as error:
            log.warning("exporting.waits", error=str(error))
            return None

    async def _export(self, lease: ExportLease) -> None:
        about = log.bind(export=str(lease.export_id))
        try:
            written = await self._write(lease)
            about.info("export.written", datapoints=written.datapoints)
        except LeaseLost:
            about.info("lease.lost")
        except BucketAway as error:
            about.warning("exporting.interrupted", error=str(error))
            # Else the lease runs out, and whoever claims the export then begins anew.
            if lease.attempts >= ATTEMPTS_MAX:
                said = f"{lease.command.destination}: {error} ({lease.attempts} times)"
                await self._fail(lease, "unreachable", said)
        except TransientError as error:
            about.warning("exporting.interrupted", error=str(error))
        except JobDeleted:
            await self._fail(lease, "job_deleted", "the job was deleted")
        except BucketRefused as refused:
            explained = self.destinations.explained(lease.command, refused)
            await self._fail(lease, explained.code, explained.message)
        except Conflict as conflict:
            # A datapoint changed between two parts of it: the job is still running.
            about.warning("exporting.interrupted", error=conflict.message)
            if lease.attempts >= ATTEMPTS_MAX:
                await self._fail(lease, "changed", f"{conflict.message} ({lease.attempts} times)")
        except Refused as refusal:
            code = "not_allowed" if isinstance(refusal, NotAllowed) else "refused"
            await self._fail(lease, code, refusal.message)
        except OSError as error:
            said = f"what is put aside on the way cannot be written: {error.strerror or error}"
            await self._fail(lease, "not_written", said)
        except asyncio.CancelledError:
            with suppress(TransientError):
                await asyncio.shield(self.store.release(lease))
            raise
        except Exception:
            about.exception("exporting.failed")
            await self._fail(
                lease, "internal", "it could not be written; the log of the producer says more"
            )

    async def _fail(self, lease: ExportLease, code: str, message: str) -> None:
        log.info("export.failed", export=str(lease.export_id), code=code, error=message)
        with suppress(LeaseLost, TransientError):
            await self.store.fail(lease, code=code, message=message)

    async def _write(self, lease: ExportLease) -> Written:
        target = await asyncio.to_thread(self.destinations.open, lease.command)
        written = Written()
        async with held(self._hold(lease, written), name=f"hold {lease.export_id}"), target:
            if lease.upload is not None:
                await target.remove(lease.upload)
            if lease.attempts > ATTEMPTS_MAX:
                said = f"it was begun {ATTEMPTS_MAX} times, and never came to its end"
                raise BucketRefused("interrupted", said)
            await self._send(lease, target, written)
            await target.arrived()
            # Whoever lost it meanwhile would put an older object in the place of a newer one.
            await self._renew(lease, written)
            await target.commit()
            await self.store.complete(lease, datapoints=written.datapoints)
        return written

    async def _send(self, lease: ExportLease, target: BucketObject, written: Written) -> None:
        config = config_of_command(lease.command)
        async with (
            aclosing(self._pages(lease, written)) as pages,
            aclosing(file_chunks(pages, config)) as chunks,
        ):
            async for chunk in chunks:
                was = target.upload
                await target.write(chunk)
                if target.upload != was:
                    await self._renew(lease, written, upload=target.upload)

    async def _pages(self, lease: ExportLease, written: Written) -> AsyncGenerator[DatapointPage]:
        command = lease.command

        async def ask(after: str | None, count: int) -> DatapointPage:
            query = ListDatapoints(
                job=command.job, workspace=command.workspace, limit=count, after=after
            )
            try:
                return await self.datapoints.page(query)
            except NotFound:
                raise JobDeleted from None

        async with aclosing(datapoint_pages(ask)) as pages:
            async for page in pages:
                if written.is_lost:
                    raise LeaseLost
                yield page
                written.datapoints += page.count

    async def _hold(self, lease: ExportLease, written: Written) -> None:
        """Renew it meanwhile, and tell how far it has come."""
        while not written.is_lost:
            await asyncio.sleep(min(PROGRESS_SECONDS, self.lease_seconds / 4))
            try:
                await self._renew(lease, written)
            except LeaseLost:
                written.is_lost = True
            except TransientError as error:
                log.warning("exporting.waits", error=str(error))

    async def _renew(
        self, lease: ExportLease, written: Written, *, upload: str | None = None
    ) -> None:
        await self.store.renew(
            lease,
            datapoints=written.datapoints,
            lease_seconds=self.lease_seconds,
            upload=upload,
        )
