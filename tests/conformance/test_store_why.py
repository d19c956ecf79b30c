"""What a job waits for, in one word."""

from datetime import timedelta

from evalbus_schemas.jobs import Why
from tests.builders import a_new_job, a_sign_of_life
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres


async def why(stores: Stores) -> Why:
    return await stores.jobs.why("default", "first")


async def sent_ago(stores: Stores, seconds: float) -> None:
    await stores.value(
        "UPDATE chunk SET sent_at = sent_at - $1::interval WHERE status = 'sent'",
        timedelta(seconds=seconds),
    )


async def test_a_new_job_waits_for_a_producer(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="first"))

    answer = await why(stores)

    assert (answer.job, answer.status, answer.reason) == ("first", "created", "not_dispatched")
    assert "evalbus serve producer" in answer.advice
    assert (answer.chunks_waiting, answer.chunks_in_flight) == (0, 0)
    assert (answer.oldest_chunk, answer.oldest_chunk_seconds) == (None, None)


async def test_a_job_whose_first_rows_are_being_read_is_held_by_a_lease(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="first"))
    await stores.claim()

    assert (await why(stores)).reason == "lease_held"


async def test_a_job_whose_reader_died_waits_for_a_producer(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="first"))
    await stores.claim(lease_seconds=0)

    assert (await why(stores)).reason == "not_dispatched"


async def test_a_job_whose_chunks_nobody_sends_waits_for_a_producer(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=6)

    answer = await why(stores)

    assert (answer.reason, answer.chunks_waiting, answer.chunks_in_flight) == (
        "not_dispatched",
        2,
        0,
    )


async def test_a_job_that_goes_on_waits_for_nothing(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=9)
    await stores.take(most=1)
    await sent_ago(stores, 20)
    await stores.take(most=1)

    answer = await why(stores)

    assert (answer.reason, answer.chunks_waiting, answer.chunks_in_flight) == ("nothing", 1, 2)
    assert answer.oldest_chunk == 0
    assert answer.oldest_chunk_seconds is not None
    assert 20 <= answer.oldest_chunk_seconds < 80


async def test_chunks_that_give_no_sign_of_life_wait_for_an_evaluator(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=6)
    (sent, _) = await stores.take()
    await sent_ago(stores, 31)

    silent = await why(stores)
    await stores.scores.note_progress(a_sign_of_life(sent))
    alive = await why(stores)
    await stores.value("UPDATE chunk SET heartbeat_at = heartbeat_at - interval '31 s'")
    silent_again = await why(stores)

    assert (silent.reason, alive.reason, silent_again.reason) == (
        "no_evaluator",
        "nothing",
        "no_evaluator",
    )
    assert "evalbus serve evaluator" in silent.advice


async def test_a_whole_job_waits_for_its_result(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=6)
    await stores.score_all()

    assert (await why(stores)).reason == "finalizing"


async def test_a_paused_job_says_so(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="first"))
    await stores.value("UPDATE job SET status = 'paused'")

    assert (await why(stores)).reason == "paused"


async def test_a_job_that_has_ended_waits_for_nothing(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=6)
    await stores.take(most=1)
    await stores.jobs.cancel("default", "first")

    answer = await why(stores)

    assert (answer.status, answer.reason) == ("cancelled", "nothing")
