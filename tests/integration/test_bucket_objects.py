"""Objects of buckets are there when they are whole, and not before, however their writing ends."""

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from evalbus.datasets.connectors import Connector, GsConnector, S3Connector
from evalbus.datasets.remote import RemoteAccess
from evalbus.errors import Invalid, NotAllowed, NotFound
from evalbus.outside.secrets import Secrets
from evalbus.producer.buckets import BucketAway, BucketObject, BucketRefused
from evalbus.producer.buckets.base import PART_BYTES
from evalbus.producer.destinations import Destinations
from evalbus_schemas.exports import ExportJob
from tests.servers.google_storage import STEP_BYTES, GoogleStorage
from tests.servers.s3_storage import KEY, SECRET, S3Storage

ENVIRONMENT = {
    "EVALBUS_SECRET_KEY": KEY,
    "EVALBUS_SECRET_WORD": SECRET,
    "EVALBUS_SECRET_OTHER": "another-key",
}
CHUNK = os.urandom(1024 * 1024)
CHUNKS_IN_A_PART = PART_BYTES // len(CHUNK)


def s3(url: str | None, *, key: str = "KEY") -> S3Connector:
    return S3Connector(
        type="s3", endpoint_url=url, region="us-east-1", key_secret=key, secret_secret="WORD"
    )


def gs(url: str) -> GsConnector:
    return GsConnector(type="gs", endpoint_url=url, token_secret="WORD")


def command(destination: str, connector: str | None = "mine", **more: str) -> ExportJob:
    return ExportJob.model_validate(
        {"job": "a", "destination": destination, "connector": connector} | more
    )


def destinations(*, allow_private: bool = True, **connectors: Connector) -> Destinations:
    secrets = Secrets(folder=Path("/nowhere"), environment=ENVIRONMENT)
    access = RemoteAccess(connectors=connectors, secrets=secrets, allow_private=allow_private)
    return Destinations(access=access)


@pytest.fixture(scope="module")
def storage() -> Iterator[S3Storage]:
    with S3Storage() as opened:
        yield opened


@pytest.fixture(scope="module")
def google() -> Iterator[GoogleStorage]:
    with GoogleStorage() as opened:
        yield opened


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """One of either kind, with an object `old` in it."""

    place: str
    connector: Connector
    objects: Callable[[], dict[str, bytes]]
    unfinished: Callable[[], list[str]]

    def opened(self, name: str) -> BucketObject:
        return destinations(mine=self.connector).open(command(f"{self.place}/{name}"))


@pytest.fixture(params=["s3", "gs"])
def bucket(request: pytest.FixtureRequest, storage: S3Storage, google: GoogleStorage) -> Bucket:
    name = f"b-{uuid4().hex}"
    if request.param == "s3":
        storage.add_bucket(name)
        storage.put(name, "old", b"of before")
        return Bucket(
            place=f"s3://{name}",
            connector=s3(storage.url),
            objects=lambda: storage.objects(name),
            unfinished=lambda: storage.unfinished(name),
        )
    google.put(name, "old", b"of before")
    return Bucket(
        place=f"gs://{name}",
        connector=gs(google.url),
        objects=lambda: google.objects(name),
        unfinished=lambda: google.unfinished,
    )


async def test_an_object_of_many_parts_appears_when_it_is_whole(bucket: Bucket) -> None:
    # given
    before: list[object] = []

    # when
    async with bucket.opened("old") as target:
        for _ in range(2 * CHUNKS_IN_A_PART + 3):
            await target.write(CHUNK)
        before.append(bucket.objects())
        before.append(bucket.unfinished())
        await target.commit()

    # then
    assert before == [{"old": b"of before"}, ["old"]]
    assert bucket.objects() == {"old": CHUNK * (2 * CHUNKS_IN_A_PART + 3)}
    assert bucket.unfinished() == []


