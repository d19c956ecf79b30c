"""What happened to a job can be read afterwards, in the order in which it happened."""

import asyncio

import pytest

from evalbus.errors import Invalid, NotFound
from evalbus.store.ports import Derived
from evalbus.store.postgres import job_log
from evalbus_schemas.jobs import LogLine
from evalbus_schemas.queries import ListLog
from tests.builders import a_failed_row, a_new_job, a_scored_chunk, samples_of
from tests.servers.versions import on_each_postgres
from tests.stores import LEASE_SECONDS, Stores

pytestmark = on_each_postgres


async def lines(stores: Stores, job: str = "first") -> list[LogLine]:
    return list((await stores.jobs.logs(ListLog(job=job, limit=1000))).lines)


async def messages(stores: Stores, job: str = "first") -> list[str]:
    return [line.message for line in await lines(stores, job)]


async def test_the_log_of_a_job_that_completed_tells_its_life(stores: Stores) -> None:
    await stores.a_job_read(a_new_job(name="first"), rows=3)
    (sent,) = await stores.take()
    scored = a_scored_chunk(sent, scores=[[1.0, None, 1.0]], errors=[a_failed_row(1)])
    await stores.scores.keep(scored, samples_of(scored))
    await stores.finalize()

    told = await lines(stores)

    assert [(line.step, line.level, line.message) for line in told] == [
        ("job", "info", "accepted by somebody"),
        ("reading", "info", "began to read its datasets"),
        ("reading", "info", "read dataset 'capitals' to its end: 3 rows"),
        ("dispatching", "info", "began to send its chunks"),
        ("finalizing", "info", "completed: 3 rows, 1 of them failed"),
    ]
    assert [line.at for line in told] == sorted(line.at for line in told)


async def test_who_paused_resumed_and_cancelled_a_job_is_told_once_for_each_time(
    stores: Stores,
) -> None:
    await stores.jobs.create(a_new_job(name="first"))

    await stores.jobs.pause("default", "first", by="ann")
    await stores.jobs.pause("default", "first", by="ann")
    await stores.jobs.resume("default", "first", by="bob")
    await stores.jobs.resume("default", "first", by="bob")
    await stores.jobs.cancel("default", "first", by="cid")
    await stores.jobs.cancel("default", "first")

    assert (await messages(stores))[1:] == ["paused by ann", "resumed by bob", "cancelled by cid"]


async def test_why_a_job_failed_is_its_last_line(stores: Stores) -> None:
    job, _ = await stores.jobs.create(a_new_job(name="first"))

    await stores.jobs.fail(job.job_id, code="source_gone", message="rows.jsonl\x00 is gone")
    await stores.jobs.fail(job.job_id, code="source_gone", message="again")

    last = (await lines(stores))[-1]
    assert (last.level, last.message) == (
        "error",
        "ended in error: rows.jsonl\ufffd is gone (source_gone)",
    )


async def test_chunks_that_are_sent_again_are_told_in_one_line_for_each_job(stores: Stores) -> None:
    for name in ("first", "second"):
        await stores.a_job_read(a_new_job(name=name), rows=9)
    await stores.dispatch.confirm(await stores.take())
    await stores.value("UPDATE chunk SET sent_at = sent_at - interval '301 s'")

    await stores.upkeep.overdue_to_pending(overdue_seconds=300)
    await stores.take()
    await stores.upkeep.in_flight_to_pending()

    for name in ("first", "second"):
        assert [
            (line.level, line.message)
            for line in await lines(stores, name)
            if line.level == "warning"
        ] == [
            ("warning", "3 chunks gave no sign of life and are sent again"),
            ("warning", "3 chunks were lost with the bus that had them and are sent again"),
        ]


async def test_a_chunk_that_was_set_aside_is_told(stores: Stores) -> None:
    job, _ = await stores.a_job_read(a_new_job(name="first"), rows=3)
    await stores.take()

    await stores.scores.set_aside(job.job_id, 0)

    last = (await lines(stores))[-1]
    assert (last.step, last.level) == ("evaluating", "warning")
    assert last.message == "chunk 0 was set aside; `evalbus dlq list` shows its message"


