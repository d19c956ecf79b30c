"""A job is made once, found by name or id, held and let go, gone on from, and ends once."""

import asyncio
from uuid import uuid4

import pytest

from evalbus.errors import Conflict, Invalid, NotFound
from evalbus.store.ports import Derived, LeaseLost
from evalbus_schemas.benchmark import Params
from evalbus_schemas.jobs import Job, JobStatus
from evalbus_schemas.names import is_name
from evalbus_schemas.queries import GetResult, ListEvents, ListJobs, ListLog
from tests.builders import (
    a_benchmark,
    a_failed_row,
    a_new_job,
    a_scored_chunk,
    a_stretch,
    an_item,
    samples_of,
)
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres


async def test_a_new_job_waits_to_be_read(stores: Stores) -> None:
    new = a_new_job(name="first", labels={"team": "a"}, correlation_id="from-a-caller")

    job, created = await stores.jobs.create(new)

    assert created
    assert (job.name, job.workspace, job.benchmark) == ("first", "default", "default/capitals")
    assert job.status is JobStatus.CREATED
    assert (job.rows, job.rows_total, job.chunks, job.chunks_total) == (0, None, 0, None)
    assert (job.labels, job.correlation_id) == ({"team": "a"}, "from-a-caller")
    assert job.started_at is None
    assert job.finished_at is None
    assert job == await stores.jobs.job("default", "first")
    assert job == await stores.jobs.job("default", str(job.job_id))


@pytest.mark.parametrize("name", ["named", None])
async def test_thirty_identical_commands_at_once_make_one_job(
    stores: Stores, name: str | None
) -> None:
    new = a_new_job(name=name, idempotency_key="the-key")

    made = await asyncio.gather(*(stores.jobs.create(new) for _ in range(30)))

    assert sum(created for _, created in made) == 1
    assert len({job.job_id for job, _ in made}) == 1
    assert len((await stores.jobs.list(ListJobs())).jobs) == 1


async def test_a_command_that_comes_again_gives_its_job_though_the_result_has_the_name(
    stores: Stores,
) -> None:
    new = a_new_job(name="first", idempotency_key="the-key")
    done = await stores.a_completed_job(new)

    again, created = await stores.jobs.create(new)

    assert not created
    assert again == done
    assert await stores.jobs.made_by("default", "the-key", new.content_hash) == done


async def test_a_key_that_came_with_another_content_is_a_conflict(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(idempotency_key="the-key", content=b"one"))

    with pytest.raises(Conflict, match="the-key"):
        await stores.jobs.create(a_new_job(idempotency_key="the-key", content=b"other"))
    with pytest.raises(Conflict, match="the-key"):
        await stores.jobs.made_by("default", "the-key", b"other")


async def test_a_key_belongs_to_its_workspace(stores: Stores) -> None:
    one, _ = await stores.jobs.create(a_new_job(workspace="one", idempotency_key="the-key"))

    other, created = await stores.jobs.create(
        a_new_job(workspace="other", idempotency_key="the-key", content=b"other")
    )

    assert created
    assert one.job_id != other.job_id
    assert await stores.jobs.made_by("third", "the-key", b"other") is None


async def test_a_name_in_use_is_a_conflict(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="first"))

    with pytest.raises(Conflict, match="'first' is taken by a job"):
        await stores.jobs.create(a_new_job(name="first"))
    _, elsewhere = await stores.jobs.create(a_new_job(name="first", workspace="other"))

    assert elsewhere


async def test_a_name_that_only_a_result_has_is_a_conflict(stores: Stores) -> None:
    await stores.a_completed_job(a_new_job(name="first"))
    await stores.value("UPDATE job SET deleted_at = now()")

    with pytest.raises(Conflict, match="'first' is taken by a result"):
        await stores.jobs.create(a_new_job(name="first"))


