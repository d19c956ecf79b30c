"""Chunks of live models: handed out with calls, kept with what they took, and judged by what came of them."""

import pytest

from evalbus.store.ports import ChunkToSend, NewJob
from evalbus_schemas.benchmark import Benchmark, Params
from evalbus_schemas.jobs import JobStatus
from evalbus_schemas.queries import GetResult, ListRows
from tests.builders import (
    a_benchmark,
    a_failed_row,
    a_new_job,
    a_scored_chunk,
    an_asked_row,
    samples_of,
)
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres


def a_live_job(
    *, params: Params | None = None, benchmark: Benchmark | None = None, name: str | None = None
) -> NewJob:
    benchmark = benchmark or a_benchmark(models=("live",), params=params)
    return a_new_job(name=name, benchmark=benchmark, live=("live",))


async def keep_failed(stores: Stores, sent: ChunkToSend) -> None:
    """The model gave no answer for any row."""
    scored = a_scored_chunk(
        sent,
        scores=[[None] * sent.n_rows],
        errors=[a_failed_row(row, message="connection refused") for row in range(sent.n_rows)],
    )
    await stores.scores.keep(scored, samples_of(scored, b"{}"))


async def test_what_is_handed_out_never_exceeds_the_parallelism(stores: Stores) -> None:
    await stores.a_job_read(a_live_job(params=Params(parallelism=10)), rows=200, in_chunks_of=100)

    taken = [*await stores.take(), *await stores.take()]

    assert all(chunk.is_live and chunk.asking for chunk in taken)
    assert sum(chunk.asking.concurrency for chunk in taken if chunk.asking) == 10
    assert max(chunk.n_rows for chunk in taken) == 16


async def test_a_kept_chunk_frees_its_calls(stores: Stores) -> None:
    await stores.a_job_read(a_live_job(params=Params(parallelism=4)), rows=40, in_chunks_of=40)
    (first,) = await stores.take()
    assert await stores.take() == []

    await stores.keep(first)

    assert len(await stores.take()) == 1


async def test_a_chunk_that_was_given_back_frees_its_calls(stores: Stores) -> None:
    await stores.a_job_read(a_live_job(params=Params(parallelism=4)), rows=40, in_chunks_of=40)
    taken = await stores.take()

    await stores.dispatch.give_back(taken)

    assert [chunk.chunk_no for chunk in await stores.take()] == [taken[0].chunk_no]


async def test_recorded_models_do_not_wait_for_live_ones(stores: Stores) -> None:
    benchmark = a_benchmark(models=("old", "live"), params=Params(parallelism=1))
    new = a_new_job(benchmark=benchmark, live=("live",))
    await stores.a_job_read(new, rows=100, in_chunks_of=10)

    taken = await stores.take()

    assert sum(not chunk.is_live for chunk in taken) == 10
    assert sum(chunk.is_live for chunk in taken) == 1


async def test_rows_that_may_take_long_come_in_smaller_chunks(stores: Stores) -> None:
    params = Params(parallelism=1, row_timeout=600)
    await stores.a_job_read(a_live_job(params=params), rows=10, in_chunks_of=10)

    (chunk,) = await stores.take()

    assert chunk.n_rows * 600 <= 1500


async def test_each_repeat_is_a_row_of_its_own_and_their_mean_is_the_rows_value(
    stores: Stores,
) -> None:
    params = Params(repeats=2, parallelism=64)
    job, _ = await stores.a_job_read(a_live_job(params=params), rows=3, in_chunks_of=3)
    taken = await stores.take()
    values: dict[int, list[float | None]] = {0: [1.0, 0.0, None], 1: [0.0, 0.0, 1.0]}
    for chunk in taken:
        scored = a_scored_chunk(chunk, scores=[values[chunk.repeat]])
        await stores.scores.keep(scored, samples_of(scored))

    await stores.finalize()

    result = await stores.results.result(GetResult(result=job.name))
    rows = await stores.all_rows(job)
    score = result.results[0].scores[0]
    assert sorted((row.row_index, row.repeat) for row in rows) == [
        (0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1),
    ]  # fmt: skip
    assert (score.n_rows, score.count, score.mean) == (3, 3, 0.5)
    assert result.rows == 6


