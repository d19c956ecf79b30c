"""Chunks whose metrics ask somebody: sent as those of live models are, counted where they ask, and judged alike."""

from collections.abc import Sequence

import pytest

from evalbus.store.ports import ChunkToSend, Derived, NewJob
from evalbus_schemas.benchmark import Benchmark, Params
from evalbus_schemas.chunks import Asked
from evalbus_schemas.jobs import Derivation, Job, JobStatus
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

JUDGE, OTHER_JUDGE = "http://judge", "http://other-judge"
MODEL = "http://model"
LIVE_CHUNK_ROWS = 16
LIVE_CHUNK_SECONDS = 1500


def judged(
    *,
    models: Sequence[str] = ("old",),
    metrics: Sequence[str] = ("judge",),
    params: Params | None = None,
) -> Benchmark:
    return a_benchmark(models=models, metrics=metrics, params=params or Params(parallelism=64))


def a_judged_job(
    *,
    name: str | None = None,
    benchmark: Benchmark | None = None,
    params: Params | None = None,
    live: Sequence[str] = (),
    judges: Sequence[str] = (JUDGE,),
    derivation: Derived | None = None,
) -> NewJob:
    """Recorded answers about which a judge is asked, unless the model is named in `live`."""
    return a_new_job(
        name=name,
        benchmark=benchmark or judged(models=live or ("old",), params=params),
        live=live,
        endpoint=MODEL,
        metric_endpoints=judges,
        derivation=derivation,
    )


async def keep(
    stores: Stores,
    sent: ChunkToSend,
    *,
    unanswered: Sequence[int] = (),
    failed: Sequence[int] = (),
    by_judge: Asked | None = None,
    by_model: Asked | None = None,
) -> None:
    """What the judge says of each row, but for those about which it was silent and those that it broke."""
    missing = {*unanswered, *failed}
    column = [None if row in missing else 1.0 for row in range(sent.n_rows)]
    scored = a_scored_chunk(
        sent,
        scores=[column] * len(sent.plan.metrics),
        errors=[
            *(
                a_failed_row(row, metric="judge", message="connection refused", unanswered=True)
                for row in unanswered
            ),
            *(a_failed_row(row, metric="judge", message="no number") for row in failed),
        ],
        asked=[by_model] * sent.n_rows if by_model else (),
        asked_by_metrics=[[by_judge or an_asked_row(cost=None)]] * sent.n_rows,
    )
    await stores.scores.keep(scored, samples_of(scored))


def calls(taken: Sequence[ChunkToSend], job: str | None = None) -> int:
    return sum(sent.asking.concurrency for sent in taken if sent.asking and job in (None, sent.job))


# --- how they are sent --------------------------------------------------------------------------


async def test_recorded_answers_that_are_judged_come_in_live_chunks(stores: Stores) -> None:
    await stores.a_job_read(a_judged_job(), rows=100, in_chunks_of=100)

    taken = await stores.take()

    assert all(sent.is_live and sent.asking and not sent.samples_are_given for sent in taken)
    assert {sent.n_rows for sent in taken[:-1]} == {LIVE_CHUNK_ROWS}
    assert calls(taken) <= 64


async def test_recorded_answers_that_nobody_is_asked_about_come_in_whole_chunks(
    stores: Stores,
) -> None:
    await stores.a_job_read(a_judged_job(judges=()), rows=100, in_chunks_of=100)

    (sent,) = await stores.take()

    assert (sent.is_live, sent.asking, sent.n_rows) == (False, None, 100)


