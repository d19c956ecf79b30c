"""One holder reads a job, what it stores is complete or absent, and the window is filled fairly."""

import asyncio
from collections import Counter

import pytest

from evalbus.store.ports import ChunkToSend, Lease, LeaseLost
from evalbus_schemas.jobs import JobStatus
from evalbus_schemas.queries import GetResult
from tests.builders import a_benchmark, a_new_job, a_stretch, an_item, as_json, stretches
from tests.servers.versions import on_each_postgres
from tests.stores import LEASE_SECONDS, Stores

pytestmark = on_each_postgres


# --- leases -------------------------------------------------------------------------------------


async def test_nothing_is_claimed_when_no_job_waits(stores: Stores) -> None:
    assert await stores.dispatch.claim(lease_seconds=30) is None


async def test_the_oldest_job_is_claimed_first_and_is_pending_until_it_is_sent(
    stores: Stores,
) -> None:
    oldest, _ = await stores.jobs.create(a_new_job(name="oldest"))
    newest, _ = await stores.jobs.create(a_new_job(name="newest"))

    leases = [await stores.claim(), await stores.claim()]

    job = await stores.jobs.job("default", "oldest")
    assert [lease.job_id for lease in leases] == [oldest.job_id, newest.job_id]
    assert job.status is JobStatus.PENDING
    assert job.started_at is not None
    assert await stores.dispatch.claim(lease_seconds=30) is None


async def test_a_lease_carries_the_frozen_job(stores: Stores) -> None:
    new = a_new_job(benchmark=a_benchmark(datasets=("one", "two")))
    job, _ = await stores.jobs.create(new)

    lease = await stores.claim()

    assert (lease.job_id, lease.next_chunk) == (job.job_id, 0)
    assert (lease.benchmark, lease.limits) == (new.benchmark, new.limits)
    assert [(d.fingerprint, d.position, d.n_rows, d.is_read) for d in lease.datasets] == [
        ("of one", None, 0, False),
        ("of two", None, 0, False),
    ]


async def test_many_claimers_at_once_get_different_jobs(stores: Stores) -> None:
    for _ in range(5):
        await stores.jobs.create(a_new_job())

    claimed = await asyncio.gather(*(stores.dispatch.claim(lease_seconds=30) for _ in range(10)))

    leases = [lease for lease in claimed if lease]
    assert len(leases) <= 5
    assert len({lease.job_id for lease in leases}) == len(leases)


async def test_starting_is_told_once_however_often_a_job_is_claimed(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="first"))

    await stores.dispatch.release(await stores.claim())
    await stores.dispatch.release(await stores.claim())

    events = await stores.events.next_unpublished(limit=10)
    assert [(event.type, event.body.job) for event in events] == [
        ("evalbus.benchmark.started.v1", "first")
    ]
    assert events[0].body.status is JobStatus.PENDING


async def test_a_released_job_is_claimed_at_once_and_goes_on_where_it_was(stores: Stores) -> None:
    await stores.jobs.create(a_new_job())
    lease = await stores.add(await stores.claim(), a_stretch(n_rows=3), position="behind row 2")

    await stores.dispatch.release(lease)
    following = await stores.claim()

    assert following.job_id == lease.job_id
    assert following.token != lease.token
    assert following.next_chunk == 1
    assert (following.datasets[0].n_rows, following.datasets[0].position) == (3, "behind row 2")


async def test_an_expired_lease_is_taken_over_and_its_old_holder_writes_nothing(
    stores: Stores,
) -> None:
    await stores.jobs.create(a_new_job())
    old = await stores.claim(lease_seconds=0)
    new = await stores.add(await stores.claim(), a_stretch(n_rows=3))
    before = await stored(stores)

    with pytest.raises(LeaseLost):
        await stores.dispatch.renew(old, lease_seconds=30)
    with pytest.raises(LeaseLost):
        await stores.add(old, a_stretch(n_rows=3))
    with pytest.raises(LeaseLost):
        await stores.add(old, a_stretch(first_row=3, n_rows=5), position="elsewhere")
    with pytest.raises(LeaseLost):
        await stores.dispatch.finish_dataset(old, 0)
    with pytest.raises(LeaseLost):
        await stores.dispatch.finish(old)
    await stores.dispatch.release(old)

    assert await stored(stores) == before
    await stores.dispatch.renew(new, lease_seconds=30)