async def test_a_row_failed_if_every_repeat_of_it_did(stores: Stores) -> None:
    params = Params(repeats=2, parallelism=64, ignore_request_failure=True)
    job, _ = await stores.a_job_read(a_live_job(params=params), rows=2, in_chunks_of=2)
    for chunk in await stores.take():
        broken = [0, 1] if chunk.repeat else [0]
        scored = a_scored_chunk(
            chunk,
            scores=[[None if row in broken else 1.0 for row in range(2)]],
            errors=[a_failed_row(row) for row in broken],
        )
        await stores.scores.keep(scored, samples_of(scored))

    await stores.finalize()

    result = await stores.results.result(GetResult(result=job.name))
    score = result.results[0].scores[0]
    assert (score.n_failed, score.count, score.nan_count) == (1, 1, 1)
    assert result.failed_rows == 3


async def test_a_job_and_its_result_say_what_each_model_took(stores: Stores) -> None:
    benchmark = a_benchmark(models=("old", "live"), params=Params(parallelism=64))
    new = a_new_job(benchmark=benchmark, live=("live",))
    job, _ = await stores.a_job_read(new, rows=4, in_chunks_of=4)
    for chunk in await stores.take():
        errors = [a_failed_row(0), a_failed_row(1, metric="exact-match")] if chunk.is_live else []
        asked = [an_asked_row(calls=row + 1, seconds=0.1 * (row + 1)) for row in range(4)]
        scored = a_scored_chunk(
            chunk,
            scores=[[None, None, 1.0, 1.0]] if errors else None,
            errors=errors,
            asked=asked if chunk.is_live else [],
        )
        await stores.scores.keep(scored, samples_of(scored))

    before = await stores.jobs.job("default", job.name)
    await stores.finalize()
    result = await stores.results.result(GetResult(result=job.name))

    old, live = result.usage
    assert before.models == result.usage
    assert before.datasets == result.data
    assert (old.model, old.is_live, old.rows, old.calls, old.cost) == (
        "default/old", False, 4, 0, None,
    )  # fmt: skip
    assert (live.calls, live.retries, live.input_tokens, live.output_tokens) == (10, 6, 40, 20)
    assert live.cost == pytest.approx(0.04)
    assert live.latency_p50 == pytest.approx(0.25)
    assert live.latency_p95 == pytest.approx(0.385)
    assert (live.failed_rows, live.failed_by_stage.sample, live.failed_by_stage.metric) == (2, 1, 1)
    assert live.failure_rate == 0.5
    assert result.data[0].rows == 4
    assert result.data[0].digest


async def test_a_row_tells_of_its_calls(stores: Stores) -> None:
    job, _ = await stores.a_job_read(a_live_job(), rows=2, in_chunks_of=2)
    (chunk,) = await stores.take()
    scored = a_scored_chunk(chunk, asked=[an_asked_row(calls=2), an_asked_row(calls=1)])
    await stores.scores.keep(scored, samples_of(scored))

    page = await stores.rows.list(ListRows(job=job.name))

    assert [row.requests for row in page.rows] == [({"status": 200},) * 2, ({"status": 200},)]
    assert [row.latency_seconds for row in page.rows] == [0.2, 0.2]


async def test_nothing_is_said_of_a_model_that_has_no_row_yet(stores: Stores) -> None:
    job, _ = await stores.a_job_read(a_live_job(), rows=2)

    told = await stores.jobs.job("default", job.name)

    assert told.models[0].failure_rate is None
    assert told.models[0].rows_planned == 2


async def test_a_model_that_never_answers_ends_the_job_after_fifty_rows(stores: Stores) -> None:
    params = Params(parallelism=64)
    job, _ = await stores.a_job_read(a_live_job(params=params), rows=200, in_chunks_of=100)
    chunks = await stores.take()

    for chunk in chunks[:4]:
        assert (await stores.jobs.job("default", job.name)).status is JobStatus.ACTIVE
        await keep_failed(stores, chunk)

    ended = await stores.jobs.job("default", job.name)
    assert ended.status is JobStatus.ERROR
    assert ended.error is not None
    assert ended.error.code == "model_failed"
    assert "connection refused" in ended.error.message
    assert ended.rows == 64


