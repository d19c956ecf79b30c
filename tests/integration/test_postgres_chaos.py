"""Connections killed and work cut off at any moment: every row is stored once, and counters, results and events agree.

Whoever commits when a connection is killed does not know whether it happened; doing it again must be harmless.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import pytest

from evalbus.errors import TransientError
from evalbus.store.ports import ChunkToSend, LeaseLost
from evalbus_schemas.jobs import JobStatus
from evalbus_schemas.queries import GetResult, ListEvents, ListJobs
from tests.builders import a_benchmark, a_new_job, a_scored_chunk, samples_of, stretches
from tests.servers.versions import on_each_postgres
from tests.stores import Stores, open_stores

T = TypeVar("T")

JOBS = 6
ROWS = 600
CHUNK_ROWS = 20
DELIVERIES = 4
CUT_OFF = 0.15
KILLS_IN_A_ROW = 3
"""So many may come before something was committed again: without a limit a machine that is slow enough is never done."""
LIMIT_SECONDS = 600.0

KILL_ONE = """
    SELECT pg_terminate_backend(pid)
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    ORDER BY random()
    LIMIT 1
"""
COMMITTED = """
    SELECT (SELECT count(*) FROM job)
        + (SELECT count(*) FROM item)
        + (SELECT count(*) FROM chunk WHERE status = 'done')
        + (SELECT count(*) FROM result)
"""


@dataclass
class Luck:
    """The same bad luck for the same seed, as far as the machine allows."""

    draw: random.Random
    seen: Counter[str] = field(default_factory=Counter[str])

    async def again_and_again(self, deed: Callable[[], Awaitable[T]]) -> T:
        """As the bus does: until it succeeds, cut off now and then, and never told how far it came."""
        while True:
            work = asyncio.ensure_future(deed())
            if self.draw.random() < CUT_OFF:
                await asyncio.sleep(self.draw.uniform(0, 0.02))
                work.cancel()
            try:
                return await work
            except TransientError as error:
                self.seen[type(error).__name__] += 1
                await asyncio.sleep(self.draw.uniform(0, 0.01))
            except asyncio.CancelledError:
                self.seen["cut off"] += 1
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise


async def kill_for_ever(database_url: str, luck: Luck) -> None:
    committed: object = None
    in_a_row = 0
    async with open_stores(database_url, connections=1) as apart:
        while True:
            await asyncio.sleep(luck.draw.uniform(0.002, 0.015))
            with suppress(TransientError):
                before, committed = committed, await apart.value(COMMITTED)
                in_a_row = in_a_row if committed == before else 0
                if in_a_row < KILLS_IN_A_ROW and await apart.value(KILL_ONE):
                    luck.seen["killed"] += 1
                    in_a_row += 1


async def create_all(stores: Stores, luck: Luck) -> None:
    benchmark = a_benchmark(models=("small", "large"))
    for number in range(JOBS):
        new = a_new_job(name=f"job-{number}", benchmark=benchmark, idempotency_key=f"key-{number}")
        await luck.again_and_again(partial(stores.jobs.create, new))


async def read_one(stores: Stores) -> None:
    """Claim some job and read it on from where its last holder came to."""
    lease = await stores.dispatch.claim(lease_seconds=0.2)
    if lease is None:
        return
    with suppress(LeaseLost):
        if not lease.datasets[0].is_read:
            whole = stretches(of_rows=ROWS, in_chunks_of=CHUNK_ROWS)
            done = lease.datasets[0].n_rows // CHUNK_ROWS
            for first in range(done, len(whole), 4):
                lease = await stores.dispatch.add(
                    lease, whole[first : first + 4], position=str(first), lease_seconds=0.2
                )
            await stores.dispatch.finish_dataset(lease, 0)
        await stores.dispatch.finish(lease)


async def deliver(stores: Stores, luck: Luck, sent: ChunkToSend) -> None:
    """One chunk comes several times at once."""
    scored = a_scored_chunk(sent, scores=[[float(sent.first_row + i) for i in range(sent.n_rows)]])
    await asyncio.gather(
        *(
            luck.again_and_again(lambda: stores.scores.keep(scored, samples_of(scored)))
            for _ in range(DELIVERIES)
        )
    )


async def dispatch(stores: Stores, luck: Luck) -> None:
    taken = await stores.dispatch.take(window=64, most=8)
    if taken and luck.draw.random() < 0.1:
        await stores.dispatch.give_back(taken)
        return
    await asyncio.gather(*(deliver(stores, luck, sent) for sent in taken))


async def until_all_ended(
    stores: Stores, luck: Luck, deed: Callable[[], Awaitable[object]]
) -> None:
    while True:
        await luck.again_and_again(deed)
        jobs = await luck.again_and_again(lambda: stores.jobs.list(ListJobs()))
        if len(jobs.jobs) == JOBS and all(job.is_terminal for job in jobs.jobs):
            return
        # Whatever was taken by somebody who was cut off waits again, as the reconciler sees to it.
        await luck.again_and_again(lambda: stores.upkeep.overdue_to_pending(overdue_seconds=0.5))
        await asyncio.sleep(0.001)


@on_each_postgres
@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_is_killed_every_row_is_stored_once(database_url: str, seed: int) -> None:
    luck = Luck(random.Random(seed))
    async with open_stores(database_url, connections=12) as stores:
        killer = asyncio.create_task(kill_for_ever(database_url, luck))

        async with asyncio.timeout(LIMIT_SECONDS):
            await create_all(stores, luck)
            await asyncio.gather(
                *(until_all_ended(stores, luck, lambda: read_one(stores)) for _ in range(2)),
                *(until_all_ended(stores, luck, lambda: dispatch(stores, luck)) for _ in range(2)),
                *(until_all_ended(stores, luck, stores.finalize) for _ in range(2)),
            )
        killer.cancel()
        with suppress(asyncio.CancelledError):
            await killer

    assert luck.seen["killed"] > 20
    assert luck.seen["cut off"] > 20
    async with open_stores(database_url) as stores:
        await assert_consistent(stores)


async def assert_consistent(stores: Stores) -> None:
    jobs = (await stores.jobs.list(ListJobs())).jobs
    assert len(jobs) == JOBS
    for job in jobs:
        rows = await stores.all_rows(job)
        assert job.status is JobStatus.COMPLETED
        assert Counter((row.model, row.row_index) for row in rows) == Counter(
            (f"default/{model}", index) for model in ("small", "large") for index in range(ROWS)
        )
        assert (job.rows, job.rows_total, job.failed_rows) == (2 * ROWS, 2 * ROWS, 0)
        assert job.chunks == job.chunks_total == 2 * ROWS // CHUNK_ROWS
        result = await stores.results.result(GetResult(result=job.name))
        assert [line.scores[0].sum for line in result.results] == [sum(range(ROWS))] * 2
    assert await stores.value("SELECT count(*) FROM item") == JOBS * ROWS
    await stores.events.next_unpublished(limit=100)
    events = (await stores.events.list(ListEvents())).events
    assert Counter(event.type for event in events) == {
        "evalbus.benchmark.started.v1": JOBS,
        "evalbus.benchmark.completed.v1": JOBS,
    }
