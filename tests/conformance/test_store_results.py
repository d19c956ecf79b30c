"""A result is made exactly once from a whole job, and read back as it was made."""

import asyncio
from collections.abc import Sequence

import pytest

from evalbus.errors import Conflict, NotFound, OverLimit
from evalbus.results.aggregates import aggregate
from evalbus.store.ports import CountedMetric, ScoreColumn
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.jobs import JobStatus
from evalbus_schemas.queries import GetResult, ListResults, ResultSort
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
        await stores.results.result(GetResult(result="first"))


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

    def noting(
        benchmark: Benchmark, columns: Sequence[ScoreColumn], counted: Sequence[CountedMetric]
    ) -> Sequence[MetricResult]:
        seen.extend(columns)
        return aggregate(benchmark, columns, counted)

    await stores.finals.finalize_next(noting)

    assert [(c.dataset, c.model, c.metric, c.score) for c in seen] == [
        (f"default/{dataset}", f"default/{model}", f"default/{metric}", "exact-match")
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

    result = await stores.results.result(GetResult(result="first"))
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
    result = await stores.results.result(GetResult(result="wide"))
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


async def test_a_job_whose_result_cannot_be_made_ends_in_error_and_holds_up_nobody(
    stores: Stores,
) -> None:
    for name in ("broken", "sound"):
        await stores.a_job_read(a_new_job(name=name))
    await stores.score_all()

    def broken(*_: object) -> Sequence[MetricResult]:
        raise ArithmeticError("a bug")

    assert await stores.finals.finalize_next(broken) == "broken"

    ended = await stores.jobs.job("default", "broken")
    assert ended.error is not None
    assert (ended.status, ended.error.code) == (JobStatus.ERROR, "internal")
    assert await stores.finalize() == "sound"
    assert await stores.value("SELECT count(*) FROM result") == 1


async def test_statistics_come_back_bit_by_bit(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=5, in_chunks_of=5)
    (sent,) = await stores.take()
    values = [0.1, 1e-308, 1.7976931348623157e307, -0.0, 2 / 3]
    scored = a_scored_chunk(sent, scores=[values])
    await stores.scores.keep(scored, samples_of(scored))
    made: list[MetricResult] = []

    def noting(
        benchmark: Benchmark, columns: Sequence[ScoreColumn], counted: Sequence[CountedMetric]
    ) -> Sequence[MetricResult]:
        made.extend(aggregate(benchmark, columns, counted))
        return made

    await stores.finals.finalize_next(noting)

    result = await stores.results.result(GetResult(result="first"))
    assert list(result.results) == made
    assert repr(result.results) == repr(tuple(made))


async def test_results_are_listed_newest_first_page_after_page(stores: Stores) -> None:
    for number in range(5):
        await stores.a_completed_job(a_new_job(name=f"job-{number}"), rows=1)
    await stores.a_completed_job(a_new_job(name="elsewhere", workspace="other"), rows=1)

    pages = [
        await stores.results.list(ListResults(page=page, page_size=2)) for page in (1, 2, 3, 4)
    ]

    assert [[result.name for result in page.data] for page in pages] == [
        ["job-4", "job-3"],
        ["job-2", "job-1"],
        ["job-0"],
        [],
    ]
    assert [page.pagination.model_dump() for page in pages[1:3]] == [
        {
            "page": number,
            "page_size": 2,
            "current_page_size": size,
            "total_pages": 3,
            "total_results": 5,
        }
        for number, size in ((2, 2), (3, 1))
    ]
    assert pages[0].data[0] == await stores.results.result(GetResult(result="job-4"))


async def test_an_empty_list_has_no_page(stores: Stores) -> None:
    page = await stores.results.list(ListResults())

    assert page.data == ()
    assert (page.pagination.total_pages, page.pagination.total_results) == (0, 0)


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("created_at", ["b", "a", "c"]),
        ("-created_at", ["c", "a", "b"]),
        ("updated_at", ["b", "a", "c"]),
        ("-updated_at", ["c", "a", "b"]),
        ("name", ["a", "b", "c"]),
        ("-name", ["c", "b", "a"]),
    ],
)
async def test_results_are_sorted(stores: Stores, sort: ResultSort, names: list[str]) -> None:
    for name in ("b", "a", "c"):
        await stores.a_completed_job(a_new_job(name=name), rows=1)

    page = await stores.results.list(ListResults(sort=sort))

    assert [result.name for result in page.data] == names