async def test_one_answer_is_enough_to_go_on(stores: Stores) -> None:
    params = Params(parallelism=64)
    job, _ = await stores.a_job_read(a_live_job(params=params), rows=200, in_chunks_of=100)
    first, *others = await stores.take()
    await stores.keep(first)

    for chunk in others:
        await keep_failed(stores, chunk)

    assert (await stores.jobs.job("default", job.name)).status is JobStatus.ACTIVE


async def test_a_job_that_ignores_failures_runs_to_its_end(stores: Stores) -> None:
    params = Params(parallelism=64, ignore_request_failure=True)
    job, _ = await stores.a_job_read(a_live_job(params=params), rows=100, in_chunks_of=100)
    while chunks := await stores.take():
        for chunk in chunks:
            await keep_failed(stores, chunk)

    await stores.finalize()

    ended = await stores.jobs.job("default", job.name)
    assert (ended.status, ended.failed_rows) == (JobStatus.COMPLETED, 100)


async def test_a_job_that_bears_no_failure_ends_at_the_first(stores: Stores) -> None:
    params = Params(ignore_request_failure=False)
    job, _ = await stores.a_job_read(a_live_job(params=params), rows=20, in_chunks_of=20)
    chunk = (await stores.take())[0]
    scored = a_scored_chunk(
        chunk, scores=[[None, *[1.0] * (chunk.n_rows - 1)]], errors=[a_failed_row(0)]
    )

    await stores.scores.keep(scored, samples_of(scored))

    ended = await stores.jobs.job("default", job.name)
    assert ended.error is not None
    assert ended.error.code == "request_failed"
    assert "it broke" in ended.error.message
    assert ended.rows == chunk.n_rows


async def test_a_job_that_bears_no_failure_does_not_complete_with_its_last_chunk(
    stores: Stores,
) -> None:
    params = Params(ignore_request_failure=False)
    job, _ = await stores.a_job_read(a_live_job(params=params), rows=2, in_chunks_of=2)
    (last,) = await stores.take()

    await keep_failed(stores, last)
    finalized = await stores.finalize()

    assert finalized is None
    assert (await stores.jobs.job("default", job.name)).status is JobStatus.ERROR


async def test_a_budget_that_is_spent_by_the_last_chunks_lets_the_job_complete(
    stores: Stores,
) -> None:
    params = Params(parallelism=8, budget=0.1)
    job, _ = await stores.a_job_read(a_live_job(params=params), rows=32, in_chunks_of=32)
    first, last = await stores.take()

    await stores.keep(first)
    await stores.keep(last)
    await stores.finalize()

    ended = await stores.jobs.job("default", job.name)
    assert (ended.status, ended.rows) == (JobStatus.COMPLETED, 32)


async def test_a_budget_that_is_spent_ends_the_job_when_what_is_in_flight_has_come_in(
    stores: Stores,
) -> None:
    params = Params(parallelism=8, budget=0.1)
    job, _ = await stores.a_job_read(a_live_job(params=params), rows=100, in_chunks_of=100)
    first, second = await stores.take()

    await stores.keep(first)
    spent = await stores.jobs.job("default", job.name)
    nothing_more = await stores.take()
    await stores.keep(second)
    ended = await stores.jobs.job("default", job.name)

    assert spent.status is JobStatus.CANCELLING
    assert nothing_more == []
    assert ended.status is JobStatus.ERROR
    assert ended.error is not None
    assert ended.error.code == "budget_spent"
    assert ended.rows == 32


async def test_what_a_cancelled_job_still_asks_takes_places_at_its_endpoint(stores: Stores) -> None:
    params = Params(parallelism=64)
    first, _ = await stores.a_job_read(
        a_live_job(name="first", params=params), rows=200, in_chunks_of=100
    )
    in_flight = await stores.take()
    await stores.jobs.cancel("default", first.name)
    await stores.a_job_read(a_live_job(name="second", params=params), rows=200, in_chunks_of=100)

    while_it_asks = await stores.take()
    for sent in in_flight:
        await stores.keep(sent)
    afterwards = await stores.take()

    assert while_it_asks == []
    assert sum(chunk.asking.concurrency for chunk in afterwards if chunk.asking) == 64