async def test_a_recorded_model_is_judged_once_however_often_live_ones_are_asked(
    stores: Stores,
) -> None:
    benchmark = judged(models=("old", "live"), params=Params(parallelism=64, repeats=3))
    await stores.a_job_read(a_judged_job(benchmark=benchmark, live=("live",)), rows=2)

    taken = await stores.take()

    assert sorted((sent.plan.model.name, sent.repeat) for sent in taken) == [
        ("live", 0), ("live", 1), ("live", 2), ("old", 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("live", "judges", "row_timeout"),
    [
        ((), (JUDGE,), 600.0),
        ((), (JUDGE, JUDGE, OTHER_JUDGE), 300.0),
        (("live",), (JUDGE,), 300.0),
        (("live",), (JUDGE, OTHER_JUDGE), 150.0),
    ],
)
async def test_a_chunk_is_done_in_time_though_every_question_takes_as_long_as_it_may(
    stores: Stores, live: Sequence[str], judges: Sequence[str], row_timeout: float
) -> None:
    params = Params(parallelism=2, row_timeout=row_timeout)
    new = a_judged_job(params=params, live=live, judges=judges)
    await stores.a_job_read(new, rows=40, in_chunks_of=40)

    sent = (await stores.take())[0]

    assert sent.asking is not None
    rounds = sent.n_rows / sent.asking.concurrency
    seconds = rounds * row_timeout * (len(live) + len(judges))
    assert seconds <= LIVE_CHUNK_SECONDS
    # And with one more round it would not be.
    assert seconds + row_timeout * (len(live) + len(judges)) > LIVE_CHUNK_SECONDS


async def test_jobs_share_the_places_at_a_judge(stores: Stores) -> None:
    params = Params(parallelism=64)
    for name in ("first", "second"):
        new = a_judged_job(name=name, params=params)
        await stores.a_job_read(new, rows=200, in_chunks_of=100)

    taken = await stores.take()

    assert calls(taken) == 64
    assert min(calls(taken, "first"), calls(taken, "second")) > 0


async def test_jobs_with_judges_of_their_own_do_not_wait_for_each_other(stores: Stores) -> None:
    for name, judge in (("first", JUDGE), ("second", OTHER_JUDGE)):
        await stores.a_job_read(
            a_judged_job(name=name, judges=(judge,)), rows=200, in_chunks_of=100
        )

    taken = await stores.take()

    assert (calls(taken, "first"), calls(taken, "second")) == (64, 64)


async def test_a_judge_that_is_also_a_model_bears_both_together(stores: Stores) -> None:
    await stores.a_job_read(
        a_new_job(name="asks", benchmark=judged(models=("live",)), live=("live",), endpoint=JUDGE),
        rows=200,
        in_chunks_of=100,
    )
    before = await stores.take()
    await stores.a_job_read(a_judged_job(name="judges"), rows=200, in_chunks_of=100)

    meanwhile = await stores.take()
    for sent in before:
        await stores.keep(sent)
    afterwards = await stores.take()

    assert (calls(before), calls(meanwhile)) == (64, 0)
    assert calls(afterwards) <= 64
    assert min(calls(afterwards, "asks"), calls(afterwards, "judges")) > 0


async def test_a_model_of_a_job_is_not_asked_while_its_judge_bears_no_more(stores: Stores) -> None:
    await stores.a_job_read(a_judged_job(name="first"), rows=200, in_chunks_of=100)
    await stores.take()
    await stores.a_job_read(a_judged_job(name="second", live=("live",)), rows=200, in_chunks_of=100)

    assert await stores.take() == []
    assert (await stores.jobs.why("default", "second")).reason == "model_limited"


async def test_what_a_cancelled_job_still_has_judged_takes_places(stores: Stores) -> None:
    await stores.a_job_read(a_judged_job(name="first"), rows=200, in_chunks_of=100)
    in_flight = await stores.take()
    await stores.jobs.cancel("default", "first")
    await stores.a_job_read(a_judged_job(name="second"), rows=200, in_chunks_of=100)

    while_it_asks = await stores.take()
    for sent in in_flight:
        await keep(stores, sent)

    assert while_it_asks == []
    assert calls(await stores.take()) == 64


# --- derived jobs -------------------------------------------------------------------------------


def derived(source: Job, how: Derivation, benchmark: Benchmark) -> NewJob:
    return a_judged_job(
        name=how,
        benchmark=benchmark,
        live=("live",),
        derivation=Derived(source=source.job_id, how=how),
    )


async def with_failures(stores: Stores, *, rows: int = 20) -> tuple[Job, Benchmark]:
    """The model was silent about row 1, the judge about row 2, and what it said of row 3 was no number."""
    benchmark = judged(models=("live",), params=Params(parallelism=64, ignore_request_failure=True))
    new = a_judged_job(name="source", benchmark=benchmark, live=("live",))
    job, _ = await stores.a_job_read(new, rows=rows, in_chunks_of=rows)
    for sent in await stores.take():
        broken = {1, 2, 3} if sent.first_row == 0 else set[int]()
        scored = a_scored_chunk(
            sent,
            scores=[[None if row in broken else 1.0 for row in range(sent.n_rows)]],
            errors=[
                a_failed_row(1),
                a_failed_row(2, metric="judge", unanswered=True),
                a_failed_row(3, metric="judge"),
            ]
            if broken
            else [],
        )
        await stores.scores.keep(scored, samples_of(scored))
    assert await stores.finalize() == "source"
    return job, benchmark


async def test_a_rescore_with_a_judge_is_given_samples_in_live_chunks_and_asks_no_model(
    stores: Stores,
) -> None:
    # given a place at the judge for a few, and none at the model
    source, benchmark = await with_failures(stores)
    await stores.a_job_read(
        a_new_job(name="busy", benchmark=judged(models=("live",)), live=("live",), endpoint=MODEL),
        rows=200,
        in_chunks_of=100,
    )
    await stores.take()
    await stores.jobs.create(derived(source, "rescore", benchmark))

    # when
    await stores.take_over()
    taken = await stores.take()

    # then
    assert {(sent.job, sent.is_live, sent.samples_are_given) for sent in taken} == {
        ("rescore", True, True)
    }
    assert sum(sent.n_rows for sent in taken) == 20
    assert max(sent.n_rows for sent in taken) <= LIVE_CHUNK_ROWS
    for sent in taken:
        await keep(stores, sent)
    assert await stores.finalize() == "rescore"
    assert (await stores.jobs.job("default", "rescore")).rows == 20


async def test_a_rescore_waits_for_a_place_at_the_judge(stores: Stores) -> None:
    source, benchmark = await with_failures(stores)
    await stores.a_job_read(a_judged_job(name="busy"), rows=200, in_chunks_of=100)
    busy = await stores.take()
    await stores.jobs.create(derived(source, "rescore", benchmark))
    await stores.take_over()

    meanwhile = await stores.take()
    for sent in busy:
        await keep(stores, sent)
    afterwards = await stores.take()

    assert (calls(busy), meanwhile) == (64, [])
    assert calls(afterwards, "rescore") > 0


async def test_a_retry_asks_the_model_only_where_it_was_silent_and_the_judge_about_the_rest(
    stores: Stores,
) -> None:
    source, benchmark = await with_failures(stores)
    await stores.jobs.create(derived(source, "retry", benchmark))

    await stores.take_over()
    taken = {sent.samples_are_given: sent for sent in await stores.take()}

    asked, given = taken[False], taken[True]
    assert (asked.first_row, asked.n_rows, asked.is_live) == (1, 1, True)
    assert (given.first_row, given.n_rows, given.is_live) == (2, 2, True)
    assert given.asking is not None
    for sent in (asked, given):
        await keep(stores, sent)
    assert await stores.finalize() == "retry"
    told = await stores.jobs.job("default", "retry")
    assert (told.rows, told.failed_rows) == (20, 0)


# --- verdicts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("live", [(), ("live",)], ids=["recorded", "live"])
async def test_a_judge_that_never_answers_ends_the_job_after_fifty_rows(
    stores: Stores, live: Sequence[str]
) -> None:
    job, _ = await stores.a_job_read(a_judged_job(live=live), rows=200, in_chunks_of=100)
    chunks = await stores.take()

    for sent in chunks[:4]:
        assert (await stores.jobs.job("default", job.name)).status is JobStatus.ACTIVE
        await keep(stores, sent, unanswered=range(sent.n_rows))

    ended = await stores.jobs.job("default", job.name)
    assert ended.status is JobStatus.ERROR
    assert ended.error is not None
    assert ended.error.code == "model_failed"
    assert "metric 'judge'" in ended.error.message
    assert "connection refused" in ended.error.message
    assert ended.rows == 64


async def test_where_models_and_judges_are_silent_who_was_first_is_named_with_the_cause(
    stores: Stores,
) -> None:
    job, _ = await stores.a_job_read(a_judged_job(live=("live",)), rows=200, in_chunks_of=100)
    first, *others = (await stores.take())[:4]
    for sent in others:
        await keep(stores, sent, unanswered=range(sent.n_rows))

    errors = [a_failed_row(row, message="no such model") for row in range(first.n_rows)]
    scored = a_scored_chunk(first, scores=[[None] * first.n_rows], errors=errors)
    await stores.scores.keep(scored, samples_of(scored, b"{}"))

    ended = await stores.jobs.job("default", job.name)
    assert ended.error is not None
    assert ended.error.message == (
        "model 'live' gave no answer for any of its first 64 rows: broken: no such model"
    )


async def test_a_judge_that_answers_without_a_number_is_not_silent(stores: Stores) -> None:
    job, _ = await stores.a_job_read(a_judged_job(), rows=200, in_chunks_of=100)

    for sent in await stores.take():
        await keep(stores, sent, failed=range(sent.n_rows))

    told = await stores.jobs.job("default", job.name)
    assert (told.status, told.failed_rows) == (JobStatus.ACTIVE, told.rows)


async def test_one_judgement_is_enough_to_go_on(stores: Stores) -> None:
    job, _ = await stores.a_job_read(a_judged_job(), rows=200, in_chunks_of=100)
    first, *others = await stores.take()
    await keep(stores, first, unanswered=range(1, first.n_rows))

    for sent in others:
        await keep(stores, sent, unanswered=range(sent.n_rows))

    assert (await stores.jobs.job("default", job.name)).status is JobStatus.ACTIVE


async def test_a_silent_judge_for_one_model_is_not_excused_by_another(stores: Stores) -> None:
    benchmark = judged(models=("good", "bad"))
    job, _ = await stores.a_job_read(a_judged_job(benchmark=benchmark), rows=100, in_chunks_of=100)
    while taken := await stores.take():
        for sent in taken:
            silent = range(sent.n_rows) if sent.plan.model.name == "bad" else ()
            await keep(stores, sent, unanswered=silent)

    ended = await stores.jobs.job("default", job.name)
    assert ended.error is not None
    assert ended.error.code == "model_failed"


async def test_a_job_that_ignores_a_silent_judge_runs_to_its_end(stores: Stores) -> None:
    params = Params(parallelism=64, ignore_request_failure=True)
    job, _ = await stores.a_job_read(a_judged_job(params=params), rows=100, in_chunks_of=100)
    while taken := await stores.take():
        for sent in taken:
            await keep(stores, sent, unanswered=range(sent.n_rows))

    await stores.finalize()

    ended = await stores.jobs.job("default", job.name)
    assert (ended.status, ended.failed_rows) == (JobStatus.COMPLETED, 100)


async def test_a_job_that_bears_no_silence_ends_at_the_first(stores: Stores) -> None:
    params = Params(parallelism=64, ignore_request_failure=False)
    job, _ = await stores.a_job_read(a_judged_job(params=params), rows=20, in_chunks_of=20)
    first, *_ = await stores.take()

    await keep(stores, first, unanswered=[1], failed=[0])

    ended = await stores.jobs.job("default", job.name)
    assert ended.error is not None
    assert ended.error.code == "request_failed"
    assert "metric 'judge'" in ended.error.message
    assert "connection refused" in ended.error.message


async def test_a_job_that_bears_no_silence_bears_a_judgement_without_a_number(
    stores: Stores,
) -> None:
    params = Params(parallelism=64, ignore_request_failure=False)
    job, _ = await stores.a_job_read(a_judged_job(params=params), rows=10, in_chunks_of=10)
    for sent in await stores.take():
        await keep(stores, sent, failed=[0])

    await stores.finalize()

    assert (await stores.jobs.job("default", job.name)).status is JobStatus.COMPLETED


# --- cost and usage -----------------------------------------------------------------------------


async def test_what_judging_costs_counts_to_the_budget(stores: Stores) -> None:
    params = Params(parallelism=8, budget=0.5)
    job, _ = await stores.a_job_read(a_judged_job(params=params), rows=100, in_chunks_of=100)
    first, second = await stores.take()

    await keep(stores, first, by_judge=an_asked_row(cost=0.5 / first.n_rows))
    spent = await stores.jobs.job("default", job.name)
    nothing_more = await stores.take()
    await keep(stores, second)
    ended = await stores.jobs.job("default", job.name)

    assert (spent.status, nothing_more) == (JobStatus.CANCELLING, [])
    assert ended.error is not None
    assert ended.error.code == "budget_spent"
    assert ended.error.message == "its calls cost 0.5, and its budget is 0.5"


async def test_answers_and_judgements_are_paid_out_of_one_budget(stores: Stores) -> None:
    params = Params(parallelism=8, budget=0.5)
    new = a_judged_job(params=params, live=("live",))
    job, _ = await stores.a_job_read(new, rows=100, in_chunks_of=100)
    first, second = await stores.take()
    of_half = an_asked_row(cost=0.125 / first.n_rows)

    await keep(stores, first, by_model=of_half, by_judge=of_half)
    within = await stores.jobs.job("default", job.name)
    await keep(stores, second, by_model=of_half, by_judge=of_half)
    beyond = await stores.jobs.job("default", job.name)

    assert within.status is JobStatus.ACTIVE
    assert beyond.status in (JobStatus.CANCELLING, JobStatus.ERROR)


async def test_usage_tells_apart_what_models_and_what_metrics_took(stores: Stores) -> None:
    benchmark = judged(models=("old", "live"))
    new = a_judged_job(benchmark=benchmark, live=("live",), judges=(JUDGE, OTHER_JUDGE))
    job, _ = await stores.a_job_read(new, rows=4, in_chunks_of=4)
    cached = Asked(is_cached=True, cost=0.0)
    for sent in await stores.take():
        scored = a_scored_chunk(
            sent,
            asked=[an_asked_row(seconds=2.0)] * 4 if sent.plan.model.name == "live" else [],
            asked_by_metrics=[[an_asked_row(calls=3, cost=0.5, seconds=9.0), cached]] * 4,
        )
        await stores.scores.keep(scored, samples_of(scored))

    before = await stores.jobs.job("default", job.name)
    await stores.finalize()
    result = await stores.results.result(GetResult(result=job.name))

    old, live = result.usage
    assert before.models == result.usage
    for by_metrics in (old.by_metrics, live.by_metrics):
        assert by_metrics.model_dump() == {
            "calls": 12,
            "retries": 8,
            "cache_hits": 4,
            "input_tokens": 40,
            "output_tokens": 20,
            "cost": 2.0,
        }
    assert (old.is_live, old.calls, old.cost, old.latency_p50) == (False, 0, None, None)
    assert (live.calls, live.retries, live.cache_hits, live.latency_p50) == (4, 0, 0, 2.0)
    assert live.cost == pytest.approx(0.04)


async def test_a_judge_without_a_price_has_no_cost_rather_than_none_at_all(stores: Stores) -> None:
    job, _ = await stores.a_job_read(a_judged_job(), rows=2)
    for sent in await stores.take():
        await keep(stores, sent, by_judge=an_asked_row(cost=None))

    (old,) = (await stores.jobs.job("default", job.name)).models

    assert (old.by_metrics.calls, old.by_metrics.cost) == (2, None)


async def test_a_row_tells_of_the_calls_of_its_model_and_then_of_its_judges(stores: Stores) -> None:
    job, _ = await stores.a_job_read(a_judged_job(live=("live",)), rows=1)
    (sent,) = await stores.take()
    by_model = an_asked_row(seconds=0.5).model_copy(update={"requests": ({"to": "model"},)})
    by_judge = an_asked_row(seconds=7.0).model_copy(update={"requests": ({"to": "judge"},)})
    await keep(stores, sent, by_model=by_model, by_judge=by_judge)

    (row,) = (await stores.rows.list(ListRows(job=job.name))).rows

    assert row.requests == ({"to": "model"}, {"to": "judge"})
    assert row.latency_seconds == 0.5


async def test_rows_over_which_a_judge_was_silent_failed_at_the_metric(stores: Stores) -> None:
    job, _ = await stores.a_job_read(a_judged_job(live=("live",)), rows=4, in_chunks_of=4)
    (sent,) = await stores.take()
    await keep(stores, sent, unanswered=[1, 2])

    (live,) = (await stores.jobs.job("default", job.name)).models

    assert (live.failed_rows, live.failed_by_stage.sample, live.failed_by_stage.metric) == (2, 0, 2)