async def test_no_page_repeats_a_result_that_was_made_in_the_same_moment(stores: Stores) -> None:
    for number in range(7):
        await stores.a_completed_job(a_new_job(name=f"job-{number}"), rows=1)
    await stores.value("UPDATE result SET created_at = '2026-01-01' RETURNING 1")

    names = [
        result.name
        for page in (1, 2, 3)
        for result in (await stores.results.list(ListResults(page=page, page_size=3))).data
    ]

    assert names == [f"job-{number}" for number in (6, 5, 4, 3, 2, 1, 0)]


async def test_only_the_fields_that_were_asked_for_are_told(stores: Stores) -> None:
    await stores.a_completed_job(a_new_job(name="first"))

    (result,) = (await stores.results.list(ListResults(aggregate_fields=("mean",)))).data

    (score,) = result.results[0].scores
    assert score.model_dump().keys() == {"name", "count", "mean"}


async def test_a_page_that_is_too_large_is_refused_with_what_helps(stores: Stores) -> None:
    benchmark = a_benchmark(
        models=[f"m{i}" for i in range(30)], metrics=[f"s{i}" for i in range(40)]
    )
    for number in range(4):
        new = a_new_job(name=f"job-{number}", benchmark=benchmark)
        await stores.a_completed_job(new, rows=1, in_chunks_of=1)

    with pytest.raises(OverLimit, match="page_size of 1"):
        await stores.results.list(ListResults())

    page = await stores.results.list(ListResults(page_size=1))
    means = await stores.results.list(ListResults(aggregate_fields=("mean",)))
    assert len(page.data) == 1
    assert len(means.data) == 4


@pytest.mark.parametrize("name", ["nobody", "a" * 63])
async def test_a_result_that_is_not_there_is_not_found(stores: Stores, name: str) -> None:
    with pytest.raises(NotFound):
        await stores.results.result(GetResult(result=name))


async def test_a_deleted_result_is_gone_and_never_made_again(stores: Stores) -> None:
    await stores.a_completed_job(a_new_job(name="first"))

    deleted = await stores.results.delete("default", "first")

    assert deleted.id == "default/first"
    assert (await stores.results.list(ListResults())).data == ()
    for gone in (
        stores.results.result(GetResult(result="first")),
        stores.results.delete("default", "first"),
    ):
        with pytest.raises(NotFound):
            await gone
    assert await stores.finalize() is None


async def test_a_result_outlives_its_job_and_the_rows_do_not(stores: Stores) -> None:
    job = await stores.a_completed_job(a_new_job(name="first"))
    before = await stores.results.result(GetResult(result="first"))

    await stores.jobs.delete("default", "first")
    while await stores.upkeep.reclaim(rows_max=4):
        pass

    assert await stores.results.result(GetResult(result="first")) == before
    with pytest.raises(NotFound):
        await stores.jobs.job("default", "first")
    for table in ("score", "item", "chunk"):
        assert await stores.value(f"SELECT count(*) FROM {table}") == 0
    with pytest.raises(Conflict, match="taken by a result"):
        await stores.jobs.create(a_new_job(name="first"))
    assert before.job_id == job.job_id


async def test_a_job_that_runs_is_not_deleted(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"))

    with pytest.raises(Conflict, match="cancel it"):
        await stores.jobs.delete("default", "first")


async def test_the_name_of_a_deleted_job_and_result_is_free_again(stores: Stores) -> None:
    await stores.a_completed_job(a_new_job(name="first"))
    await stores.jobs.delete("default", "first")
    await stores.results.delete("default", "first")

    again = await stores.a_completed_job(a_new_job(name="first"))

    assert (await stores.results.result(GetResult(result="first"))).job_id == again.job_id


async def test_a_late_chunk_of_a_deleted_job_changes_nothing(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=6, in_chunks_of=3)
    taken = await stores.take()
    for sent in taken:
        await stores.keep(sent)
    await stores.finalize()
    await stores.jobs.delete("default", "first")

    assert not (await stores.keep(taken[0])).is_new
