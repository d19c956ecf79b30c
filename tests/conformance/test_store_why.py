"""What a job waits for, in one word."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from evalbus.store.ports import ChunkToSend, NewJob
from evalbus_schemas.benchmark import Params
from evalbus_schemas.chunks import WaitsFor
from evalbus_schemas.jobs import Why
from tests.builders import a_benchmark, a_new_job, a_sign_of_life
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


async def test_chunks_that_are_sent_again_and_again_wait_for_an_evaluator(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=3)
    reasons: list[str] = []
    for _ in range(3):
        await stores.dispatch.confirm(await stores.take())
        reasons.append((await why(stores)).reason)
        await stores.value("UPDATE chunk SET sent_at = sent_at - interval '1 hour'")
        await stores.upkeep.overdue_to_pending(overdue_seconds=5)
    (sent,) = await stores.take()
    await stores.scores.note_progress(a_sign_of_life(sent))

    assert reasons == ["nothing", "nothing", "no_evaluator"]
    assert (await why(stores)).reason == "nothing"


async def test_a_whole_job_waits_for_its_result(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=6)
    await stores.score_all()

    assert (await why(stores)).reason == "finalizing"


async def test_a_paused_job_says_so(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=6)
    (sent,) = await stores.take(most=1)
    await stores.jobs.pause("default", "first")

    pausing = await why(stores)
    await stores.keep(sent)
    paused = await why(stores)

    assert [(each.status, each.reason) for each in (pausing, paused)] == [
        ("pausing", "paused"),
        ("paused", "paused"),
    ]
    assert "evalbus jobs resume" in paused.advice
    assert (pausing.oldest_chunk, paused.oldest_chunk) == (0, 1)


def live_job(*, parallelism: int = 64, name: str = "first", limits: int = 64) -> NewJob:
    """One model, which is asked; its endpoint bears so many calls at once."""
    benchmark = a_benchmark(params=Params(parallelism=parallelism))
    new = a_new_job(name=name, benchmark=benchmark, live=("baseline",))
    return replace(new, limits=new.limits.model_copy(update={"endpoint_parallelism": limits}))


async def waits(stores: Stores, *held_up: tuple[ChunkToSend, WaitsFor | None]) -> Why:
    for sent, waits_for in held_up:
        sign = a_sign_of_life(sent).model_copy(update={"waits_for": waits_for})
        await stores.scores.note_progress(sign)
    return await why(stores)


async def test_a_live_job_that_asks_as_much_as_it_may_is_limited_by_that(stores: Stores) -> None:
    await stores.a_job_read(live_job(parallelism=4), rows=9)
    (sent,) = await stores.take()

    limited = await why(stores)
    await stores.keep(sent)
    free = await why(stores)

    assert (limited.reason, limited.chunks_waiting, limited.oldest_chunk) == ("model_limited", 2, 0)
    assert "parallelism" in limited.advice
    assert free.reason == "not_dispatched"


async def test_a_live_job_whose_endpoint_others_use_up_is_limited_by_that(stores: Stores) -> None:
    await stores.a_job_read(live_job(name="other", limits=4), rows=9)
    await stores.take()
    await stores.a_job_read(live_job(limits=4), rows=9)

    assert await stores.take() == []
    answer = await why(stores)

    assert (answer.reason, answer.chunks_in_flight, answer.oldest_chunk) == ("model_limited", 0, 0)


async def test_a_live_job_with_room_for_more_waits_for_nothing(stores: Stores) -> None:
    await stores.a_job_read(live_job(), rows=9)
    await stores.take(most=1)

    assert (await why(stores)).reason == "nothing"


async def test_a_job_whose_endpoint_fails_says_so_though_other_chunks_go_on(
    stores: Stores,
) -> None:
    await stores.a_job_read(live_job(), rows=9)
    one, two, three = await stores.take()

    some = await waits(stores, (one, "circuit_open"), (two, "retry_delay"), (three, None))
    none = await waits(stores, (one, None), (two, None))

    assert (some.reason, some.oldest_chunk, none.reason) == ("circuit_open", 0, "nothing")
    assert "endpoint" in some.advice


async def test_a_job_all_of_whose_chunks_pause_between_tries_says_so(stores: Stores) -> None:
    await stores.a_job_read(live_job(), rows=6)
    one, other = await stores.take()

    some = await waits(stores, (one, "retry_delay"))
    every = await waits(stores, (other, "retry_delay"))

    assert (some.reason, every.reason, every.oldest_chunk) == ("nothing", "retry_delay", 0)


async def test_what_a_chunk_waited_for_before_its_evaluator_went_silent_is_not_believed(
    stores: Stores,
) -> None:
    await stores.a_job_read(live_job(), rows=3)
    (sent,) = await stores.take()
    await waits(stores, (sent, "circuit_open"))
    await sent_ago(stores, 31)
    await stores.value("UPDATE chunk SET heartbeat_at = heartbeat_at - interval '31 s'")

    assert (await why(stores)).reason == "no_evaluator"


async def test_a_job_says_that_the_broker_is_away_as_long_as_a_service_says_so(
    stores: Stores,
) -> None:
    service = uuid4()
    await stores.a_job_read(a_new_job(name="first"), rows=6)
    await stores.take(most=1)
    await sent_ago(stores, 60)

    await stores.upkeep.broker_away(service)
    await stores.upkeep.broker_away(service)
    away = await why(stores)
    await stores.value("UPDATE broker_away SET noted_at = noted_at - interval '16 s'")
    forgotten = await why(stores)
    await stores.upkeep.broker_away(service)
    again = await why(stores)
    await stores.upkeep.broker_back(service)
    back = await why(stores)

    assert [each.reason for each in (away, forgotten, again, back)] == [
        *("broker_down", "no_evaluator", "broker_down", "no_evaluator"),
    ]
    assert (away.oldest_chunk, "RabbitMQ" in away.advice) == (0, True)


async def test_what_needs_no_broker_does_not_wait_for_one(stores: Stores) -> None:
    for name in ("ended", "held"):
        await stores.jobs.create(a_new_job(name=name))
    await stores.jobs.cancel("default", "ended")
    await stores.jobs.pause("default", "held")
    await stores.a_job_read(a_new_job(name="whole"), rows=3)
    await stores.score_all()
    await stores.upkeep.broker_away(uuid4())

    reasons = [(await stores.jobs.why("default", n)).reason for n in ("ended", "held", "whole")]

    assert reasons == ["nothing", "paused", "finalizing"]


async def test_a_job_that_has_ended_waits_for_nothing(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=6)
    await stores.take(most=1)
    await stores.jobs.cancel("default", "first")

    answer = await why(stores)

    assert (answer.status, answer.reason, answer.oldest_chunk) == ("cancelled", "nothing", None)


async def test_a_job_takes_each_place_once_though_two_of_its_judges_are_asked_there(
    stores: Stores,
) -> None:
    new = a_new_job(
        name="first",
        benchmark=a_benchmark(params=Params(parallelism=8)),
        metric_endpoints=("http://judge", "http://judge"),
    )
    limits = new.limits.model_copy(update={"endpoint_parallelism": 8})
    await stores.a_job_read(replace(new, limits=limits), rows=200, in_chunks_of=100)

    (sent,) = await stores.take(most=1)

    assert sent.asking is not None
    assert sent.asking.concurrency == 4
    assert (await why(stores)).reason == "nothing"