@pytest.mark.parametrize("content", [b"", b"a line\n", CHUNK * CHUNKS_IN_A_PART])
async def test_what_fits_into_a_part_is_an_object_too(bucket: Bucket, content: bytes) -> None:
    async with bucket.opened("a folder/ä%?#+&.json") as target:
        await target.write(content)
        await target.commit()

    assert bucket.objects() == {"old": b"of before", "a folder/ä%?#+&.json": content}


@pytest.mark.parametrize("n_chunks", [0, 1, CHUNKS_IN_A_PART + 1])
async def test_what_is_not_committed_leaves_nothing(bucket: Bucket, n_chunks: int) -> None:
    async with bucket.opened("new") as target:
        for _ in range(n_chunks):
            await target.write(CHUNK)

    assert bucket.objects() == {"old": b"of before"}
    assert bucket.unfinished() == []


async def test_a_part_of_which_little_is_kept_is_sent_on(google: GoogleStorage) -> None:
    # given
    google.put("slow", "old", b"")
    google.keeps_at_once = 23 * STEP_BYTES
    target = destinations(mine=gs(google.url)).open(command("gs://slow/new"))

    # when
    try:
        async with target:
            for _ in range(CHUNKS_IN_A_PART + 1):
                await target.write(CHUNK)
            await target.commit()
    finally:
        google.keeps_at_once = 2**40

    # then
    assert google.objects("slow")["new"] == CHUNK * (CHUNKS_IN_A_PART + 1)


async def test_whoever_is_cancelled_does_not_wait_for_the_server_and_leaves_nothing(
    storage: S3Storage,
) -> None:
    # given
    storage.add_bucket("cancelled")
    storage.holds = lambda method, url: "partNumber" in url

    async def write() -> None:
        async with destinations(mine=s3(storage.url)).open(command("s3://cancelled/new")) as target:
            while True:
                await target.write(CHUNK)

    writing = asyncio.create_task(write())
    await asyncio.to_thread(storage.is_waiting.wait)

    # when
    try:
        writing.cancel()
        async with asyncio.timeout(10):
            await asyncio.wait([writing])
    finally:
        storage.holds = lambda _method, _url: False
        storage.held.set()

    # then
    assert writing.cancelled()
    assert storage.unfinished("cancelled") == []


async def test_parts_of_whoever_died_are_removed_and_gone_ones_are_no_matter(
    storage: S3Storage,
) -> None:
    # given
    storage.add_bucket("left")
    upload = storage.begin("left", "new")
    following = destinations(mine=s3(storage.url)).open(command("s3://left/new"))
    assert storage.unfinished("left") == ["new"]

    # when
    await following.remove(upload)
    await following.remove(upload)

    # then
    assert storage.unfinished("left") == []


async def test_a_server_that_is_out_of_order_for_a_moment_is_asked_again(
    storage: S3Storage,
) -> None:
    storage.add_bucket("patient")
    storage.breaks_left = 2

    async with destinations(mine=s3(storage.url)).open(command("s3://patient/new")) as target:
        await target.commit()

    assert storage.objects("patient") == {"new": b""}


async def refused(opened: Destinations, wanted: ExportJob) -> BucketRefused:
    """Why an object cannot be written there."""
    with pytest.raises(BucketRefused) as raised:
        async with opened.open(wanted) as target:
            await target.commit()
    return opened.explained(wanted, raised.value)


