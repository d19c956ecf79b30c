"""What got stuck goes on, by the database's clock; what is no longer kept goes; what is needed next is prepared."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import pytest

from evalbus.store.ports import ChunkToSend
from evalbus_schemas.queries import ListEvents
from tests.builders import a_new_job, a_sign_of_life, a_stretch, an_event
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres


async def take_and_confirm(stores: Stores, *, most: int = 64) -> Sequence[ChunkToSend]:
    taken = await stores.take(most=most)
    await stores.dispatch.confirm(taken)
    return taken


async def sent_ago(stores: Stores, seconds: float) -> None:
    await stores.value(
        "UPDATE chunk SET sent_at = sent_at - $1::interval WHERE status = 'sent'",
        timedelta(seconds=seconds),
    )


async def test_a_chunk_without_a_sign_of_life_waits_for_a_place_again(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(), rows=6)
    (early,) = await take_and_confirm(stores, most=1)
    await sent_ago(stores, 301)
    (late,) = await take_and_confirm(stores, most=1)

    overdue = await stores.upkeep.overdue_to_pending(overdue_seconds=300)

    assert overdue == 1
    assert await stores.take() == [early]
    assert late.chunk_no != early.chunk_no


async def test_a_chunk_that_gave_a_sign_of_life_is_not_overdue(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(), rows=3)
    (sent,) = await take_and_confirm(stores)
    await sent_ago(stores, 1000)

    await stores.scores.note_progress(a_sign_of_life(sent))

    assert await stores.upkeep.overdue_to_pending(overdue_seconds=300) == 0


async def test_the_delay_doubles_with_each_sending_up_to_an_hour(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(), rows=3)

    for delay in (300, 600, 1200, 2400, 3600, 3600):
        await take_and_confirm(stores)
        await sent_ago(stores, delay - 60)
        assert await stores.upkeep.overdue_to_pending(overdue_seconds=300) == 0
        await sent_ago(stores, 61)
        assert await stores.upkeep.overdue_to_pending(overdue_seconds=300) == 1


async def test_a_chunk_that_was_sent_countless_times_does_not_stop_the_others(
    stores: Stores,
) -> None:
    await stores.a_job_read(a_new_job(), rows=6)
    await take_and_confirm(stores)
    await stores.value("UPDATE chunk SET sends = 2000 WHERE chunk_no = 0")
    await sent_ago(stores, 301)

    assert await stores.upkeep.overdue_to_pending(overdue_seconds=300) == 1


async def test_a_longer_limit_than_an_hour_is_respected(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(), rows=3)
    await take_and_confirm(stores)
    await sent_ago(stores, 7000)

    assert await stores.upkeep.overdue_to_pending(overdue_seconds=7200) == 0
    assert await stores.upkeep.overdue_to_pending(overdue_seconds=3600) == 1


async def test_chunks_of_a_job_that_has_ended_are_never_overdue(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=3)
    await take_and_confirm(stores)
    await sent_ago(stores, 1000)
    await stores.jobs.cancel("default", "first")

    assert await stores.upkeep.overdue_to_pending(overdue_seconds=300) == 0


async def test_an_overdue_chunk_that_comes_after_all_is_kept(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(), rows=3)
    (sent,) = await take_and_confirm(stores)
    await sent_ago(stores, 1000)
    await stores.upkeep.overdue_to_pending(overdue_seconds=300)

    kept = await stores.keep(sent)

    assert (kept.is_new, kept.is_last) == (True, True)
    assert await stores.take() == []


async def test_a_chunk_that_the_bus_never_confirmed_waits_for_less(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(), rows=9)
    confirmed, unconfirmed, alive = await stores.take()
    await stores.dispatch.confirm([confirmed])
    await stores.scores.note_progress(a_sign_of_life(alive))
    await sent_ago(stores, 20)
    early = await stores.upkeep.overdue_to_pending(overdue_seconds=300, unconfirmed_seconds=30)
    await sent_ago(stores, 11)

    late = await stores.upkeep.overdue_to_pending(overdue_seconds=300, unconfirmed_seconds=30)

    assert (early, late) == (0, 1)
    assert await stores.take() == [unconfirmed]


async def test_a_chunk_that_is_taken_again_must_be_confirmed_again(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(), rows=3)
    await stores.dispatch.confirm(await stores.take())
    await sent_ago(stores, 301)
    await stores.upkeep.overdue_to_pending(overdue_seconds=300)
    await stores.take()
    await sent_ago(stores, 91)

    assert await stores.upkeep.overdue_to_pending(overdue_seconds=300) == 1


async def test_confirming_changes_nothing_of_a_chunk_that_is_kept_or_given_back(
    stores: Stores,
) -> None:
    await stores.a_job_read(a_new_job(), rows=9)
    kept, given_back, in_flight = await stores.take()
    await stores.keep(kept)
    await stores.dispatch.give_back([given_back])

    await stores.dispatch.confirm([kept, given_back, in_flight])
    await stores.dispatch.confirm([])

    assert await stores.value("SELECT array_agg(chunk_no) FROM chunk WHERE is_confirmed") == [2]


async def test_everything_in_flight_waits_again_when_the_bus_lost_it(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(), rows=30)
    taken = await stores.take()
    await stores.keep(taken[0])

    assert await stores.upkeep.in_flight_to_pending() == 9
    assert await stores.upkeep.in_flight_to_pending() == 0
    assert await stores.take() == taken[1:]


async def test_a_freed_lease_is_claimed_at_once(stores: Stores) -> None:
    await stores.jobs.create(a_new_job())
    lease = await stores.add(await stores.claim(), a_stretch(n_rows=3))

    await stores.upkeep.free_leases()

    following = await stores.claim()
    assert (following.job_id, following.next_chunk) == (lease.job_id, 1)


async def test_published_events_are_forgotten_after_their_days(stores: Stores) -> None:
    for _ in range(3):
        await stores.events.add("rejected", an_event(), id=str(uuid4()))
    events = await stores.events.next_unpublished(limit=2)
    await stores.events.mark_published(events)
    await stores.value(
        "UPDATE event SET published_at = now() - interval '31 days' WHERE event_id = $1",
        events[0].id,
    )

    await stores.upkeep.forget(event_days=30, answer_days=30)

    kept = await stores.events.list(ListEvents())
    assert [event.id for event in kept.events] == [events[1].id]
    assert len(await stores.events.next_unpublished(limit=10)) == 1


async def test_open_chunks_of_ended_jobs_are_closed(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="ended"), rows=30)
    await stores.a_job_read(a_new_job(name="running"), rows=30)
    await stores.take(window=4, most=4)
    await stores.jobs.cancel("default", "ended")

    await stores.upkeep.forget(event_days=30, answer_days=30)

    assert await stores.value("SELECT count(*) FROM chunk WHERE status <> 'done'") == 10


@pytest.mark.parametrize("day", ["2031-01-31", "2031-12-01", "2032-02-29"])
async def test_a_partition_can_be_prepared_for_any_month_while_rows_are_written(
    stores: Stores, day: str
) -> None:
    await stores.jobs.create(a_new_job())
    lease = await stores.claim()
    async with stores.database.transaction() as connection:
        # Somebody reads and writes the parents all the while.
        await connection.fetch("SELECT FROM score JOIN item USING (job_no)")
        await connection.execute("INSERT INTO item SELECT month, job_no, 0, 0, 'a', '{}' FROM job")

        prepared = "SELECT evalbus_ensure_partition(date_trunc('month', $1::text::date)::date)"
        await stores.value(prepared, day)
        await stores.value(prepared, day)

    assert (
        await stores.value(
            "INSERT INTO item VALUES ($1::text::date, $2, 1, 1, 'a', '{}') RETURNING tableoid::regclass::text",
            day,
            lease.job_no,
        )
        == f"item_{day[:7].replace('-', '')}"
    )


async def test_this_month_and_the_next_are_always_prepared(stores: Stores) -> None:
    prepared = """
        SELECT count(*)
        FROM generate_series(now(), now() + interval '1 month', interval '1 month') AS at,
            unnest(ARRAY['item', 'score']) AS parent
        WHERE to_regclass(parent || to_char(at, '_YYYYMM')) IS NOT NULL
    """

    migrated = await stores.value(prepared)
    await stores.upkeep.forget(event_days=30, answer_days=30)

    assert (migrated, await stores.value(prepared)) == (4, 4)
