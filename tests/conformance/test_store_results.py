"""A result is made exactly once from a whole job, and read back as it was made."""

import asyncio
from collections.abc import Sequence

import pytest

from evalbus.errors import Invalid, NotFound
from evalbus.results.aggregates import aggregate
from evalbus.store.base import ScoreColumn
from evalbus_schemas.jobs import JobStatus
from evalbus_schemas.queries import ListResults
from evalbus_schemas.scores import MetricResult
from tests.builders import (
    a_benchmark,
    a_failed_row,
    a_new_job,
    a_scored_chunk,
    an_unscored_row,
    samples_of,
)
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres


async def test_there_is_no_result_before_every_row_is_stored(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=6)
    await stores.keep((await stores.take())[0])

    assert await stores.finalize() is None
    with pytest.raises(NotFound):
        await stores.results.result("default", "first")


async def test_a_whole_job_is_finalized_exactly_once_by_many_at_once(stores: Stores) -> None:
    for name in ("one", "two", "three"):
        await stores.a_job_read(a_new_job(name=name), rows=60, in_chunks_of=20)
    await stores.score_all()

    finalized = [
        name
        for _ in range(3)
        for name in await asyncio.gather(*(stores.finalize() for _ in range(5)))
        if name
    ]

    assert sorted(finalized) == ["one", "three", "two"]
    assert await stores.value("SELECT count(*) FROM result") == 3
    assert await stores.value("SELECT count(*) FROM event WHERE type LIKE '%.completed.v1'") == 3


async def test_columns_are_every_score_of_every_pair_in_row_order(stores: Stores) -> None:
    benchmark = a_benchmark(datasets=("one", "two"), models=("small", "large"), metrics=("a", "b"))
    await stores.a_job_read(a_new_job(benchmark=benchmark), rows=7, in_chunks_of=3)
    for sent in reversed(await stores.take()):
        offset = 100 * (sent.dataset == "two") + 1000 * (sent.plan.model.name == "large")
        indices = range(sent.first_row, sent.first_row + sent.n_rows)
        scored = a_scored_chunk(
            sent, scores=[[float(offset + i) for i in indices], [-float(i) for i in indices]]
        )
        await stores.scores.keep(scored, samples_of(scored))
    seen: list[ScoreColumn] = []

    def noting(columns: Sequence[ScoreColumn]) -> Sequence[MetricResult]:
        seen.extend(columns)
        return aggregate(columns)

    await stores.results.finalize_next(noting)

    assert [(c.dataset, c.model, c.metric, c.score) for c in seen] == [
        (f"default/{dataset}", f"default/{model}", f"default/{metric}", metric)
        for dataset in ("one", "two")
        for model in ("small", "large")
        for metric in ("a", "b")
    ]
    assert [list(column.values) for column in seen[::2]] == [
        [float(offset + i) for i in range(7)] for offset in (0, 1000, 100, 1100)
    ]
    assert list(seen[1].values) == [-float(i) for i in range(7)]


async def test_a_result_says_what_its_rows_say(stores: Stores) -> None:
    new = a_new_job(name="first", labels={"team": "a"})
    job, _ = await stores.a_job_read(new, rows=5, in_chunks_of=5)
    (sent,) = await stores.take()
    scored = a_scored_chunk(
        sent,
        scores=[[1.0, 0.0, None, 1.0, None]],
        errors=[an_unscored_row(2), a_failed_row(4)],
    )
    await stores.scores.keep(scored, samples_of(scored))

    await stores.finalize()

    result = await stores.results.result("default", "first")
    (line,) = result.results
    (score,) = line.scores
    done = await stores.jobs.job("default", "first")
    assert (line.dataset, line.model, line.metric) == (
        "default/capitals",
        "default/baseline",
        "default/exact-match",
    )
    assert (score.name, score.count, score.nan_count, score.n_rows, score.n_failed) == (
        "exact-match",
        3,
        2,
        5,
        1,
    )
    assert (score.sum, score.mean, score.min, score.max) == (2.0, 2 / 3, 0.0, 1.0)
    assert (result.job_id, result.benchmark, result.labels) == (
        job.job_id,
        "default/capitals",
        {"team": "a"},
    )
    assert (result.datasets, result.models, result.metrics) == (
        ("default/capitals",),
        ("default/baseline",),
        ("default/exact-match",),
    )
    assert (result.rows, result.failed_rows) == (5, 1)
    assert done.status is JobStatus.COMPLETED
    assert result.finished_at == done.finished_at


async def test_the_completed_event_comes_with_the_result(stores: Stores) -> None:
    await stores.a_completed_job(a_new_job(name="first", correlation_id="asked"))

    events = await stores.events.next_unpublished(limit=10)

    completed = events[-1].body
    assert events[-1].type == "evalbus.benchmark.completed.v1"
    assert events[-1].routing_key == "benchmark.completed.default"
    assert (completed.job, completed.status) == ("first", JobStatus.COMPLETED)
    assert (completed.rows, completed.failed_rows, completed.correlation_id) == (6, 0, "asked")
    assert [(line.metric, line.mean, line.count) for line in completed.results] == [
        ("default/exact-match", 1.0, 6)
    ]
    assert not completed.results_truncated


