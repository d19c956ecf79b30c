"""A derived job takes over what another one has: its rows, its scores or its samples, and does only the rest."""

import orjson
import pytest

from evalbus.store.ports import ChunkBroken, ChunkToSend, Derived, LeaseLost, NewJob
from evalbus_schemas.benchmark import Benchmark, Params
from evalbus_schemas.chunks import SAMPLE_SEPARATOR
from evalbus_schemas.jobs import Derivation, Job, JobStatus
from evalbus_schemas.queries import GetResult
from tests.builders import (
    a_benchmark,
    a_failed_row,
    a_new_job,
    a_scored_chunk,
    a_stretch,
    an_item,
)
from tests.servers.versions import on_each_postgres
from tests.stores import LEASE_SECONDS, Stores

pytestmark = on_each_postgres

LIVE = ("live",)


def a_job(params: Params | None = None) -> NewJob:
    params = params or Params(parallelism=64)
    return a_new_job(benchmark=a_benchmark(models=("old", "live"), params=params), live=LIVE)


def derived(job: Job, how: Derivation, benchmark: Benchmark) -> NewJob:
    return a_new_job(benchmark=benchmark, live=LIVE, derivation=Derived(source=job.job_id, how=how))


async def with_failures(stores: Stores, *, failing: set[int], rows: int = 20) -> tuple[Job, NewJob]:
    """A completed job whose live model gave no answer for some rows."""
    new = a_job(Params(parallelism=64, ignore_request_failure=True))
    job, _ = await stores.a_job_read(new, rows=rows, in_chunks_of=10)
    while taken := await stores.take():
        for sent in taken:
            await keep(stores, sent, failing if sent.is_live else set())
    await stores.finalize()
    return job, new


async def keep(stores: Stores, sent: ChunkToSend, failing: set[int]) -> None:
    indexes = sent.rows or range(sent.first_row, sent.first_row + sent.n_rows)
    broken = [offset for offset, row in enumerate(indexes) if row in failing]
    scored = a_scored_chunk(
        sent,
        scores=[[None if offset in broken else 1.0 for offset in range(sent.n_rows)]]
        * len(sent.plan.metrics),
        errors=[a_failed_row(offset, message='it said "no\0"') for offset in broken],
    )
    samples = [
        b"{}" if offset in broken else b'{"output_text":"%d"}' % row
        for offset, row in enumerate(indexes)
    ]
    await stores.scores.keep(scored, samples)


async def test_a_retry_asks_only_for_the_rows_that_failed(stores: Stores) -> None:
    source, new = await with_failures(stores, failing={3, 4, 17})
    job, _ = await stores.jobs.create(derived(source, "retry", new.benchmark))

    await stores.take_over()
    taken = await stores.take()

    assert [(chunk.plan.model.name, chunk.rows) for chunk in taken] == [("live", (3, 4, 17))]
    assert taken[0].lines.split(b"\n") == [an_item(3), an_item(4), an_item(17)]
    assert taken[0].source_job_id == source.job_id
    told = await stores.jobs.job("default", job.name)
    assert (told.rows, told.rows_total, told.derived_from) == (37, 40, source.name)


async def test_a_retry_ends_with_the_complete_result(stores: Stores) -> None:
    source, new = await with_failures(stores, failing={3, 4, 17})
    job, _ = await stores.jobs.create(derived(source, "retry", new.benchmark))
    await stores.take_over()
    for sent in await stores.take():
        await keep(stores, sent, failing=set())

    await stores.finalize()

    result = await stores.results.result(GetResult(result=job.name))
    before = await stores.results.result(GetResult(result=source.name))
    rows = await stores.all_rows(job)
    assert (result.rows, result.failed_rows) == (40, 0)
    assert result.data == before.data
    assert [score.scores[0].count for score in result.results] == [20, 20]
    assert [row.sample["output_text"] for row in rows if row.model == "default/live"] == [
        str(row) for row in range(20)
    ]
    assert before.failed_rows == 3