async def test_one_name_for_thirty_different_commands_at_once_goes_to_one(stores: Stores) -> None:
    commands = [a_new_job(name="wanted", content=bytes([i])) for i in range(30)]

    outcomes = await asyncio.gather(
        *(stores.jobs.create(command) for command in commands), return_exceptions=True
    )

    assert sum(isinstance(outcome, tuple) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 29


async def test_made_up_names_are_names_and_differ_though_many_are_made_in_one_second(
    stores: Stores,
) -> None:
    # So many that two of them draw the same four hex digits in nearly every run.
    benchmark = a_benchmark(name="b" * 63)

    made = [
        await asyncio.gather(
            *(stores.jobs.create(a_new_job(benchmark=benchmark)) for _ in range(50))
        )
        for _ in range(12)
    ]

    names = {job.name for batch in made for job, _ in batch}
    assert len(names) == 600
    assert all(map(is_name, names))


async def test_a_name_goes_before_an_id_that_reads_the_same(stores: Stores) -> None:
    by_id, _ = await stores.jobs.create(a_new_job(name="other"))
    by_name, _ = await stores.jobs.create(a_new_job(name=str(by_id.job_id)))

    found = await stores.jobs.job("default", str(by_id.job_id))

    assert found.job_id == by_name.job_id


@pytest.mark.parametrize("name", ["nobody", "with\x00nul", "\ud800", "", "00000000" * 4])
async def test_a_job_that_is_not_there_is_not_found(stores: Stores, name: str) -> None:
    await stores.jobs.create(a_new_job(name="first"))

    with pytest.raises(NotFound):
        await stores.jobs.job("default", name)
    with pytest.raises(NotFound):
        await stores.jobs.cancel("default", name)
    with pytest.raises(NotFound):
        await stores.jobs.why("default", name)


async def test_a_job_of_another_workspace_is_not_found_by_its_id(stores: Stores) -> None:
    job, _ = await stores.jobs.create(a_new_job(workspace="theirs"))

    with pytest.raises(NotFound):
        await stores.jobs.job("ours", str(job.job_id))


async def test_jobs_are_listed_newest_first_page_after_page(stores: Stores) -> None:
    for number in range(5):
        await stores.jobs.create(a_new_job(name=f"job-{number}"))
    await stores.jobs.create(a_new_job(name="elsewhere", workspace="other"))

    first = await stores.jobs.list(ListJobs(limit=2))
    second = await stores.jobs.list(ListJobs(limit=2, after=first.next))
    third = await stores.jobs.list(ListJobs(limit=2, after=second.next))

    assert [[job.name for job in page.jobs] for page in (first, second, third)] == [
        ["job-4", "job-3"],
        ["job-2", "job-1"],
        ["job-0"],
    ]
    assert third.next is None


async def test_a_page_of_jobs_is_at_most_a_mebibyte(stores: Stores) -> None:
    labels = {f"label-{i:02}": "x" * 255 for i in range(32)}
    for _ in range(150):
        await stores.jobs.create(a_new_job(labels=labels))

    first = await stores.jobs.list(ListJobs(limit=1000))
    second = await stores.jobs.list(ListJobs(limit=1000, after=first.next))

    assert len(first.model_dump_json()) <= 1_100_000
    assert 0 < len(first.jobs) < 150
    assert len({job.job_id for page in (first, second) for job in page.jobs}) == 150


async def test_jobs_are_listed_by_status(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="waiting"))
    await stores.jobs.create(a_new_job(name="stopped"))
    await stores.jobs.cancel("default", "stopped")

    page = await stores.jobs.list(ListJobs(status=JobStatus.CANCELLED))

    assert [job.name for job in page.jobs] == ["stopped"]


async def test_jobs_are_listed_by_benchmark(stores: Stores) -> None:
    for name, benchmark in (("a", "capitals"), ("b", "rivers"), ("c", "capitals")):
        await stores.jobs.create(a_new_job(name=name, benchmark=a_benchmark(name=benchmark)))

    page = await stores.jobs.list(ListJobs(benchmark="default/capitals"))
    elsewhere = await stores.jobs.list(ListJobs(benchmark="team/capitals"))

    assert [job.name for job in page.jobs] == ["c", "a"]
    assert elsewhere.jobs == ()


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "²", "9" * 30])
async def test_a_cursor_that_is_none_is_invalid(stores: Stores, cursor: str) -> None:
    with pytest.raises(Invalid, match="no cursor"):
        await stores.jobs.list(ListJobs(after=cursor))


async def test_a_cancelled_job_stays_cancelled_and_tells_it_once(stores: Stores) -> None:
    job, _ = await stores.jobs.create(a_new_job(name="first"))

    cancelled = await stores.jobs.cancel("default", "first")
    again = await stores.jobs.cancel("default", str(job.job_id))
    await stores.jobs.fail(job.job_id, code="late", message="too late")

    assert cancelled.status is JobStatus.CANCELLED
    assert cancelled.finished_at is not None
    assert again == cancelled == await stores.jobs.job("default", "first")
    assert await told(stores) == ["evalbus.benchmark.cancelled.v1"]


