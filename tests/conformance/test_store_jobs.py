"""A job is made once, found by name or id, and ends once."""

import asyncio
from uuid import uuid4

import pytest

from evalbus.errors import Conflict, Invalid, NotFound
from evalbus_schemas.jobs import JobStatus
from evalbus_schemas.names import is_name
from evalbus_schemas.queries import ListEvents, ListJobs
from tests.builders import a_benchmark, a_new_job
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


async def told(stores: Stores) -> list[str]:
    """The types of all events, in order."""
    await stores.events.next_unpublished(limit=1000)
    return [event.type for event in (await stores.events.list(ListEvents(limit=1000))).events]