async def test_a_retry_does_not_ask_again_for_a_row_over_which_only_a_metric_failed(
    stores: Stores,
) -> None:
    new = a_job()
    source, _ = await stores.a_job_read(new, rows=4, in_chunks_of=4)
    for sent in await stores.take():
        errors = [a_failed_row(1), a_failed_row(2, metric="exact-match")] if sent.is_live else []
        values: list[float | None] = [1.0, None, None, 1.0] if errors else [1.0] * 4
        scored = a_scored_chunk(sent, scores=[values], errors=errors)
        await stores.scores.keep(scored, [b"{}", b"{}", b'{"output_text":"two"}', b"{}"])
    await stores.finalize()
    job, _ = await stores.jobs.create(derived(source, "retry", new.benchmark))

    await stores.take_over()
    taken = {chunk.samples_are_given: chunk for chunk in await stores.take()}

    assert (taken[False].is_live, taken[False].first_row, taken[False].n_rows) == (True, 1, 1)
    assert (taken[True].is_live, taken[True].first_row, taken[True].n_rows) == (False, 2, 1)
    assert taken[True].lines.split(SAMPLE_SEPARATOR) == [an_item(2), b'{"output_text":"two"}']
    assert (await stores.jobs.job("default", job.name)).rows == 6


async def test_a_retry_counts_only_the_calls_that_it_made_itself(stores: Stores) -> None:
    source, new = await with_failures(stores, failing={3})
    job, _ = await stores.jobs.create(derived(source, "retry", new.benchmark))
    await stores.take_over()
    for sent in await stores.take():
        await keep(stores, sent, failing=set())

    told = await stores.jobs.job("default", job.name)

    assert [(model.rows, model.calls) for model in told.models] == [(20, 0), (20, 1)]
    assert [model.failure_rate for model in told.models] == [0.0, 0.0]


async def test_a_retry_of_a_cancelled_job_does_what_was_not_done(stores: Stores) -> None:
    new = a_job()
    source, _ = await stores.a_job_read(new, rows=20, in_chunks_of=10)
    first = next(chunk for chunk in await stores.take() if not chunk.is_live)
    await keep(stores, first, failing=set())
    await stores.jobs.cancel("default", source.name)
    await stores.jobs.create(derived(source, "retry", new.benchmark))

    await stores.take_over()
    taken = await stores.take()

    asked = {
        (chunk.plan.model.name, row)
        for chunk in taken
        for row in chunk.rows or range(chunk.first_row, chunk.first_row + chunk.n_rows)
    }
    assert asked == {
        *(("old", row) for row in range(10, 20)),
        *(("live", row) for row in range(20)),
    }


async def test_a_retry_goes_on_reading_where_its_source_stopped(stores: Stores) -> None:
    new = a_new_job()
    source, _ = await stores.jobs.create(new)
    lease = await stores.claim()
    await stores.add(lease, a_stretch(n_rows=4), position="behind four rows")
    await stores.jobs.cancel("default", source.name)
    await stores.jobs.create(
        a_new_job(benchmark=new.benchmark, derivation=Derived(source=source.job_id, how="retry"))
    )

    lease = await stores.claim()
    taken = await stores.dispatch.take_over(lease, 0, lease_seconds=LEASE_SECONDS)

    progress = taken.lease.datasets[0]
    assert (taken.is_last, taken.is_whole) == (True, False)
    assert (progress.position, progress.n_rows) == ("behind four rows", 4)