async def test_a_failed_job_says_why_and_tells_it_once(stores: Stores) -> None:
    job, _ = await stores.jobs.create(a_new_job(name="first"))

    await stores.jobs.fail(job.job_id, code="source_gone", message="a\x00b \ud800 is gone")
    await stores.jobs.fail(job.job_id, code="other", message="again")

    failed = await stores.jobs.job("default", "first")
    assert failed.status is JobStatus.ERROR
    assert failed.error is not None
    assert failed.error.code == "source_gone"
    assert failed.error.message.startswith("a\ufffdb")
    assert await stores.jobs.cancel("default", "first") == failed
    assert await told(stores) == ["evalbus.benchmark.failed.v1"]


async def test_failing_a_job_that_nobody_knows_changes_nothing(stores: Stores) -> None:
    await stores.jobs.fail(uuid4(), code="source_gone", message="whatever")

    assert await told(stores) == []


async def test_hostile_text_in_a_command_is_kept_as_far_as_it_can_be(stores: Stores) -> None:
    new = a_new_job(idempotency_key="a\x00b", correlation_id="\x00")

    job, _ = await stores.jobs.create(new)
    again, created = await stores.jobs.create(new)

    assert not created
    assert again.job_id == job.job_id
    assert job.correlation_id == "\ufffd"


# --- pausing and resuming


async def test_a_job_with_nothing_in_flight_is_paused_at_once(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=6)

    paused = await stores.jobs.pause("default", "first")
    again = await stores.jobs.pause("default", "first")

    assert (paused.status, again.status) == ("paused", "paused")
    assert await stores.take() == []


async def test_a_job_that_nobody_has_read_can_be_paused_and_is_not_read_before_it_is_resumed(
    stores: Stores,
) -> None:
    job, _ = await stores.jobs.create(a_new_job(name="first"))

    paused = await stores.jobs.pause("default", "first")
    claimed = await stores.dispatch.claim(lease_seconds=30)
    resumed = await stores.jobs.resume("default", "first")
    lease = await stores.claim()

    assert (paused.status, resumed.status) == ("paused", "resuming")
    assert claimed is None
    assert lease.job_id == job.job_id


async def test_a_job_pauses_until_what_is_in_flight_has_come_in(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=9)
    one, other = await stores.take(most=2)

    pausing = await stores.jobs.pause("default", "first")
    again = await stores.jobs.pause("default", "first")
    await stores.keep(one)
    still = await stores.jobs.job("default", "first")
    await stores.keep(other)
    paused = await stores.jobs.job("default", "first")

    assert [job.status for job in (pausing, again, still, paused)] == [
        *("pausing", "pausing", "pausing"),
        "paused",
    ]
    assert (paused.rows, await stores.take()) == (6, [])


async def test_nothing_of_a_paused_job_is_in_flight_though_it_was_sent_from_at_that_moment(
    stores: Stores,
) -> None:
    for number in range(12):
        name = f"job-{number}"
        await stores.a_job_read(a_new_job(name=name), rows=12)

        taken, paused = await asyncio.gather(
            stores.take(most=2), stores.jobs.pause("default", name)
        )

        in_flight = await stores.value(
            "SELECT count(*) FROM chunk JOIN job USING (job_no)"
            " WHERE chunk.status = 'sent' AND job.status = 'paused'"
        )
        assert in_flight == 0
        assert paused.status is (JobStatus.PAUSING if taken else JobStatus.PAUSED)


async def test_who_reads_a_job_that_is_paused_loses_it_and_another_reads_on_at_once(
    stores: Stores,
) -> None:
    await stores.jobs.create(a_new_job(name="first"))
    lease = await stores.claim()
    lease = await stores.add(lease, a_stretch(n_rows=3))

    await stores.jobs.pause("default", "first")
    with pytest.raises(LeaseLost):
        await stores.add(lease, a_stretch(first_row=3))
    await stores.jobs.resume("default", "first")
    after = await stores.claim()

    assert after.datasets[0].n_rows == 3


async def test_a_resumed_job_is_active_again_and_goes_on_to_its_end(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=9)
    (sent,) = await stores.take(most=1)
    await stores.keep(sent)
    await stores.jobs.pause("default", "first")

    resumed = await stores.jobs.resume("default", "first")
    again = await stores.jobs.resume("default", "first")
    await stores.take(most=1)
    active = await stores.jobs.job("default", "first")
    still_active = await stores.jobs.resume("default", "first")
    await stores.value("UPDATE chunk SET status = 'pending' WHERE status = 'sent'")
    await stores.score_all()
    await stores.finalize()

    assert [job.status for job in (resumed, again, active, still_active)] == [
        *("resuming", "resuming"),
        *("active", "active"),
    ]
    done = await stores.jobs.job("default", "first")
    assert (done.status, done.rows) == ("completed", 9)


