"""A scored chunk counts once, as a whole, and only for a job that still runs."""

import asyncio
import math
import random
from collections import Counter
from uuid import uuid4

import pytest

from evalbus.errors import Malformed, UnknownJob
from evalbus.store.ports import ChunkToSend
from evalbus_schemas.jobs import Job, JobStatus
from evalbus_schemas.queries import ListEvents
from tests.builders import (
    SAMPLE,
    a_benchmark,
    a_failed_row,
    a_new_job,
    a_scored_chunk,
    a_sign_of_life,
    a_stretch,
    an_item,
    an_unscored_row,
    samples_of,
)
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres


async def test_a_kept_chunk_counts_its_rows(stores: Stores) -> None:
    job, _ = await stores.a_job_read(a_new_job(), rows=5, in_chunks_of=3)
    (first, second) = await stores.take()

    kept = await stores.keep(first)
    last = await stores.keep(second)

    job = await stores.jobs.job("default", job.name)
    assert (kept.is_new, kept.is_last, kept.rows_done, kept.rows_total) == (True, False, 3, 5)
    assert (last.is_new, last.is_last, last.rows_done, last.rows_total) == (True, True, 5, 5)
    assert (job.rows, job.chunks, job.failed_rows) == (5, 2, 0)
    assert await stores.value("SELECT count(*) FROM score") == 5


async def test_a_chunk_that_comes_twice_counts_once(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(), rows=3)
    (sent,) = await stores.take()
    scored = a_scored_chunk(sent, scores=[[0.0, 0.5, 1.0]])
    await stores.scores.keep(scored, samples_of(scored))

    other = a_scored_chunk(sent, scores=[[9.0, 9.0, 9.0]])
    again = await stores.scores.keep(other, samples_of(other))

    assert not again.is_new
    assert await stores.value("SELECT array_agg(scores [1] ORDER BY row_index) FROM score") == [
        0.0,
        0.5,
        1.0,
    ]
    assert await consistent(stores)


async def test_a_chunk_that_comes_four_times_at_once_counts_once(stores: Stores) -> None:
    job, _ = await stores.a_job_read(a_new_job(), rows=60, in_chunks_of=6)
    taken = await stores.take()

    outcomes = await asyncio.gather(*(stores.keep(sent) for sent in [*taken] * 4))

    assert sum(kept.is_new for kept in outcomes) == 10
    assert sum(kept.is_last for kept in outcomes) == 1
    assert (await stores.jobs.job("default", job.name)).rows == 60
    assert await consistent(stores)


async def test_the_last_chunk_is_recognised_whatever_comes_first(stores: Stores) -> None:
    await stores.jobs.create(a_new_job())
    lease = await stores.add(await stores.claim(), a_stretch(n_rows=3))
    (sent,) = await stores.take()

    kept = await stores.keep(sent)
    whole_too_early = await stores.finalize()
    await stores.dispatch.finish_dataset(lease, 0)
    await stores.dispatch.finish(lease)

    assert not kept.is_last
    assert kept.rows_total is None
    assert whole_too_early is None
    assert await stores.finalize() is not None


async def test_reaching_the_end_and_the_last_chunk_at_once_make_the_job_whole(
    stores: Stores,
) -> None:
    for _ in range(20):
        await stores.jobs.create(a_new_job())
        lease = await stores.add(await stores.claim(), a_stretch(n_rows=3))
        await stores.dispatch.finish_dataset(lease, 0)
        (sent,) = await stores.take()

        await asyncio.gather(stores.keep(sent), stores.dispatch.finish(lease))

        assert await stores.finalize() is not None


async def test_nan_and_its_reason_are_kept_and_the_row_has_not_failed(stores: Stores) -> None:
    job, _ = await stores.a_job_read(a_new_job(), rows=3)
    (sent,) = await stores.take()
    scored = a_scored_chunk(sent, scores=[[1.0, None, 0.0]], errors=[an_unscored_row(1)])

    kept = await stores.scores.keep(scored, samples_of(scored))

    rows = await stores.all_rows(job)
    values = await stores.value("SELECT array_agg(scores [1] ORDER BY row_index) FROM score")
    assert kept.rows_failed == 0
    assert isinstance(values, list)
    assert math.isnan(values[1])
    assert [row.metrics["default/exact-match"][0].value for row in rows] == [1.0, None, 0.0]
    assert rows[1].metric_errors == {"default/exact-match": "no_reference: nothing to compare with"}
    assert not any(row.failed for row in rows)