async def test_a_retry_that_was_interrupted_while_it_read_on_goes_on_after_its_own_rows(
    stores: Stores,
) -> None:
    new = a_new_job()
    source, _ = await stores.jobs.create(new)
    await stores.add(await stores.claim(), a_stretch(n_rows=4), position="behind four rows")
    await stores.jobs.cancel("default", source.name)
    await stores.jobs.create(
        a_new_job(benchmark=new.benchmark, derivation=Derived(source=source.job_id, how="retry"))
    )
    lease = await stores.claim()
    taken = await stores.dispatch.take_over(lease, 0, lease_seconds=LEASE_SECONDS)
    stretch = a_stretch(first_row=4, n_rows=3)
    lease = await stores.add(taken.lease, stretch, position="behind seven rows")
    await stores.dispatch.release(lease)

    lease = await stores.claim()
    taken = await stores.dispatch.take_over(lease, 0, lease_seconds=LEASE_SECONDS)
    progress = taken.lease.datasets[0]
    await stores.add(taken.lease, a_stretch(first_row=7, n_rows=1), position="behind eight rows")

    assert (taken.is_last, taken.is_whole) == (True, False)
    assert (progress.position, progress.n_rows) == ("behind seven rows", 7)


async def test_a_rescore_is_given_the_samples(stores: Stores) -> None:
    source, new = await with_failures(stores, failing={1}, rows=3)
    benchmark = new.benchmark.model_copy(
        update={"metrics": a_benchmark(metrics=("one", "two")).metrics}
    )
    await stores.jobs.create(derived(source, "rescore", benchmark))

    await stores.take_over()
    taken = await stores.take()

    by_model = {chunk.plan.model.name: chunk for chunk in taken}
    live = [line.split(SAMPLE_SEPARATOR) for line in by_model["live"].lines.split(b"\n")]
    assert all(chunk.samples_are_given and not chunk.is_live for chunk in taken)
    assert [part[0] for part in live] == [an_item(row) for row in range(3)]
    assert [orjson.loads(part[1]) for part in live] == [
        {"output_text": "0"}, {}, {"output_text": "2"},
    ]  # fmt: skip
    # A NUL in somebody's words does no harm.
    reasons = [orjson.loads(part[2]) for part in live if len(part) > 2]
    assert reasons == [["broken", 'it said "no\N{REPLACEMENT CHARACTER}"']]


async def test_a_rescore_has_as_many_rows_as_there_are_samples(stores: Stores) -> None:
    new = a_job()
    source, _ = await stores.a_job_read(new, rows=20, in_chunks_of=10)
    first = next(chunk for chunk in await stores.take() if not chunk.is_live)
    await keep(stores, first, failing=set())
    await stores.jobs.cancel("default", source.name)
    job, _ = await stores.jobs.create(derived(source, "rescore", new.benchmark))
    await stores.take_over()

    for sent in await stores.take():
        await keep(stores, sent, failing=set())
    await stores.finalize()

    ended = await stores.jobs.job("default", job.name)
    assert (ended.status, ended.rows, ended.rows_total) == (JobStatus.COMPLETED, 10, 10)


async def test_rows_are_taken_over_once_however_often_it_is_tried(stores: Stores) -> None:
    source, new = await with_failures(stores, failing={3})
    await stores.jobs.create(derived(source, "retry", new.benchmark))
    lease = await stores.claim()
    await stores.dispatch.take_over(lease, 0, lease_seconds=LEASE_SECONDS)

    with pytest.raises(LeaseLost):
        await stores.dispatch.take_over(lease, 0, lease_seconds=LEASE_SECONDS)

    assert await stores.value("SELECT count(DISTINCT job_no) FROM score") == 2


async def test_a_job_whose_chunk_cannot_be_made_does_not_hold_up_the_others(
    stores: Stores,
) -> None:
    source, new = await with_failures(stores, failing={1}, rows=3)
    job, _ = await stores.jobs.create(derived(source, "rescore", new.benchmark))
    await stores.take_over()
    await stores.value("UPDATE score SET errors = 'no JSON' WHERE errors IS NOT NULL RETURNING 1")
    await stores.a_job_read(a_new_job(name="other"), rows=3)

    with pytest.raises(ChunkBroken) as broken:
        await stores.take()
    await stores.jobs.fail(broken.value.job_id, code="internal", message="it cannot be sent")
    taken = await stores.take()

    assert broken.value.job_id == job.job_id
    assert [chunk.job for chunk in taken] == ["other"]