async def test_a_pausing_job_can_be_resumed_before_everything_has_come_in(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=6)
    (sent,) = await stores.take(most=1)
    await stores.jobs.pause("default", "first")

    resumed = await stores.jobs.resume("default", "first")
    await stores.score_all()
    await stores.keep(sent)
    await stores.finalize()

    assert resumed.status is JobStatus.RESUMING
    assert (await stores.jobs.job("default", "first")).status is JobStatus.COMPLETED


async def test_a_job_that_is_paused_with_its_last_chunk_in_hand_completes_once_it_is_resumed(
    stores: Stores,
) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=3)
    (sent,) = await stores.take()

    pausing = await stores.jobs.pause("default", "first")
    await stores.keep(sent)
    paused = await stores.jobs.job("default", "first")
    held = await stores.finalize()
    resumed = await stores.jobs.resume("default", "first")
    ended = await stores.finalize()

    assert [job.status for job in (pausing, paused, resumed)] == ["pausing", "paused", "active"]
    assert (held, ended) == (None, "first")


async def test_a_pausing_job_whose_chunk_is_lost_stands_still(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=3)
    taken = await stores.take()
    await stores.jobs.pause("default", "first")

    await stores.dispatch.give_back(taken)
    await stores.upkeep.settle()

    assert (await stores.jobs.job("default", "first")).status is JobStatus.PAUSED


@pytest.mark.parametrize("in_flight", [True, False])
async def test_a_job_that_pauses_or_is_paused_can_be_cancelled(
    stores: Stores, in_flight: bool
) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=3)
    taken = await stores.take(most=1 if in_flight else 0)
    await stores.jobs.pause("default", "first")

    cancelled = await stores.jobs.cancel("default", "first")
    kept = [await stores.keep(sent) for sent in taken]

    assert cancelled.status is JobStatus.CANCELLED
    assert [each.is_new for each in kept] == [False] * len(taken)


async def test_a_job_that_has_ended_is_neither_paused_nor_resumed(stores: Stores) -> None:
    await stores.a_completed_job(a_new_job(name="first"))

    with pytest.raises(Conflict, match="'first' is completed: it cannot be paused"):
        await stores.jobs.pause("default", "first")
    with pytest.raises(Conflict, match="'first' is completed: it cannot be resumed"):
        await stores.jobs.resume("default", "first")
    with pytest.raises(NotFound):
        await stores.jobs.pause("default", "nobody")
    with pytest.raises(NotFound):
        await stores.jobs.resume("default", "nobody")


async def test_a_job_that_is_about_to_end_is_neither_paused_nor_resumed(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=3)
    await stores.take()
    await stores.value("UPDATE job SET status = 'cancelling'")

    with pytest.raises(Conflict, match="is cancelling"):
        await stores.jobs.pause("default", "first")
    with pytest.raises(Conflict, match="is cancelling"):
        await stores.jobs.resume("default", "first")
    assert (await stores.jobs.cancel("default", "first")).status is JobStatus.CANCELLED


@pytest.mark.parametrize(
    "status", ["created", "pending", "active", "pausing", "paused", "resuming", "cancelling"]
)
async def test_a_job_can_be_cancelled_whatever_it_is_doing(stores: Stores, status: str) -> None:
    await stores.jobs.create(a_new_job(name="first"))
    async with stores.database.transaction() as connection:
        await connection.execute("ALTER TABLE job DISABLE TRIGGER job_status_change")
        await connection.execute("UPDATE job SET status = $1", status)
        await connection.execute("ALTER TABLE job ENABLE TRIGGER job_status_change")

    cancelled = await stores.jobs.cancel("default", "first")

    assert (cancelled.status, cancelled.error) == (JobStatus.CANCELLED, None)


# --- how fast, and how long


async def test_an_active_job_says_how_fast_it_is_and_when_it_will_be_done(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=9)
    one, other, _ = await stores.take()
    await stores.keep(one)
    await stores.keep(other)
    await stores.value("UPDATE job SET active_since = now() - interval '2 s'")

    job = await stores.jobs.job("default", "first")

    assert job.rows_per_second is not None
    assert 0 < job.rows_per_second <= 3
    assert job.eta_seconds == pytest.approx(3 / job.rows_per_second)


