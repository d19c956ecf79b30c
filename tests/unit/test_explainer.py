"""Whoever asks for explanations waits for his turn, holds up nobody else, and gets what is known already."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from uuid import UUID

import pytest

from evalbus.errors import NotFound, Unavailable
from evalbus.results.explaining import Explainer
from evalbus.results.explaining.explainer import KEPT_MAX, WAITING_MAX
from evalbus.store.ports import DatasetToExplain, JobToExplain, RowToExplain
from evalbus_schemas.queries import JobNamed
from tests.explained import a_job_to_explain, an_answer, rows_of


class Store:
    """Jobs called `job-<number>` with two rows each; reading waits until it is let go."""

    def __init__(self, *, has_ended: bool = True) -> None:
        self.has_ended = has_ended
        self.weighed: list[UUID] = []
        self.read: list[UUID] = []
        self.go = asyncio.Event()
        self.go.set()

    async def job_id(self, named: JobNamed) -> UUID:
        if not named.job.startswith("job-"):
            raise NotFound(f"no job {named.job!r}")
        return UUID(int=int(named.job.removeprefix("job-")))

    async def job(self, named: JobNamed) -> JobToExplain:
        job = a_job_to_explain(2, is_complete=self.has_ended)
        self.weighed.append(job_id := await self.job_id(named))
        return replace(job, job_id=job_id)

    async def rows(
        self, job: JobToExplain, dataset: DatasetToExplain
    ) -> AsyncIterator[Sequence[RowToExplain]]:
        await self.go.wait()
        self.read.append(job.job_id)
        for row in rows_of([{"q": "a"}, {"q": "b"}], [an_answer(1.0), an_answer(0.0)]):
            yield [row]


async def test_an_ended_job_is_read_once_as_long_as_it_is_remembered() -> None:
    store = Store()
    explainer = Explainer(store=store)

    first = await explainer.explain(JobNamed(job="job-1"))
    again = await explainer.explain(JobNamed(job="job-1"))
    for number in range(2, KEPT_MAX + 2):
        await explainer.explain(JobNamed(job=f"job-{number}"))
    forgotten = await explainer.explain(JobNamed(job="job-1"))

    assert first is again
    assert forgotten == first
    assert store.read.count(UUID(int=1)) == 2
    assert store.weighed == store.read


async def test_a_job_that_runs_is_read_every_time() -> None:
    store = Store(has_ended=False)
    explainer = Explainer(store=store)

    found = [await explainer.explain(JobNamed(job="job-1")) for _ in range(2)]

    assert len(store.read) == 2
    assert all(each.partial for each in found)


async def test_many_who_ask_for_the_same_have_it_read_once_and_too_many_are_sent_away() -> None:
    store = Store()
    explainer = Explainer(store=store)
    store.go.clear()

    asking = [
        asyncio.create_task(explainer.explain(JobNamed(job="job-1"))) for _ in range(WAITING_MAX)
    ]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="ask again"):
        await explainer.explain(JobNamed(job="job-2"))
    store.go.set()
    found = await asyncio.gather(*asking)

    assert store.read == [UUID(int=1)]
    assert all(each == found[0] for each in found)
    assert (await explainer.explain(JobNamed(job="job-2"))).looks == 0


async def test_a_job_that_is_not_there_is_said_so() -> None:
    with pytest.raises(NotFound):
        await Explainer(store=Store()).explain(JobNamed(job="gone"))