async def test_failed_rows_are_counted_once_each_with_every_reason(stores: Stores) -> None:
    benchmark = a_benchmark(metrics=("a", "b"))
    job, _ = await stores.a_job_read(a_new_job(benchmark=benchmark), rows=3)
    (sent,) = await stores.take()
    scored = a_scored_chunk(
        sent,
        scores=[[None, None, 1.0], [None, None, 1.0]],
        errors=[
            a_failed_row(0, message="no answer"),
            a_failed_row(1, metric="a", message="nul \x00 inside"),
            a_failed_row(1, metric="b"),
        ],
    )

    kept = await stores.scores.keep(scored, samples_of(scored, b"{}"))

    rows = await stores.all_rows(job)
    assert kept.rows_failed == 2
    assert (await stores.jobs.job("default", job.name)).failed_rows == 2
    assert [row.failed for row in rows] == [True, True, False]
    assert rows[0].metric_errors == {"sample": "broken: no answer"}
    assert rows[1].metric_errors == {
        # Postgres cannot look into JSON with a NUL in it.
        "default/a": "broken: nul \ufffd inside",
        "default/b": "broken: it broke",
    }
    assert rows[2].metric_errors is None


async def test_samples_come_back_as_they_were(stores: Stores) -> None:
    job, _ = await stores.a_job_read(a_new_job(), rows=3)
    (sent,) = await stores.take()
    scored = a_scored_chunk(sent)
    samples = [
        b'{"output_text":"\\u0000 nul"}',
        '{"output_text":"日本 \u2028","n":1.5}'.encode(),
        b'{"output_text":"' + b"x" * (4 * 1024 * 1024) + b'"}',
    ]

    await stores.scores.keep(scored, samples)

    rows = await stores.all_rows(job)
    assert rows[0].sample == {"output_text": "\x00 nul"}
    assert rows[1].sample == {"output_text": "日本 \u2028", "n": 1.5}
    assert len(str(rows[2].sample["output_text"])) == 4 * 1024 * 1024


@pytest.mark.parametrize(
    "columns",
    [
        [],
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]],
        [[1.0, 1.0]],
        [[1.0, 1.0, 1.0, 1.0]],
    ],
    ids=["no column", "a column too many", "a value too few", "a value too many"],
)
async def test_scores_that_do_not_fit_are_malformed_and_nothing_is_stored(
    stores: Stores, columns: list[list[float]]
) -> None:
    await stores.a_job_read(a_new_job(), rows=3)
    (sent,) = await stores.take()
    scored = a_scored_chunk(sent).model_copy(update={"scores": tuple(map(tuple, columns))})

    with pytest.raises(Malformed):
        await stores.scores.keep(scored, samples_of(scored))

    assert await untouched(stores, sent)


@pytest.mark.parametrize(
    "samples",
    [
        [SAMPLE] * 2,
        [SAMPLE] * 4,
        [SAMPLE, b"", SAMPLE],
        [SAMPLE, b"[]", SAMPLE],
        [SAMPLE, b'{"a":', SAMPLE],
        [SAMPLE, b'{"a":1', b'"b":2}'],
        [SAMPLE, b'{"a":"\xff"}', SAMPLE],
        [SAMPLE, b'{"a":"\x00"}', SAMPLE],
        [SAMPLE, b'{"a":NaN}', SAMPLE],
    ],
)
async def test_samples_that_do_not_fit_are_malformed_and_nothing_is_stored(
    stores: Stores, samples: list[bytes]
) -> None:
    await stores.a_job_read(a_new_job(), rows=3)
    (sent,) = await stores.take()

    with pytest.raises(Malformed):
        await stores.scores.keep(a_scored_chunk(sent), samples)

    assert await untouched(stores, sent)


async def test_another_number_of_rows_or_an_error_beyond_them_is_malformed(
    stores: Stores,
) -> None:
    await stores.a_job_read(a_new_job(), rows=3)
    (sent,) = await stores.take()
    shorter = a_scored_chunk(sent, n_rows=2)
    longer = a_scored_chunk(sent, n_rows=4)
    beyond = a_scored_chunk(sent, errors=[a_failed_row(3)])

    for scored in (shorter, longer, beyond):
        with pytest.raises(Malformed):
            await stores.scores.keep(scored, samples_of(scored))

    assert await untouched(stores, sent)


async def test_a_chunk_of_an_unknown_job_is_unknown(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(), rows=3)
    (sent,) = await stores.take()
    scored = a_scored_chunk(sent).model_copy(update={"job_id": uuid4()})

    with pytest.raises(UnknownJob):
        await stores.scores.keep(scored, samples_of(scored))


@pytest.mark.parametrize("number", [1, 2**31, 2**63, 10**30])
async def test_a_chunk_that_its_job_does_not_have_is_unknown(stores: Stores, number: int) -> None:
    await stores.a_job_read(a_new_job(), rows=3)
    (sent,) = await stores.take()
    scored = a_scored_chunk(sent).model_copy(update={"chunk": number})

    with pytest.raises(UnknownJob):
        await stores.scores.keep(scored, samples_of(scored))

    assert await untouched(stores, sent)


