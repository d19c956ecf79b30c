"""Lifecycle events: numbered in the order in which they become visible, published at least once, listed afterwards."""

import asyncio
from uuid import uuid4

from evalbus_schemas.queries import ListEvents
from tests.builders import a_new_job, an_event
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres


async def add(stores: Stores, *, count: int = 1, workspace: str = "default") -> None:
    for _ in range(count):
        await stores.events.add("rejected", an_event(workspace=workspace), id=str(uuid4()))


async def test_an_event_is_published_as_it_was_added(stores: Stores) -> None:
    given_id = uuid4()
    added = an_event(workspace="team", labels={"a": "b"})

    await stores.events.add("rejected", added, id=str(given_id))

    (event,) = await stores.events.next_unpublished(limit=10)
    assert (event.id, event.type) == (given_id, "evalbus.benchmark.rejected.v1")
    assert event.routing_key == "benchmark.rejected.team"
    assert event.body == added.model_copy(update={"sequence": event.body.sequence})
    assert event.body.sequence > 0


async def test_the_same_id_is_the_same_event(stores: Stores) -> None:
    given_id = str(uuid4())

    await asyncio.gather(
        *(stores.events.add("rejected", an_event(), id=given_id) for _ in range(10))
    )

    assert len(await stores.events.next_unpublished(limit=10)) == 1


async def test_events_come_in_order_and_keep_their_sequence_when_asked_for_again(
    stores: Stores,
) -> None:
    await add(stores, count=5)

    first = await stores.events.next_unpublished(limit=3)
    again = await stores.events.next_unpublished(limit=3)
    every = await stores.events.next_unpublished(limit=10)

    sequences = [event.body.sequence for event in every]
    assert first == again == every[:3]
    assert sequences == sorted(set(sequences))
    assert len(sequences) == 5


async def test_a_published_event_is_not_published_again(stores: Stores) -> None:
    await add(stores, count=3)
    events = await stores.events.next_unpublished(limit=2)

    await stores.events.mark_published(events)
    await stores.events.mark_published(events)

    (left,) = await stores.events.next_unpublished(limit=10)
    assert left.body.sequence > events[-1].body.sequence
    await stores.events.mark_published([])


async def test_relays_at_once_give_every_event_one_sequence(stores: Stores) -> None:
    await add(stores, count=20)

    batches = await asyncio.gather(
        *(stores.events.next_unpublished(limit=20) for _ in range(5)),
        *(add(stores) for _ in range(5)),
    )

    sequences = {(e.id, e.body.sequence) for batch in batches if batch for e in batch}
    assert len({event_id for event_id, _ in sequences}) == len({number for _, number in sequences})
    assert len(await stores.events.next_unpublished(limit=100)) == 25


async def test_whoever_was_away_asks_for_what_came_after(stores: Stores) -> None:
    await add(stores, count=5)
    published = await stores.events.next_unpublished(limit=10)
    await stores.events.mark_published(published)
    seen = published[1].body.sequence

    page = await stores.events.list(ListEvents(after=seen, limit=2))

    assert [event.id for event in page.events] == [event.id for event in published[2:4]]
    assert [event.event.sequence for event in page.events] == [
        event.body.sequence for event in published[2:4]
    ]


async def test_events_are_listed_by_workspace(stores: Stores) -> None:
    await add(stores, workspace="one")
    await add(stores, workspace="other")
    await stores.events.next_unpublished(limit=10)

    ours = await stores.events.list(ListEvents(workspace="one"))
    every = await stores.events.list(ListEvents())

    assert [event.event.workspace for event in ours.events] == ["one"]
    assert len(every.events) == 2


async def test_nothing_comes_after_a_number_that_no_event_has(stores: Stores) -> None:
    await add(stores)
    await stores.events.next_unpublished(limit=10)

    assert (await stores.events.list(ListEvents(after=10**30))).events == ()


async def test_an_event_that_was_numbered_late_does_not_come_before_an_earlier_number(
    stores: Stores,
) -> None:
    # The first of two events commits after the second was numbered.
    async with stores.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO event (event_id, type, workspace, routing_key, body)"
            " VALUES (gen_random_uuid(), 'slow', 'default', 'benchmark.slow.default', $1)",
            an_event().model_dump_json(),
        )
        await add(stores)
        (quick,) = await stores.events.next_unpublished(limit=10)

    following = await stores.events.next_unpublished(limit=10)

    assert [event.type for event in following] == [quick.type, "slow"]
    assert following[0].body.sequence < following[1].body.sequence


async def test_a_page_of_events_is_at_most_a_mebibyte(stores: Stores) -> None:
    labels = {f"label-{i:02}": "x" * 255 for i in range(32)}
    for _ in range(150):
        await stores.events.add("rejected", an_event(labels=labels), id=str(uuid4()))
    await stores.events.next_unpublished(limit=1000)

    found: list[int] = []
    while (page := await stores.events.list(ListEvents(after=max(found, default=0)))).events:
        assert len(page.model_dump_json()) <= 1_100_000
        found += [event.event.sequence for event in page.events]

    assert len(found) == len(set(found)) == 150


async def test_a_job_tells_its_start_before_its_end(stores: Stores) -> None:
    job = await stores.a_completed_job(a_new_job(name="first"))

    events = await stores.events.next_unpublished(limit=10)

    assert [event.type for event in events] == [
        "evalbus.benchmark.started.v1",
        "evalbus.benchmark.completed.v1",
    ]
    assert {event.body.job_id for event in events} == {job.job_id}