async def test_an_event_bears_two_hundred_lines_of_a_larger_result(stores: Stores) -> None:
    benchmark = a_benchmark(
        datasets=[f"d{i}" for i in range(11)],
        models=[f"m{i}" for i in range(5)],
        metrics=[f"s{i}" for i in range(4)],
    )

    await stores.a_completed_job(a_new_job(name="wide", benchmark=benchmark), rows=1)

    completed = (await stores.events.next_unpublished(limit=10))[-1].body
    result = await stores.results.result("default", "wide")
    assert (len(completed.results), completed.results_truncated) == (200, True)
    assert len(result.results) == 220
    assert [(line.dataset, line.model, line.metric) for line in result.results] == [
        (f"default/d{d}", f"default/m{m}", f"default/s{s}")
        for d in range(11)
        for m in range(5)
        for s in range(4)
    ]


async def test_a_job_with_more_failed_rows_than_it_bears_ends_in_error(stores: Stores) -> None:
    statuses: list[JobStatus] = []
    for name, n_failed in (("at the limit", 2), ("beyond it", 3)):
        new = a_new_job(name=name.replace(" ", "-"), benchmark=a_benchmark(max_row_error_ratio=0.2))
        job, _ = await stores.a_job_read(new, rows=10, in_chunks_of=10)
        (sent,) = await stores.take()
        scored = a_scored_chunk(sent, errors=[a_failed_row(row) for row in range(n_failed)])
        await stores.scores.keep(scored, samples_of(scored))

        assert await stores.finalize() == job.name

        statuses.append((await stores.jobs.job("default", job.name)).status)

    ended = await stores.jobs.job("default", "beyond-it")
    events = await stores.events.next_unpublished(limit=10)
    assert statuses == [JobStatus.COMPLETED, JobStatus.ERROR]
    assert ended.error is not None
    assert ended.error.code == "too_many_failed_rows"
    assert "3 of 10 rows failed" in ended.error.message
    assert events[-1].type == "evalbus.benchmark.failed.v1"
    assert await stores.value("SELECT count(*) FROM result") == 1


async def test_a_finalizer_that_fails_leaves_the_job_to_the_next(stores: Stores) -> None:
    job, _ = await stores.a_job_read(a_new_job(name="first"))
    await stores.score_all()

    def broken(_columns: Sequence[ScoreColumn]) -> Sequence[MetricResult]:
        raise ArithmeticError("a bug")

    with pytest.raises(ArithmeticError):
        await stores.results.finalize_next(broken)

    assert (await stores.jobs.job("default", job.name)).status is JobStatus.ACTIVE
    assert await stores.finalize() == "first"


async def test_statistics_come_back_bit_by_bit(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=5, in_chunks_of=5)
    (sent,) = await stores.take()
    values = [0.1, 1e-308, 1.7976931348623157e308, -0.0, 2 / 3]
    scored = a_scored_chunk(sent, scores=[values])
    await stores.scores.keep(scored, samples_of(scored))
    made: list[MetricResult] = []

    def noting(columns: Sequence[ScoreColumn]) -> Sequence[MetricResult]:
        made.extend(aggregate(columns))
        return made

    await stores.results.finalize_next(noting)

    result = await stores.results.result("default", "first")
    assert list(result.results) == made
    assert repr(result.results) == repr(tuple(made))


async def test_results_are_listed_newest_first_page_after_page(stores: Stores) -> None:
    for number in range(5):
        await stores.a_completed_job(a_new_job(name=f"job-{number}"), rows=1)
    await stores.a_completed_job(a_new_job(name="elsewhere", workspace="other"), rows=1)

    first = await stores.results.list(ListResults(limit=2))
    second = await stores.results.list(ListResults(limit=2, after=first.next))
    third = await stores.results.list(ListResults(limit=2, after=second.next))

    assert [[result.name for result in page.results] for page in (first, second, third)] == [
        ["job-4", "job-3"],
        ["job-2", "job-1"],
        ["job-0"],
    ]
    assert third.next is None
    assert first.results[0] == await stores.results.result("default", "job-4")


async def test_results_are_listed_by_benchmark(stores: Stores) -> None:
    for benchmark in ("capitals", "rivers"):
        await stores.a_completed_job(
            a_new_job(name=f"of-{benchmark}", benchmark=a_benchmark(name=benchmark)), rows=1
        )

    page = await stores.results.list(ListResults(benchmark="default/rivers"))

    assert [result.name for result in page.results] == ["of-rivers"]


async def test_a_page_of_results_is_at_most_a_mebibyte(stores: Stores) -> None:
    benchmark = a_benchmark(
        models=[f"m{i}" for i in range(40)], metrics=[f"s{i}" for i in range(40)]
    )
    for number in range(4):
        new = a_new_job(name=f"job-{number}", benchmark=benchmark)
        await stores.a_completed_job(new, rows=1, in_chunks_of=1)

    names: list[str] = []
    after: str | None = None
    while True:
        page = await stores.results.list(ListResults(after=after))
        assert len(page.results) == 1 or len(page.model_dump_json()) <= 1_100_000
        names += [result.name for result in page.results]
        if (after := page.next) is None:
            break

    assert names == ["job-3", "job-2", "job-1", "job-0"]


@pytest.mark.parametrize("cursor", ["", "x", "1.2", "9" * 30])
async def test_a_cursor_that_is_none_is_invalid(stores: Stores, cursor: str) -> None:
    with pytest.raises(Invalid, match="no cursor"):
        await stores.results.list(ListResults(after=cursor))


@pytest.mark.parametrize("name", ["nobody", "with\x00nul"])
async def test_a_result_that_is_not_there_is_not_found(stores: Stores, name: str) -> None:
    with pytest.raises(NotFound):
        await stores.results.result("default", name)