async def test_two_holders_that_add_the_same_rows_at_once_store_them_once(stores: Stores) -> None:
    await stores.jobs.create(a_new_job())
    old = await stores.claim(lease_seconds=0)
    new = await stores.claim()

    outcomes = await asyncio.gather(
        *(
            stores.add(lease, *stretches(of_rows=500, in_chunks_of=100))
            for lease in (old, new, old, new)
        ),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, Lease) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, LeaseLost) for outcome in outcomes) == 3
    assert await stores.value("SELECT count(*) FROM item") == 500
    assert await stores.value("SELECT count(*) FROM chunk") == 5


async def test_the_lease_of_a_job_that_has_ended_is_lost(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="first"))
    lease = await stores.claim()
    await stores.jobs.cancel("default", "first")

    with pytest.raises(LeaseLost):
        await stores.dispatch.renew(lease, lease_seconds=30)
    with pytest.raises(LeaseLost):
        await stores.add(lease, a_stretch())
    with pytest.raises(LeaseLost):
        await stores.dispatch.finish(lease)

    assert await stores.value("SELECT count(*) FROM item") == 0
    assert await stores.dispatch.claim(lease_seconds=30) is None


async def test_a_renewed_lease_is_not_taken_over(stores: Stores) -> None:
    await stores.jobs.create(a_new_job())
    lease = await stores.claim(lease_seconds=0)

    await stores.dispatch.renew(lease, lease_seconds=30)

    assert await stores.dispatch.claim(lease_seconds=30) is None


async def test_a_job_that_is_read_is_not_claimed_again(stores: Stores) -> None:
    _, lease = await stores.a_job_read(a_new_job())

    assert await stores.dispatch.claim(lease_seconds=30) is None
    with pytest.raises(LeaseLost):
        await stores.dispatch.renew(lease, lease_seconds=30)


# --- rows ---------------------------------------------------------------------------------------


async def test_every_stretch_becomes_one_chunk_for_each_model(stores: Stores) -> None:
    benchmark = a_benchmark(models=("small", "large"))
    await stores.jobs.create(a_new_job(benchmark=benchmark))

    lease = await stores.add(await stores.claim(), *stretches(of_rows=5, in_chunks_of=3))

    taken = await stores.take()
    assert lease.next_chunk == 4
    assert [(c.chunk_no, c.plan.model.name, c.first_row, c.n_rows) for c in taken] == [
        (0, "small", 0, 3),
        (1, "large", 0, 3),
        (2, "small", 3, 2),
        (3, "large", 3, 2),
    ]
    assert taken[0].plan.metrics == benchmark.metrics
    assert taken[0].lines == taken[1].lines == b"\n".join(an_item(i) for i in range(3))


async def test_items_come_back_byte_for_byte(stores: Stores) -> None:
    items = [
        b'{"a": 1.50, "b" :"\\u0000\\ud83d\\ude00 \\/"}',
        '{"ä":"日本 \u2028 \u00a0"}'.encode(),
        b'{"backslash":"\\\\N","tab":"\\t","quote":"\\""}',
        b"{}",
        b"",
        b'{"a":null}',
    ]
    await stores.jobs.create(a_new_job())
    rows = [(f"row-{i}", item) for i, item in enumerate(items)]

    await stores.add(await stores.claim(), a_stretch(rows=rows))

    (chunk,) = await stores.take()
    assert chunk.lines == b"\n".join(items)


async def test_a_stretch_of_huge_rows_comes_back(stores: Stores) -> None:
    items = [b'{"text":"' + b"x" * (4 * 1024 * 1024 - 20) + b'"}' for _ in range(4)]
    await stores.jobs.create(a_new_job())

    await stores.add(
        await stores.claim(), a_stretch(rows=[(f"row-{i}", item) for i, item in enumerate(items)])
    )

    (chunk,) = await stores.take()
    assert chunk.lines == b"\n".join(items)


async def test_a_chunk_of_rows_over_the_size_limit_has_as_many_empty_lines(stores: Stores) -> None:
    await stores.jobs.create(a_new_job())

    await stores.add(await stores.claim(), a_stretch(rows=[("a", b""), ("b", b"")]))

    (chunk,) = await stores.take()
    assert chunk.lines == b"\n"


