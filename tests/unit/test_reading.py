"""What the producer does with a lease while it reads."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest

from evalbus.datasets import Sources, open_dataset
from evalbus.producer.opening import DatasetOpening
from evalbus.producer.reading import Reading
from evalbus.producer.uploads import UploadFiles
from evalbus.store.ports import (
    ChunkToSend,
    DatasetProgress,
    JobLimits,
    JobStore,
    Lease,
    ModelFacts,
    Stretch,
    TakenOver,
    UploadStore,
)
from evalbus.store.postgres.changes import EventWatcher
from evalbus_schemas.benchmark import Dataset
from tests.builders import a_benchmark

LIMITS = JobLimits(chunk_rows=500, chunk_bytes=262_144)


class SlowToFinish:
    """One job, whose dataset takes as long to finish as three renewals of the lease."""

    def __init__(self, lease: Lease) -> None:
        self._lease: Lease | None = lease
        self._renewals = asyncio.Semaphore(0)
        self.is_finished = asyncio.Event()

    async def claim(self, *, lease_seconds: float) -> Lease | None:
        claimed, self._lease = self._lease, None
        return claimed

    async def renew(self, lease: Lease, *, lease_seconds: float) -> None:
        self._renewals.release()

    async def finish_dataset(self, lease: Lease, dataset_no: int) -> None:
        for _ in range(3):
            await self._renewals.acquire()

    async def finish(self, lease: Lease) -> None:
        self.is_finished.set()

    async def add(
        self, lease: Lease, stretches: Sequence[Stretch], *, position: str, lease_seconds: float
    ) -> Lease:
        return replace(lease, next_chunk=lease.next_chunk + len(stretches))

    async def waiting(self, lease: Lease) -> int:
        return 0

    async def release(self, lease: Lease) -> None: ...

    async def take(self, *, window: int, most: int) -> Sequence[ChunkToSend]:
        return []

    async def take_over(self, lease: Lease, dataset_no: int, *, lease_seconds: float) -> TakenOver:
        raise AssertionError("no job is derived here")

    async def confirm(self, chunks: Sequence[ChunkToSend]) -> None: ...

    async def give_back(self, chunks: Sequence[ChunkToSend]) -> None: ...


class SlowToTakeOver(SlowToFinish):
    """The same with a derived job, which takes as long to take over the rows of its source."""

    async def take_over(self, lease: Lease, dataset_no: int, *, lease_seconds: float) -> TakenOver:
        for _ in range(3):
            await self._renewals.acquire()
        return TakenOver(lease=lease, is_last=True, is_whole=True)


def a_lease() -> Lease:
    dataset = Dataset(name="capitals", rows=({"output": "Paris"},))
    with closing(open_dataset(dataset, roots=None, limits=LIMITS)) as reader:
        fingerprint = reader.fingerprint().model_dump_json()
    return Lease(
        job_no=1,
        job_id=uuid4(),
        month=date(2026, 1, 1),
        token=uuid4(),
        next_chunk=0,
        benchmark=a_benchmark().model_copy(update={"datasets": (dataset,)}),
        limits=LIMITS,
        datasets=(
            DatasetProgress(fingerprint=fingerprint, position=None, n_rows=0, is_read=False),
        ),
        models=(ModelFacts(is_live=False),),
    )


@pytest.mark.parametrize(
    "store",
    [SlowToFinish(a_lease()), SlowToTakeOver(replace(a_lease(), derivation="rescore"))],
    ids=["a dataset to be read to its end", "rows to be taken over"],
)
async def test_a_lease_is_kept_however_long_its_work_takes(
    tmp_path: Path, store: SlowToFinish
) -> None:
    reading = Reading(
        store=store,
        jobs=cast(JobStore, None),  # no job ends here
        work=EventWatcher(),
        opening=DatasetOpening(sources=Sources(roots=None), limits=LIMITS),
        uploads=UploadFiles(cast(UploadStore, None), tmp_path),  # nothing is uploaded here
        lease_seconds=0.04,
        poll_seconds=1.0,
        chunks_ahead=2,
    )

    running = asyncio.create_task(reading.run())

    async with asyncio.timeout(10):
        await store.is_finished.wait()
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