async def test_a_refusal_says_what_is_missing_and_which_connectors_there_are(
    storage: S3Storage, google: GoogleStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    storage.add_bucket("closed")
    google.closed_buckets.add("closed")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", storage.url)
    opened = destinations(
        mine=s3(storage.url), other=s3(storage.url, key="OTHER"), google=gs(google.url)
    )

    # when
    found = {
        (place, connector): await refused(opened, command(f"{place}/new", connector))
        for place, connector in (
            ("s3://closed", None),
            ("s3://closed", "other"),
            ("s3://nobody-s", "mine"),
            ("gs://closed", "google"),
            ("gs://nobody-s", "google"),
        )
    }

    # then
    assert {about: (each.code, each.message) for about, each in found.items()} == {
        ("s3://closed", None): (
            "connector_missing",
            "s3://closed/new: access is denied (AccessDenied); it needs a connector of type s3 (known: mine, other)",
        ),
        ("s3://closed", "other"): (
            "not_allowed",
            "s3://closed/new: access is denied (InvalidAccessKeyId)",
        ),
        ("s3://nobody-s", "mine"): (
            "no_such_bucket",
            "s3://nobody-s/new: there is no such bucket",
        ),
        ("gs://closed", "google"): ("not_allowed", "gs://closed/new: access is denied (Forbidden)"),
        ("gs://nobody-s", "google"): (
            "no_such_bucket",
            "gs://nobody-s/new: there is no such bucket",
        ),
    }
    assert storage.objects("closed") == {}


async def test_a_public_bucket_is_written_without_a_connector(
    storage: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.add_bucket("public", is_closed=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", storage.url)

    async with destinations().open(command("s3://public/new", None)) as target:
        await target.commit()

    assert storage.objects("public") == {"new": b""}


async def test_a_server_that_nobody_runs_is_away() -> None:
    opened = destinations(mine=s3("http://127.0.0.1:1"))

    with pytest.raises(BucketAway, match=r"no connection to 127\.0\.0\.1:1"):
        async with opened.open(command("s3://bucket/new")) as target:
            await target.commit()


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "http://localhost:{port}"])
async def test_a_private_address_is_written_only_where_a_setting_allows_it(
    storage: S3Storage, url: str
) -> None:
    # given
    port = storage.url.rpartition(":")[2]
    asked = len(storage.requests)
    opened = destinations(allow_private=False, mine=s3(url.format(port=port)))

    # when, then
    with pytest.raises(NotAllowed, match="EVALBUS_ALLOW_PRIVATE_ENDPOINTS"):
        opened.check(command("s3://bucket/new"))
    assert len(storage.requests) == asked


@pytest.mark.parametrize(
    ("destination", "connector", "words"),
    [
        ("s3://", "mine", "names no bucket"),
        ("s3:///new", "mine", "names no bucket"),
        ("s3://a b/new", "mine", "names no bucket"),
        ("s3://bucket", "mine", "is a folder"),
        ("s3://bucket/", "mine", "is a folder"),
        ("s3://bucket/runs/", "mine", "is a folder"),
        ("s3://bucket/../other/new", "mine", "no object can have that name"),
        ("s3://bucket/new\n", "mine", "no object can have that name"),
        ("s3://bucket/" + "ä" * 513, "mine", "more than 1024 bytes"),
        ("s3://key:word@bucket/new", "mine", "has credentials in it"),
        ("s3://bucket/new", "mien", r"unknown connector 'mien'; did you mean 'mine'\?"),
        ("s3://bucket/new", "cloud", r"of type gs, wanted one of type s3 \(known: mine\)"),
        ("gs://bucket/new", "mine", r"of type s3, wanted one of type gs \(known: cloud\)"),
    ],
)
def test_a_destination_that_makes_no_sense_is_refused_at_once(
    destination: str, connector: str, words: str
) -> None:
    opened = destinations(mine=s3(None), cloud=gs("http://127.0.0.1:1"))

    with pytest.raises(Invalid, match=words):
        opened.check(command(destination, connector))


def test_what_else_can_be_known_beforehand_is_refused_at_once() -> None:
    opened = destinations(mine=s3(None, key="MISSING"), good=s3(None))

    opened.check(command("s3://bucket/new", "good", format="csv"))
    with pytest.raises(NotFound, match="secret MISSING is not set"):
        opened.check(command("s3://bucket/new"))
    with pytest.raises(Invalid, match="sep"):
        opened.check(command("s3://bucket/new", "good", format="csv", sep='"'))