async def test_rows_with_the_same_id_get_their_ordinal(stores: Stores) -> None:
    job, _ = await stores.jobs.create(a_new_job())
    lease = await stores.claim()
    ids = ["a", "b", "a", "c", "a", "b"]
    for first in (0, 3):
        rows = [(row_id, an_item(0)) for row_id in ids[first : first + 3]]
        lease = await stores.add(lease, a_stretch(first_row=first, rows=rows))

    await stores.dispatch.finish_dataset(lease, 0)
    await stores.dispatch.finish_dataset(lease, 0)

    await stores.dispatch.finish(lease)
    await stores.score_all()
    rows_found = await stores.all_rows(job)
    assert [row.row_id for row in rows_found] == ["a", "b", "a-2", "c", "a-3", "b-2"]


async def test_an_ordinal_never_makes_an_id_that_another_row_was_given(stores: Stores) -> None:
    job, _ = await stores.jobs.create(a_new_job())
    rows = [(row_id, an_item(0)) for row_id in ("a", "a", "a-2", "a-2-2")]
    lease = await stores.add(await stores.claim(), a_stretch(rows=rows))

    await stores.dispatch.finish_dataset(lease, 0)

    await stores.dispatch.finish(lease)
    await stores.score_all()
    found = [row.row_id for row in await stores.all_rows(job)]
    assert len(set(found)) == 4
    assert found[0] == "a"


async def test_a_dataset_that_is_read_stays_so_for_the_next_holder(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(benchmark=a_benchmark(datasets=("one", "two"))))
    lease = await stores.add(await stores.claim(), a_stretch(n_rows=3))
    await stores.dispatch.finish_dataset(lease, 0)

    await stores.dispatch.release(lease)
    following = await stores.claim()

    assert [(d.n_rows, d.is_read) for d in following.datasets] == [(3, True), (0, False)]


async def test_totals_are_known_when_every_dataset_is_read(stores: Stores) -> None:
    benchmark = a_benchmark(datasets=("one", "two"), models=("small", "large"))

    job, _ = await stores.a_job_read(a_new_job(benchmark=benchmark), rows=5, in_chunks_of=2)

    read = await stores.jobs.job("default", job.name)
    assert (read.rows_total, read.chunks_total) == (20, 12)


async def test_a_job_without_a_row_is_whole_at_once(stores: Stores) -> None:
    job, _ = await stores.a_job_read(a_new_job(name="empty"), rows=0)

    assert await stores.finalize() == "empty"

    done = await stores.jobs.job("default", job.name)
    result = await stores.results.result(GetResult(result="empty"))
    assert done.status is JobStatus.COMPLETED
    assert (done.rows, done.rows_total) == (0, 0)
    assert (result.results[0].scores[0].count, result.results[0].scores[0].mean) == (0, None)


# --- the window ---------------------------------------------------------------------------------


async def test_a_lone_job_may_fill_the_whole_window(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(), rows=100, in_chunks_of=1)

    first = await stores.take(window=8, most=100)
    second = await stores.take(window=8, most=100)
    await stores.keep(first[0])
    third = await stores.take(window=8, most=100)

    assert [chunk.chunk_no for chunk in first] == list(range(8))
    assert second == []
    assert [chunk.chunk_no for chunk in third] == [8]


async def test_no_more_is_taken_than_asked_for(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(), rows=20, in_chunks_of=1)

    assert [len(await stores.take(window=16, most=5)) for _ in range(5)] == [5, 5, 5, 1, 0]


async def test_the_window_is_shared_equally_by_workspaces_then_jobs(stores: Stores) -> None:
    for name, workspace in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        await stores.a_job_read(a_new_job(name=name, workspace=workspace), rows=50, in_chunks_of=1)

    taken = await stores.take(window=16, most=16)

    assert Counter(chunk.job for chunk in taken) == {"a1": 4, "a2": 4, "b1": 8}


async def test_a_small_job_behind_a_large_one_gets_its_place_at_once(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="large"), rows=100, in_chunks_of=1)
    await stores.take(window=8, most=8)
    await stores.a_job_read(a_new_job(name="small"), rows=3, in_chunks_of=1)

    taken = await stores.take(window=8, most=8)

    # The window is full, and yet nobody has fewer than one.
    assert [chunk.job for chunk in taken] == ["small"]