async def test_the_time_before_a_pause_says_nothing_about_the_speed_after_it(
    stores: Stores,
) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=9)
    (one,) = await stores.take(most=1)
    await stores.keep(one)
    paused = await stores.jobs.pause("default", "first")
    await stores.jobs.resume("default", "first")
    await stores.take(most=1)

    job = await stores.jobs.job("default", "first")

    assert (paused.rows_per_second, paused.eta_seconds) == (None, None)
    assert (job.status, job.rows, job.rows_per_second, job.eta_seconds) == ("active", 3, 0, None)


# --- deadlines


async def test_a_job_beyond_its_deadline_ends_in_error_also_when_it_is_paused(
    stores: Stores,
) -> None:
    params = Params(deadline=60.0)
    for name in ("running", "paused", "in-time"):
        benchmark = a_benchmark(params=params)
        await stores.a_job_read(a_new_job(name=name, benchmark=benchmark), rows=3)
    await stores.a_job_read(a_new_job(name="without"), rows=3)
    await stores.jobs.pause("default", "paused")
    await stores.value(
        "UPDATE job SET started_at = started_at - interval '61 s' WHERE name <> 'in-time'"
    )

    await stores.upkeep.end_overdue()
    await stores.upkeep.end_overdue()

    found = {job.name: job for job in (await stores.jobs.list(ListJobs())).jobs}
    for name in ("running", "paused"):
        assert found[name].status is JobStatus.ERROR
        error = found[name].error
        assert error is not None
        assert (error.code, error.message) == (
            "deadline_exceeded",
            "it ran longer than its deadline of 60 s",
        )
    assert found["in-time"].status is JobStatus.PENDING
    assert found["without"].status is JobStatus.PENDING
    assert await told(stores) == [
        *["evalbus.benchmark.started.v1"] * 4,
        *["evalbus.benchmark.failed.v1"] * 2,
    ]


async def test_a_job_that_nobody_has_begun_has_all_its_time(stores: Stores) -> None:
    benchmark = a_benchmark(params=Params(deadline=60.0))
    await stores.jobs.create(a_new_job(name="first", benchmark=benchmark))
    await stores.value("UPDATE job SET created_at = created_at - interval '1 day'")

    await stores.upkeep.end_overdue()

    assert (await stores.jobs.job("default", "first")).status is JobStatus.CREATED


# --- jobs to go on from


async def test_a_completed_job_without_a_failed_row_misses_nothing(stores: Stores) -> None:
    new = a_new_job(name="first", benchmark=a_benchmark(datasets=("one", "other")))
    job = await stores.a_completed_job(new, rows=3)

    source = await stores.jobs.source("default", "first")

    assert source.job.job_id == job.job_id
    assert (source.benchmark, source.fingerprints) == (new.benchmark, new.fingerprints)
    assert source.models == new.models
    assert not source.rows_missing
    assert source.first_items == ((an_item(0), an_item(1), an_item(2)),) * 2


async def test_a_job_with_failed_rows_misses_these(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=3)
    (sent,) = await stores.take()
    scored = a_scored_chunk(sent, scores=[[1.0, None, 1.0]], errors=[a_failed_row(1)])
    await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()

    assert (await stores.jobs.source("default", "first")).rows_missing


async def test_a_job_that_was_cancelled_misses_what_it_did_not_come_to(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="unread"))
    await stores.jobs.cancel("default", "unread")
    await stores.a_job_read(a_new_job(name="halfway"), rows=6)
    (sent,) = await stores.take(most=1)
    await stores.keep(sent)
    await stores.jobs.cancel("default", "halfway")

    unread = await stores.jobs.source("default", "unread")
    halfway = await stores.jobs.source("default", "halfway")

    assert unread.rows_missing
    assert halfway.rows_missing
    assert unread.first_items == ((),)


async def test_a_job_that_has_not_ended_is_nothing_to_go_on_from(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="first"))

    with pytest.raises(Conflict, match="'first' is created: only one that has ended"):
        await stores.jobs.source("default", "first")
    with pytest.raises(NotFound):
        await stores.jobs.source("default", "nobody")