async def test_nothing_is_kept_of_a_job_that_has_ended(stores: Stores) -> None:
    job, _ = await stores.a_job_read(a_new_job(), rows=6)
    first, second = await stores.take()
    await stores.keep(first)
    await stores.jobs.cancel("default", job.name)

    kept = await stores.keep(second)

    assert not kept.is_new
    assert (await stores.jobs.job("default", job.name)).rows == 3
    assert await stores.value("SELECT count(*) FROM score") == 3


async def test_ending_a_job_against_its_last_chunk_leaves_one_consistent_ending(
    stores: Stores,
) -> None:
    draw = random.Random(7)
    statuses = Counter[JobStatus]()
    for number in range(200):
        job, _ = await stores.a_job_read(a_new_job(name=f"job-{number}"), rows=3)
        (sent,) = await stores.take()

        async def keep_and_finalize(sent: ChunkToSend = sent) -> None:
            if (await stores.keep(sent)).is_last:
                await stores.finalize()

        async def end(job: Job = job, fails: bool = number % 2 == 0) -> None:
            # Somewhere between before the chunk and after the result.
            await asyncio.sleep(draw.uniform(0, 0.006))
            if fails:
                await stores.jobs.fail(job.job_id, code="broken", message="broken")
            else:
                await stores.jobs.cancel("default", job.name)

        await asyncio.gather(keep_and_finalize(), end())

        ended = await stores.jobs.job("default", job.name)
        n_results = await stores.value("SELECT count(*) FROM result WHERE name = $1", job.name)
        assert ended.is_terminal
        assert n_results == int(ended.status is JobStatus.COMPLETED)
        statuses[ended.status] += 1
    assert await consistent(stores)
    assert await endings_told(stores) == 200
    assert len(statuses) > 1, "neither side wins every time"


async def test_a_sign_of_life_is_noted_while_the_chunk_is_in_flight(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(), rows=6)
    first, second = await stores.take()
    await stores.keep(first)

    for sent in (first, second):
        await stores.scores.note_progress(a_sign_of_life(sent))

    assert await stores.value(
        "SELECT array_agg(chunk_no) FROM chunk WHERE heartbeat_at IS NOT NULL"
    ) == [second.chunk_no]


async def test_a_sign_of_life_of_what_nobody_knows_changes_nothing(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(), rows=3)
    (sent,) = await stores.take()

    for update in ({"job_id": uuid4()}, {"chunk": 7}, {"chunk": 2**40}):
        await stores.scores.note_progress(a_sign_of_life(sent).model_copy(update=update))

    assert await stores.value("SELECT count(*) FROM chunk WHERE heartbeat_at IS NOT NULL") == 0


async def test_a_row_over_the_size_limit_is_a_failed_row_with_an_empty_item(
    stores: Stores,
) -> None:
    job, _ = await stores.jobs.create(a_new_job())
    lease = await stores.add(await stores.claim(), a_stretch(rows=[("a", an_item(0)), ("b", b"")]))
    await stores.dispatch.finish_dataset(lease, 0)
    await stores.dispatch.finish(lease)
    (sent,) = await stores.take()
    scored = a_scored_chunk(sent, scores=[[1.0, None]], errors=[a_failed_row(1)])

    await stores.scores.keep(scored, [SAMPLE, b"{}"])

    rows = await stores.all_rows(job)
    assert [(row.item != {}, row.failed) for row in rows] == [(True, False), (False, True)]


async def untouched(stores: Stores, sent: ChunkToSend) -> bool:
    """Nothing is stored or counted, and the chunk can still be kept."""
    count = await stores.value("SELECT count(*) FROM score")
    counted = await stores.value("SELECT sum(rows_done + rows_failed + chunks_done) FROM job")
    return (count, counted) == (0, 0) and (await stores.keep(sent)).is_new


async def consistent(stores: Stores) -> bool:
    """Counters of every job equal the rows that are stored."""
    return bool(
        await stores.value(
            """
            SELECT bool_and(
                rows_done = (SELECT count(*) FROM score AS s WHERE s.job_no = j.job_no)
                AND chunks_done = (
                    SELECT count(*) FROM chunk AS c WHERE c.job_no = j.job_no AND c.status = 'done'
                )
            )
            FROM job AS j
            """
        )
    )


async def endings_told(stores: Stores) -> int:
    """How many jobs told that they ended; fails if one did twice."""
    await stores.events.next_unpublished(limit=1000)
    events = (await stores.events.list(ListEvents(limit=1000))).events
    ended = [event.event.job for event in events if not event.type.endswith("started.v1")]
    assert len(ended) == len(set(ended)), "a job ends once"
    return len(ended)