async def test_chunks_of_a_job_that_has_ended_are_never_taken(stores: Stores) -> None:
    cancelled, _ = await stores.a_job_read(a_new_job(name="cancelled"))
    failed, _ = await stores.a_job_read(a_new_job(name="failed"))
    await stores.jobs.cancel("default", cancelled.name)
    await stores.jobs.fail(failed.job_id, code="broken", message="broken")

    assert await stores.take() == []


async def test_chunks_of_an_ended_job_take_no_place_in_the_window(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="cancelled"), rows=20, in_chunks_of=1)
    await stores.take(window=8, most=8)
    await stores.jobs.cancel("default", "cancelled")
    await stores.a_job_read(a_new_job(name="next"), rows=20, in_chunks_of=1)

    taken = await stores.take(window=8, most=8)

    assert Counter(chunk.job for chunk in taken) == {"next": 8}


async def test_takers_at_once_never_take_the_same_chunk(stores: Stores) -> None:
    for name in ("one", "two"):
        await stores.a_job_read(a_new_job(name=name), rows=100, in_chunks_of=1)

    batches = await asyncio.gather(*(stores.take(window=64, most=7) for _ in range(10)))

    taken = [(chunk.job, chunk.chunk_no) for batch in batches for chunk in batch]
    assert len(taken) == len(set(taken)) == 64


async def test_what_is_given_back_is_taken_again(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(), rows=4, in_chunks_of=1)
    taken = await stores.take(window=4, most=4)

    await stores.dispatch.give_back(taken[1:3])
    await stores.dispatch.give_back(taken[1:3])

    again = await stores.take(window=4, most=4)
    assert again == taken[1:3]


async def test_a_chunk_that_is_kept_cannot_be_given_back(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(), rows=2, in_chunks_of=1)
    taken = await stores.take()
    await stores.keep(taken[0])

    await stores.dispatch.give_back(taken)

    assert [chunk.chunk_no for chunk in await stores.take()] == [1]


async def test_giving_back_in_any_order_at_once_ends(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(), rows=64, in_chunks_of=1)
    taken = list(await stores.take())

    await asyncio.gather(
        *(stores.dispatch.give_back(part) for part in [taken, taken[::-1]] * 10),
        *(stores.upkeep.in_flight_to_pending() for _ in range(10)),
    )

    assert len(await stores.take()) == 64


async def test_waiting_chunks_are_counted(stores: Stores) -> None:
    _, lease = await stores.a_job_read(a_new_job(), rows=10, in_chunks_of=1)

    before = await stores.dispatch.waiting(lease)
    await stores.take(window=4, most=4)

    assert (before, await stores.dispatch.waiting(lease)) == (10, 6)


async def test_a_taken_chunk_carries_all_that_its_message_needs(stores: Stores) -> None:
    new = a_new_job(name="first", workspace="team", benchmark=a_benchmark(datasets=("one", "two")))
    job, _ = await stores.a_job_read(new, rows=2, in_chunks_of=2)

    chunk = (await stores.take())[1]

    assert isinstance(chunk, ChunkToSend)
    assert (chunk.job_id, chunk.job, chunk.workspace) == (job.job_id, "first", "team")
    assert (chunk.dataset, chunk.first_row, chunk.n_rows) == ("two", 0, 2)
    assert chunk.limits == new.limits
    assert [as_json(line)["id"] for line in chunk.lines.split(b"\n")] == [0, 1]


async def test_rows_are_dispatched_while_others_are_still_read(stores: Stores) -> None:
    await stores.jobs.create(a_new_job())
    lease = await stores.add(await stores.claim(), a_stretch(n_rows=3))

    (first,) = await stores.take()
    await stores.keep(first)
    await stores.dispatch.add(
        lease, [a_stretch(first_row=3)], position="", lease_seconds=LEASE_SECONDS
    )

    assert [chunk.first_row for chunk in await stores.take()] == [3]


async def stored(stores: Stores) -> tuple[object, ...]:
    """Everything that a holder may write."""
    return (
        await stores.value("SELECT count(*) FROM item"),
        await stores.value("SELECT count(*) FROM chunk"),
        await stores.value("SELECT string_agg(d::text, ';') FROM job_dataset AS d"),
        await stores.value("SELECT string_agg(j::text, ';') FROM job AS j"),
    )