async def test_a_job_and_the_one_that_goes_on_from_it_tell_of_each_other(stores: Stores) -> None:
    source = await stores.a_completed_job(a_new_job(name="first"))
    for name, derivation in (
        ("again", Derived(source=source.job_id, how="retry")),
        ("other", Derived(source=source.job_id, how="rescore")),
    ):
        await stores.jobs.create(a_new_job(name=name, derivation=derivation))
    lease = await stores.claim()
    await stores.dispatch.take_over(lease, 0, lease_seconds=LEASE_SECONDS)

    assert (await messages(stores))[-2:] == ["retried as job again", "re-scored as job other"]
    assert (await messages(stores, "again"))[-1] == "took over 6 rows of dataset 'capitals'"


async def test_a_log_is_read_page_after_page_oldest_first(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="first"))
    for who in ("a", "b"):
        await stores.jobs.pause("default", "first", by=who)
        await stores.jobs.resume("default", "first", by=who)

    first = await stores.jobs.logs(ListLog(job="first", limit=2))
    second = await stores.jobs.logs(ListLog(job="first", limit=2, after=first.next))
    third = await stores.jobs.logs(ListLog(job="first", limit=2, after=second.next))

    read = [line.message for page in (first, second, third) for line in page.lines]
    assert read == await messages(stores)
    assert (len(third.lines), third.next) == (1, None)


async def test_a_log_that_is_not_there_and_a_cursor_that_is_none(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="first"))

    with pytest.raises(NotFound):
        await stores.jobs.logs(ListLog(job="nobody"))
    for cursor in ("", "x", "-1", "²", "9" * 30):
        with pytest.raises(Invalid, match="no cursor"):
            await stores.jobs.logs(ListLog(job="first", after=cursor))


async def test_a_line_is_seen_if_and_only_if_what_it_tells_of_has_happened(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="first"))

    async with stores.database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        job_no = await connection.fetchval("SELECT job_no FROM job")
        await job_log.write(connection, job_no, "job", "info", "this did not happen")
        await transaction.rollback()

    assert await messages(stores) == ["accepted by somebody"]


async def test_lines_become_visible_in_the_order_of_their_numbers(stores: Stores) -> None:
    """Otherwise whoever follows the log would go past a line that is not there yet."""
    await stores.jobs.create(a_new_job(name="first"))
    job_no = await stores.value("SELECT job_no FROM job")
    assert isinstance(job_no, int)
    is_written, may_commit = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with stores.database.transaction() as connection:
            await job_log.write(connection, job_no, "job", "info", "slow")
            is_written.set()
            await may_commit.wait()

    async def fast() -> None:
        await is_written.wait()
        async with stores.database.transaction() as connection:
            await job_log.write(connection, job_no, "job", "info", "fast")

    async with asyncio.TaskGroup() as both:
        both.create_task(slow())
        late = both.create_task(fast())
        await is_written.wait()
        done, _ = await asyncio.wait([late], timeout=0.3)
        seen_meanwhile = await messages(stores)
        may_commit.set()

    assert done == set()
    assert seen_meanwhile == ["accepted by somebody"]
    assert (await messages(stores))[1:] == ["slow", "fast"]


async def test_warnings_that_come_back_for_ever_do_not_fill_the_database(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="first"))
    async with stores.database.transaction() as connection:
        job_no = await connection.fetchval("SELECT job_no FROM job")
        for _ in range(job_log.WARNINGS_MAX + 5):
            await job_log.write(connection, job_no, "dispatching", "warning", "again")
        await job_log.write(connection, job_no, "job", "error", "the end")
        await job_log.write(connection, job_no, "job", "info", "x" * 100_000)

    count = await stores.value("SELECT count(*) FROM job_log WHERE level = 'warning'")
    longest = await stores.value("SELECT max(length(message)) FROM job_log")
    ends = await stores.value("SELECT count(*) FROM job_log WHERE message = 'the end'")
    assert (count, longest, ends) == (job_log.WARNINGS_MAX, job_log.MESSAGE_CHARACTERS_MAX, 1)


async def test_the_log_of_a_deleted_job_is_gone_with_its_rows(stores: Stores) -> None:
    await stores.a_completed_job(a_new_job(name="first"))
    await stores.jobs.delete("default", "first")

    while await stores.upkeep.reclaim(rows_max=100):
        pass

    assert await stores.value("SELECT count(*) FROM job_log") == 0