async def test_a_derived_job_names_its_source_which_is_kept_until_it_has_ended(
    stores: Stores,
) -> None:
    source = await stores.a_completed_job(a_new_job(name="first"))
    derivation = Derived(source=source.job_id, how="retry")
    job, _ = await stores.jobs.create(a_new_job(name="again", derivation=derivation))

    with pytest.raises(Conflict, match="'first' cannot be deleted before again"):
        await stores.jobs.delete("default", "first")
    kept = await stores.jobs.job("default", "first")
    await stores.jobs.cancel("default", "again")
    await stores.jobs.delete("default", "first")

    assert (job.derived_from, job.derivation) == ("first", "retry")
    assert kept.job_id == source.job_id
    after = await stores.jobs.job("default", "again")
    assert (after.derived_from, after.derivation) == ("first", "retry")


async def test_a_job_is_not_derived_from_one_that_was_deleted(stores: Stores) -> None:
    source = await stores.a_completed_job(a_new_job(name="first"))
    await stores.jobs.delete("default", "first")

    with pytest.raises(Conflict, match="was deleted"):
        await stores.jobs.create(
            a_new_job(name="again", derivation=Derived(source=source.job_id, how="rescore"))
        )
    with pytest.raises(NotFound):
        await stores.jobs.job("default", "again")


async def test_deriving_and_deleting_at_once_end_in_one_of_two_ways(stores: Stores) -> None:
    for number in range(10):
        source = await stores.a_completed_job(a_new_job(name=f"source-{number}"))
        derivation = Derived(source=source.job_id, how="retry")

        made, deleted = await asyncio.gather(
            stores.jobs.create(a_new_job(name=f"again-{number}", derivation=derivation)),
            stores.jobs.delete("default", source.name),
            return_exceptions=True,
        )

        assert isinstance(made, Conflict) != isinstance(deleted, Conflict)
        if not isinstance(made, BaseException):
            await stores.jobs.cancel("default", f"again-{number}")


# --- put away


async def test_a_job_that_was_put_away_is_listed_only_for_those_who_ask(stores: Stores) -> None:
    first = await stores.a_completed_job(a_new_job(name="first"))
    second = await stores.a_completed_job(a_new_job(name="second"))

    away = await stores.jobs.archive("default", "first", archived=True)

    listed = await stores.jobs.list(ListJobs())
    everything = await stores.jobs.list(ListJobs(include_archived=True))
    assert away == first.model_copy(update={"archived": True})
    assert listed.jobs == (without_models(second),)
    assert everything.jobs == (without_models(second), without_models(away))
    assert await stores.jobs.job("default", "first") == away
    assert await stores.results.result(GetResult(result="first"))


async def test_a_job_is_put_away_and_taken_out_again_once_however_often_it_is_asked_for(
    stores: Stores,
) -> None:
    job = await stores.a_completed_job(a_new_job(name="first"))

    for archived in (True, True, False, False):
        found = await stores.jobs.archive("default", str(job.job_id), archived=archived, by="ann")
        assert found.archived is archived

    log = (await stores.jobs.logs(ListLog(job="first"))).lines
    assert [line.message for line in log[-2:]] == [
        *("archived by ann", "taken out of the archive by ann"),
    ]
    assert (await stores.jobs.list(ListJobs())).jobs == (without_models(job),)


@pytest.mark.parametrize("archived", [True, False])
async def test_a_job_that_has_not_ended_is_not_put_away(stores: Stores, archived: bool) -> None:
    await stores.jobs.create(a_new_job(name="first"))

    with pytest.raises(Conflict, match="'first' is created: only one that has ended"):
        await stores.jobs.archive("default", "first", archived=archived)
    with pytest.raises(NotFound):
        await stores.jobs.archive("default", "nobody", archived=archived)
    await stores.jobs.cancel("default", "first")

    found = await stores.jobs.archive("default", "first", archived=archived)
    assert (found.status, found.archived) == (JobStatus.CANCELLED, archived)


async def test_a_job_that_was_put_away_can_be_deleted(stores: Stores) -> None:
    await stores.a_completed_job(a_new_job(name="first"))
    await stores.jobs.archive("default", "first", archived=True)

    await stores.jobs.delete("default", "first")

    assert (await stores.jobs.list(ListJobs(include_archived=True))).jobs == ()
    with pytest.raises(NotFound):
        await stores.jobs.archive("default", "first", archived=False)


def without_models(job: Job) -> Job:
    """As lists have it."""
    return job.model_copy(update={"models": (), "datasets": ()})


async def told(stores: Stores) -> list[str]:
    """The types of all events, in order."""
    await stores.events.next_unpublished(limit=1000)
    return [event.type for event in (await stores.events.list(ListEvents(limit=1000))).events]
