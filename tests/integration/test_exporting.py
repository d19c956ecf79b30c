"""Exports to buckets come to their end, whoever dies meanwhile, and nobody ever sees a half of one."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from evalbus.datasets.connectors import S3Connector
from evalbus.datasets.remote import RemoteAccess
from evalbus.errors import Conflict
from evalbus.outside.secrets import Secrets
from evalbus.producer.buckets.base import PART_BYTES
from evalbus.producer.destinations import Destinations
from evalbus.producer.exporting import ATTEMPTS_MAX, Exporting
from evalbus_schemas.exports import DatapointPage, ExportJob, ExportNamed, ListDatapoints
from evalbus_schemas.exports import Exporting as Export
from tests.builders import a_new_job
from tests.exporting import a_head
from tests.servers.deadline import wait_until
from tests.servers.s3_storage import KEY, SECRET, S3Storage
from tests.stores import Stores, open_stores

LEASE_SECONDS = 1.0
LARGE_ROW = json.dumps({"text": "x" * 1024 * 1024}).encode()
ROWS = PART_BYTES // len(LARGE_ROW) + 3


class Pause:
    """Looks again in a moment."""

    async def wait(self, timeout_seconds: float) -> None:
        await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def storage() -> Iterator[S3Storage]:
    with S3Storage() as opened:
        yield opened


@pytest.fixture
def bucket(storage: S3Storage) -> str:
    name = f"b-{uuid4().hex}"
    storage.add_bucket(name)
    return name


@pytest.fixture
async def stores(database_url: str) -> AsyncGenerator[Stores]:
    """With a job whose export takes two parts."""
    async with open_stores(database_url) as opened:
        await opened.a_job_read(a_new_job(name="large"), items=[LARGE_ROW] * ROWS)
        yield opened


def exporting(stores: Stores, url: str) -> Exporting:
    connector = S3Connector(
        type="s3", endpoint_url=url, region="us-east-1", key_secret="KEY", secret_secret="WORD"
    )
    environment = {"EVALBUS_SECRET_KEY": KEY, "EVALBUS_SECRET_WORD": SECRET}
    secrets = Secrets(folder=Path("/nowhere"), environment=environment)
    access = RemoteAccess(connectors={"mine": connector}, secrets=secrets, allow_private=True)
    return Exporting(
        store=stores.exports,
        datapoints=stores.datapoints,
        destinations=Destinations(access=access),
        work=Pause(),
        lease_seconds=LEASE_SECONDS,
        poll_seconds=1.0,
    )


@asynccontextmanager
async def at_work(stores: Stores, url: str) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(exporting(stores, url).run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def begun(stores: Stores, bucket: str) -> Export:
    command = ExportJob(
        job="large", destination=f"s3://{bucket}/run.jsonl", format="jsonl", connector="mine"
    )
    return await stores.exports.create(command)


async def now(stores: Stores, export: Export) -> Export:
    return await stores.exports.exporting(ExportNamed(export=export.export))


async def ended(stores: Stores, export: Export) -> Export:
    async with asyncio.timeout(30):
        while True:
            found = await now(stores, export)
            if found.is_terminal:
                return found
            await asyncio.sleep(0.05)


async def lease_ends(stores: Stores) -> None:
    await stores.value("UPDATE export SET lease_until = now() - $1::interval", timedelta(seconds=1))


@asynccontextmanager
async def held(storage: S3Storage, *words: str) -> AsyncIterator[None]:
    """Requests with one of these words wait until it is left; entered when one does."""
    storage.held.clear()
    storage.is_waiting.clear()
    storage.holds = lambda method, url: any(word in f"{method} {url}" for word in words)
    try:
        yield
    finally:
        storage.holds = lambda _method, _url: False
        storage.held.set()


async def test_an_export_appears_when_it_is_whole(
    stores: Stores, storage: S3Storage, bucket: str
) -> None:
    # given
    async with at_work(stores, storage.url):
        async with held(storage, "POST /"):
            export = await begun(stores, bucket)
            await asyncio.to_thread(storage.is_waiting.wait)
            running = await now(stores, export)
            seen = storage.objects(bucket)

        # when
        completed = await ended(stores, export)

    # then
    assert (running.status, seen) == ("running", {})
    assert (completed.status, completed.datapoints, completed.error) == ("completed", ROWS, None)
    (content,) = storage.objects(bucket).values()
    lines = [json.loads(line) for line in content.splitlines()]
    assert [line["row_index"] for line in lines] == list(range(ROWS))
    assert {len(line["item"]["text"]) for line in lines} == {1024 * 1024}
    assert storage.unfinished(bucket) == []


async def test_the_export_of_a_producer_that_died_is_completed_by_another(
    stores: Stores, storage: S3Storage, bucket: str
) -> None:
    # given: one that died with parts in the bucket
    export = await begun(stores, bucket)
    dead = await stores.exports.claim(lease_seconds=60)
    assert dead is not None
    upload = storage.begin(bucket, "run.jsonl")
    await stores.exports.renew(dead, datapoints=7, lease_seconds=60, upload=upload)
    await lease_ends(stores)

    # when
    async with at_work(stores, storage.url):
        completed = await ended(stores, export)

    # then
    assert (completed.status, completed.datapoints) == ("completed", ROWS)
    assert [*storage.objects(bucket)] == ["run.jsonl"]
    assert storage.unfinished(bucket) == []


async def test_a_producer_that_stops_gives_its_export_back_and_leaves_nothing(
    stores: Stores, storage: S3Storage, bucket: str
) -> None:
    # given
    export = await begun(stores, bucket)
    async with held(storage, "partNumber"), at_work(stores, storage.url) as stopping:
        await asyncio.to_thread(storage.is_waiting.wait)

        # when
        stopping.cancel()
        async with asyncio.timeout(10):
            await asyncio.wait([stopping])
        waiting = await now(stores, export)
        left = storage.unfinished(bucket)

    # then
    assert (waiting.status, left, storage.objects(bucket)) == ("waiting", [], {})
    following = await stores.exports.claim(lease_seconds=60)
    assert following is not None
    assert following.attempts == 1


async def test_a_producer_that_was_taken_for_dead_makes_no_object(
    stores: Stores, storage: S3Storage, bucket: str
) -> None:
    # given: it writes, and does not come to renew its lease
    export = await begun(stores, bucket)
    async with at_work(stores, storage.url):
        async with held(storage, "partNumber"):
            await asyncio.to_thread(storage.is_waiting.wait)

            # when
            await stores.value(
                "UPDATE export SET lease_token = gen_random_uuid(), lease_until = now() + interval '1 hour'"
            )
        await asyncio.to_thread(
            wait_until,
            lambda: not storage.unfinished(bucket),
            timeout_seconds=30,
            otherwise=lambda: "its parts are still there",
        )

    # then
    assert (await now(stores, export)).status == "running"
    assert storage.objects(bucket) == {}


async def test_an_export_whose_job_is_deleted_ends_and_leaves_nothing(
    stores: Stores, storage: S3Storage, bucket: str
) -> None:
    # given
    await stores.jobs.cancel("default", "large")
    export = await begun(stores, bucket)
    async with at_work(stores, storage.url):
        async with held(storage, "POST /"):
            await asyncio.to_thread(storage.is_waiting.wait)

            # when
            await stores.jobs.delete("default", "large")
        failed = await ended(stores, export)

    # then
    assert failed.error is not None
    assert (failed.error.code, failed.error.message) == ("job_deleted", "the job was deleted")
    assert storage.objects(bucket) == {}
    assert storage.unfinished(bucket) == []


async def test_an_export_that_ends_every_producer_is_given_up(
    stores: Stores, storage: S3Storage, bucket: str
) -> None:
    # given
    export = await begun(stores, bucket)
    for _ in range(ATTEMPTS_MAX):
        dead = await stores.exports.claim(lease_seconds=60)
        assert dead is not None
        await stores.exports.renew(
            dead, datapoints=0, lease_seconds=60, upload=storage.begin(bucket, "run.jsonl")
        )
        await lease_ends(stores)

    # when
    async with at_work(stores, storage.url):
        failed = await ended(stores, export)

    # then
    assert failed.error is not None
    assert failed.error.code == "interrupted"
    assert "was begun 3 times" in failed.error.message
    # Of the last one: those before it would have removed the others.
    assert len(storage.unfinished(bucket)) == ATTEMPTS_MAX - 1


async def test_a_bucket_that_cannot_be_reached_is_tried_a_few_times(stores: Stores) -> None:
    # given: the time that the library takes by itself is not what this is about
    export = await begun(stores, "bucket")
    for _ in range(ATTEMPTS_MAX - 1):
        assert await stores.exports.claim(lease_seconds=60)
        await lease_ends(stores)

    # when
    async with at_work(stores, "http://127.0.0.1:1"):
        failed = await ended(stores, export)

    # then
    assert failed.error is not None
    assert failed.error.code == "unreachable"
    assert "s3://bucket/run.jsonl: there is no connection to 127.0.0.1:1" in failed.error.message


class Changing:
    """A datapoint is another one whenever the rest of it is asked for."""

    async def page(self, query: ListDatapoints) -> DatapointPage:
        if query.after is not None:
            raise Conflict("the datapoint has changed since its first part was read: begin anew")
        return DatapointPage(head=a_head(), lines='{"x', count=0, next="0.0.3.7")


async def test_a_job_that_changes_all_the_time_is_given_up(stores: Stores, bucket: str) -> None:
    # given
    export = await begun(stores, bucket)
    for _ in range(ATTEMPTS_MAX - 1):
        assert await stores.exports.claim(lease_seconds=60)
        await lease_ends(stores)
    changing = replace(exporting(stores, "http://127.0.0.1:1"), datapoints=Changing())

    # when
    task = asyncio.create_task(changing.run())
    try:
        failed = await ended(stores, export)
    finally:
        task.cancel()
        await asyncio.wait([task])

    # then
    assert failed.error is not None
    assert failed.error.code == "changed"
    assert "has changed since its first part was read" in failed.error.message
