"""Exports to buckets: each is written by one producer at a time, and begun anew by another if that one dies."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from evalbus.errors import NotFound
from evalbus.store.ports import ExportLease, LeaseLost
from evalbus.store.postgres import open_changes
from evalbus_schemas.exports import ExportJob, ExportNamed
from tests.builders import a_new_job
from tests.servers.versions import on_each_postgres
from tests.stores import LEASE_SECONDS, Stores

pytestmark = on_each_postgres


def an_export(
    job: str = "first", destination: str = "s3://bucket/run.json", **more: str
) -> ExportJob:
    return ExportJob.model_validate({"job": job, "destination": destination} | more)


async def claimed(stores: Stores) -> ExportLease:
    lease = await stores.exports.claim(lease_seconds=LEASE_SECONDS)
    assert lease is not None, "an export waits"
    return lease


async def holder_dies(stores: Stores) -> None:
    await stores.value("UPDATE export SET lease_until = now() - $1::interval", timedelta(seconds=1))


@pytest.fixture(autouse=True)
async def job(stores: Stores) -> None:
    await stores.jobs.create(a_new_job(name="first"))


async def test_an_export_waits_is_written_and_completes(stores: Stores) -> None:
    waiting = await stores.exports.create(an_export())
    lease = await claimed(stores)
    await stores.exports.renew(lease, datapoints=7, lease_seconds=LEASE_SECONDS)
    running = await stores.exports.exporting(ExportNamed(export=waiting.export))

    await stores.exports.complete(lease, datapoints=9)

    completed = await stores.exports.exporting(ExportNamed(export=waiting.export))
    assert (waiting.status, waiting.datapoints, waiting.is_terminal) == ("waiting", 0, False)
    assert (running.status, running.datapoints, running.is_terminal) == ("running", 7, False)
    assert (completed.status, completed.datapoints, completed.is_terminal) == ("completed", 9, True)
    assert (completed.job, completed.destination) == ("first", "s3://bucket/run.json")
    assert waiting.finished_at is None
    assert completed.finished_at is not None
    assert lease.export_id == waiting.export


async def test_an_export_that_cannot_be_written_says_why(stores: Stores) -> None:
    export = await stores.exports.create(an_export())

    await stores.exports.fail(
        await claimed(stores), code="no_such_bucket", message="no \x00 bucket"
    )

    failed = await stores.exports.exporting(ExportNamed(export=export.export))
    assert failed.is_terminal
    assert failed.error is not None
    assert (failed.error.code, failed.error.message) == ("no_such_bucket", "no \ufffd bucket")
    assert await stores.exports.claim(lease_seconds=LEASE_SECONDS) is None


async def test_the_same_command_is_the_export_that_is_under_way_however_the_job_is_named(
    stores: Stores,
) -> None:
    job_id = str((await stores.jobs.job("default", "first")).job_id)
    first = await stores.exports.create(an_export())

    again = await stores.exports.create(an_export(job_id))
    lease = await claimed(stores)
    while_running = await stores.exports.create(an_export())
    others = [
        await stores.exports.create(an_export(destination="s3://bucket/other.json")),
        await stores.exports.create(an_export(format="csv")),
    ]
    await stores.exports.complete(lease, datapoints=0)
    afterwards = await stores.exports.create(an_export())

    assert again == first
    assert while_running.export == first.export
    assert len({first.export, afterwards.export, *(other.export for other in others)}) == 4


async def test_the_same_command_given_at_once_is_one_export(stores: Stores) -> None:
    made = await asyncio.gather(*(stores.exports.create(an_export()) for _ in range(8)))

    assert len({export.export for export in made}) == 1


async def test_each_export_is_claimed_by_one_the_oldest_first(stores: Stores) -> None:
    exports = [
        (await stores.exports.create(an_export(destination=f"s3://bucket/{number}"))).export
        for number in range(4)
    ]

    oldest = await claimed(stores)
    claims = await asyncio.gather(
        *(stores.exports.claim(lease_seconds=LEASE_SECONDS) for _ in range(8))
    )

    assert oldest.export_id == exports[0]
    assert {lease.export_id for lease in claims if lease is not None} == set(exports[1:])
    assert sum(lease is not None for lease in claims) == 3


async def test_the_export_of_a_holder_that_died_is_begun_anew_by_another(stores: Stores) -> None:
    export = await stores.exports.create(an_export())
    dead = await claimed(stores)
    await stores.exports.renew(
        dead, datapoints=5, lease_seconds=LEASE_SECONDS, upload="parts of the dead"
    )
    await stores.exports.renew(dead, datapoints=6, lease_seconds=LEASE_SECONDS)

    assert await stores.exports.claim(lease_seconds=LEASE_SECONDS) is None
    await holder_dies(stores)
    following = await claimed(stores)

    assert (following.export_id, following.attempts) == (export.export, 2)
    assert (dead.upload, following.upload) == (None, "parts of the dead")
    assert (await stores.exports.exporting(ExportNamed(export=export.export))).datapoints == 0


Deed = Callable[[Stores, ExportLease], Awaitable[None]]


async def renew(stores: Stores, lease: ExportLease) -> None:
    await stores.exports.renew(lease, datapoints=99, lease_seconds=LEASE_SECONDS, upload="late")


async def complete(stores: Stores, lease: ExportLease) -> None:
    await stores.exports.complete(lease, datapoints=99)


async def fail(stores: Stores, lease: ExportLease) -> None:
    await stores.exports.fail(lease, code="late", message="late")


@pytest.mark.parametrize("deed", [renew, complete, fail])
async def test_a_holder_that_lost_its_lease_writes_nothing(stores: Stores, deed: Deed) -> None:
    export = await stores.exports.create(an_export())
    late = await claimed(stores)
    await holder_dies(stores)
    following = await claimed(stores)

    with pytest.raises(LeaseLost):
        await deed(stores, late)
    await stores.exports.release(late)

    found = await stores.exports.exporting(ExportNamed(export=export.export))
    assert (found.status, found.datapoints, found.error) == ("running", 0, None)
    await stores.exports.complete(following, datapoints=1)
    with pytest.raises(LeaseLost):
        await deed(stores, following)


async def test_who_gives_an_export_back_has_not_tried_it(stores: Stores) -> None:
    export = await stores.exports.create(an_export())
    await stores.exports.release(await claimed(stores))

    waiting = await stores.exports.exporting(ExportNamed(export=export.export))

    assert waiting.status == "waiting"
    assert (await claimed(stores)).attempts == 1


async def test_an_export_that_waits_or_is_given_back_wakes_whoever_writes(
    stores: Stores, database_url: str
) -> None:
    async with open_changes(database_url) as changes:
        watcher = changes.watch("exports")
        # It wakes everybody once, when it has begun to listen.
        await watcher.wait(20)

        async with asyncio.timeout(10):
            await stores.exports.create(an_export())
            await watcher.wait(60)
            await stores.exports.release(await claimed(stores))
            await watcher.wait(60)


async def test_leases_of_whoever_is_known_to_be_gone_are_freed(stores: Stores) -> None:
    await stores.exports.create(an_export())
    lost = await claimed(stores)

    await stores.upkeep.free_leases()

    assert (await claimed(stores)).export_id == lost.export_id


async def test_what_nobody_knows_is_not_found(stores: Stores) -> None:
    export = await stores.exports.create(an_export())
    await stores.jobs.cancel("default", "first")
    await stores.jobs.delete("default", "first")

    for job in ("first", "nobody", str(uuid4())):
        with pytest.raises(NotFound, match=f"no job '{job}' in workspace 'default'"):
            await stores.exports.create(an_export(job))
    for named in (
        ExportNamed(export=uuid4()),
        ExportNamed(export=export.export, workspace="elsewhere"),
    ):
        with pytest.raises(NotFound, match="no export"):
            await stores.exports.exporting(named)


async def test_what_is_known_of_exports_goes_with_their_job_or_after_its_days(
    stores: Stores,
) -> None:
    await stores.jobs.create(a_new_job(name="second"))
    ended, recent, deleted, under_way = [
        (await stores.exports.create(an_export(job, f"s3://bucket/{number}"))).export
        for number, job in enumerate(("first", "first", "second", "second"))
    ]
    for _ in range(3):
        await stores.exports.complete(await claimed(stores), datapoints=1)
    await stores.jobs.cancel("default", "second")
    await stores.jobs.delete("default", "second")
    for export, age in ((ended, 31 * 24), (recent, 24), (deleted, 24)):
        await stores.value(
            "UPDATE export SET finished_at = now() - make_interval(hours => $2) WHERE export_id = $1",
            export,
            age,
        )

    await stores.upkeep.forget(event_days=30, answer_days=30)

    kept = await stores.value("SELECT array_agg(export_id ORDER BY export_no) FROM export")
    assert kept == [recent, under_way]
