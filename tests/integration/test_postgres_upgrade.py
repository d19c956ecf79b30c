"""Jobs that are under way when metrics begin to count, and rows to be in slices, go on; what was made before stays as it was.

What the older release left behind is made by going back to its schema: the way down takes away what it did not know.
"""

from importlib.resources import files

import asyncpg

from evalbus.store.ports import ChunkToSend
from evalbus.store.postgres import migrate
from evalbus_schemas.benchmark import Params
from evalbus_schemas.exports import ListDatapoints
from evalbus_schemas.jobs import JobStatus
from evalbus_schemas.queries import (
    CompareResults,
    GetResult,
    JobNamed,
    ListRows,
    ListSlices,
    Result,
)
from tests.builders import (
    a_benchmark,
    a_failed_row,
    a_new_job,
    a_scored_chunk,
    a_signature,
    samples_of,
)
from tests.servers.versions import on_each_postgres
from tests.stores import Stores, open_stores

pytestmark = on_each_postgres

METRICS = "0004_metrics.sql"
SLICES = "0005_slices_truths_exports.sql"


async def upgraded(database_url: str, to: str = METRICS) -> None:
    """To the schema before that, and back up again; nobody is connected meanwhile."""
    file = files("evalbus_schemas").joinpath("migrations", to)
    version = to.partition("_")[0]
    connection = await asyncpg.connect(database_url)
    await connection.execute(file.read_text("utf-8").split("-- migrate:down")[1])
    await connection.execute("DELETE FROM schema_migrations WHERE version = $1", version)
    await connection.close()
    assert await migrate(database_url) == [version]


async def keep_unanswered(stores: Stores, sent: ChunkToSend) -> None:
    scored = a_scored_chunk(
        sent,
        scores=[[None] * sent.n_rows],
        errors=[a_failed_row(row, message="connection refused") for row in range(sent.n_rows)],
    )
    await stores.scores.keep(scored, samples_of(scored, b"{}"))


async def result_of(stores: Stores, name: str) -> Result:
    return await stores.results.result(GetResult(result=name))


async def test_a_job_under_way_ends_with_the_result_that_it_would_have_had(
    database_url: str,
) -> None:
    # given a chunk that is kept, one in flight, and others that wait
    new = a_new_job(name="job", benchmark=a_benchmark(models=("old", "live")), live=("live",))
    async with open_stores(database_url) as stores:
        await stores.a_completed_job(
            a_new_job(name="whole", benchmark=new.benchmark, live=("live",)), rows=6
        )
        await stores.a_job_read(new, rows=6, in_chunks_of=3)
        kept, in_flight = await stores.take(most=1)
        await stores.keep(kept)

    # when
    await upgraded(database_url)

    # then
    async with open_stores(database_url) as stores:
        await stores.keep(in_flight)
        await stores.score_all()
        assert await stores.finalize() == "job"
        job, whole = await result_of(stores, "job"), await result_of(stores, "whole")
        assert [entry.model_dump() for entry in job.results] == [
            entry.model_dump() for entry in whole.results
        ]
        assert (job.rows, job.failed_rows) == (12, 0)
        ended = await stores.jobs.job("default", "job")
        assert (ended.status, ended.models) == (JobStatus.COMPLETED, job.usage)


async def test_a_model_that_never_answered_before_has_not_begun_to_by_the_upgrade(
    database_url: str,
) -> None:
    benchmark = a_benchmark(models=("live",), params=Params(parallelism=64))
    new = a_new_job(name="job", benchmark=benchmark, live=("live",))
    async with open_stores(database_url) as stores:
        await stores.a_job_read(new, rows=200, in_chunks_of=100)
        *before, after = (await stores.take())[:4]
        for sent in before:
            await keep_unanswered(stores, sent)
        assert (await stores.jobs.job("default", "job")).rows == 48

    await upgraded(database_url)

    async with open_stores(database_url) as stores:
        await keep_unanswered(stores, after)
        ended = await stores.jobs.job("default", "job")
        assert ended.error is not None
        assert ended.error.code == "model_failed"
        assert "first 64 rows" in ended.error.message


async def test_results_that_were_made_before_read_and_compare_as_they_did(
    database_url: str,
) -> None:
    async with open_stores(database_url) as stores:
        for name in ("one", "two"):
            await stores.a_completed_job(a_new_job(name=name))
        before = await result_of(stores, "one")

    await upgraded(database_url)

    async with open_stores(database_url) as stores:
        await stores.a_job_read(a_new_job(name="three"), rows=6)
        for sent in await stores.take():
            scored = a_scored_chunk(sent, signatures=[a_signature()])
            await stores.scores.keep(scored, samples_of(scored))
        await stores.finalize()
        assert await result_of(stores, "one") == before
        assert [entry.signatures for entry in before.results] == [()]
        comparison = await stores.comparisons.compare(
            CompareResults(columns=("one", "two", "three"))
        )
        assert comparison.differences == ()


async def test_rows_that_were_kept_before_come_back_as_they_did(database_url: str) -> None:
    async with open_stores(database_url) as stores:
        job = await stores.a_completed_job(a_new_job(name="job"), rows=40)
        before = await stores.all_rows(job)

    await upgraded(database_url)

    async with open_stores(database_url) as stores:
        assert await stores.all_rows(job) == before


async def test_jobs_from_before_slices_are_read_exported_and_explained(database_url: str) -> None:
    # given one that is whole, and one with a chunk in flight
    async with open_stores(database_url) as stores:
        await stores.a_completed_job(a_new_job(name="whole"))
        await stores.a_job_read(a_new_job(name="job"), rows=6, in_chunks_of=3)
        kept, in_flight = await stores.take()
        await stores.keep(kept)
        before = await result_of(stores, "whole")

    # when
    await upgraded(database_url, to=SLICES)

    # then
    async with open_stores(database_url) as stores:
        await stores.keep(in_flight)
        assert await stores.finalize() == "job"
        assert await result_of(stores, "whole") == before
        for name in ("whole", "job"):
            assert not (await stores.jobs.job("default", name)).archived
            (of_all,) = (await stores.results.slices(ListSlices(result=name))).slices
            assert (of_all.slice, of_all.rows, of_all.results) == ("all", 6, before.results)
            page = await stores.rows.list(ListRows(job=name, slice="no-slice"))
            assert [row.slices for row in page.rows] == [()] * 6
            points = await stores.datapoints.page(ListDatapoints(job=name))
            assert (points.count, points.next) == (6, None)
            to_explain = await stores.explaining.job(JobNamed(job=name))
            (dataset,) = to_explain.datasets
            found = [
                row async for rows in stores.explaining.rows(to_explain, dataset) for row in rows
            ]
            assert [row.slices for row in found] == [0] * 6
        comparison = await stores.comparisons.compare(
            CompareResults(columns=("whole", "job"), slice="no-slice")
        )
        assert comparison.differences == ()
