"""Datasets on other machines: a bucket and a web server that the tests start, and what neither may lead to."""

import io
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]  # it has no types
import orjson
import pyarrow  # type: ignore[import-untyped]  # it has no types
import pyarrow.parquet  # type: ignore[import-untyped]  # it has no types
import pytest
from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from moto.server import ThreadedMotoServer

from evalbus.datasets import DatasetReader, Fingerprint, ItemRow, Position, Sources, open_dataset
from evalbus.datasets.connectors import Connector, GsConnector, HttpsConnector, S3Connector
from evalbus.datasets.web_guard import WebGuard
from evalbus.errors import EvalbusError, Invalid, NotAllowed, NotFound, Refused, SourceBroken
from evalbus.outside.secrets import Secrets
from evalbus_schemas.benchmark import Dataset
from tests.servers.google_storage import GoogleStorage
from tests.servers.web_files import WebFiles

CANARY = "canary-3f9c1d"
ENVIRONMENT = {"EVALBUS_SECRET_KEY": "the-key", "EVALBUS_SECRET_WORD": CANARY}

ROWS = [{"id": number, "text": "ü" * (number % 50)} for number in range(3_000)]
LINES = b"\n".join(orjson.dumps(row) for row in ROWS)


def sources(connector: Connector | None = None, *, allow_private: bool = True) -> Sources:
    return Sources(
        roots=(),
        connectors={} if connector is None else {"mine": connector},
        secrets=Secrets(folder=Path("/nowhere"), environment=ENVIRONMENT),
        allow_private=allow_private,
    )


def opened(
    source: str | Sequence[str],
    connector: Connector | None = None,
    *,
    allow_private: bool = True,
    position: Position | None = None,
    format: str | None = None,
) -> DatasetReader:
    dataset = Dataset(
        name="rows",
        source=source if isinstance(source, str) else tuple(source),
        connector=None if connector is None else "mine",
        format=format,
    )
    return open_dataset(
        dataset, sources=sources(connector, allow_private=allow_private), position=position
    )


def read_all(reader: DatasetReader) -> list[ItemRow]:
    rows: list[ItemRow] = []
    while stretch := reader.read(1000, 1_000_000):
        rows += stretch
    reader.close()
    return rows


def items(reader: DatasetReader) -> list[Any]:
    return [orjson.loads(row.item) for row in read_all(reader)]


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file, row_group_size=500)
    return file.getvalue()


@pytest.fixture
def web() -> Iterator[WebFiles]:
    with WebFiles() as files:
        yield files


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def bucket(s3_endpoint: str) -> Iterator[Any]:
    """An empty one called `rows`."""
    resource = boto3.resource(
        "s3",
        endpoint_url=s3_endpoint,
        aws_access_key_id="the-key",
        aws_secret_access_key=CANARY,
        region_name="us-east-1",
    )
    found = resource.create_bucket(Bucket="rows")
    yield found
    found.objects.all().delete()
    resource.meta.client.close()


@pytest.fixture
def connector(s3_endpoint: str) -> S3Connector:
    return S3Connector(
        type="s3",
        endpoint_url=s3_endpoint,
        region="us-east-1",
        key_secret="KEY",
        secret_secret="WORD",
    )


@pytest.mark.parametrize(
    "manners",
    [
        {},
        {"knows_ranges": False},
        {"says_size": False},
        {"knows_ranges": False, "says_size": False},
        {"refuses_head": True},
        {"breaks_left": 2},
        {"breaks_left": 2, "knows_ranges": False},
    ],
    ids=str,
)
def test_a_file_of_a_web_server_is_read_whatever_its_manners(
    web: WebFiles, manners: dict[str, Any]
) -> None:
    # given
    url = web.add("/rows.jsonl", LINES, **manners)

    # when
    rows = items(opened(url))

    # then
    assert rows == ROWS


def test_a_large_file_is_read_in_blocks_and_gone_on_with_at_any_row(web: WebFiles) -> None:
    # given
    rows = [{"text": "x" * 10_000, "id": number} for number in range(2_000)]
    for manners in ({}, {"knows_ranges": False}):
        url = web.add("/rows.jsonl", b"\n".join(map(orjson.dumps, rows)), **manners)
        first = opened(url)
        begun = first.read(1_500, 20_000_000)
        first.close()

        # when
        rest = items(opened(url, position=first.position))

        # then
        assert [orjson.loads(row.item) for row in begun] + rest == rows


def test_a_parquet_file_of_a_web_server_is_read_from_its_end(web: WebFiles) -> None:
    # given
    url = web.add("/rows.parquet", as_parquet(ROWS))

    # when
    first = opened(url)
    begun = first.read(1_700, 10_000_000)
    rest = items(opened(url, position=first.position))
    first.close()

    # then
    assert [orjson.loads(row.item) for row in begun] + rest == ROWS


def test_a_parquet_file_of_unknown_size_is_refused_in_a_sentence(web: WebFiles) -> None:
    url = web.add("/rows.parquet", as_parquet(ROWS), says_size=False)

    with pytest.raises(SourceBroken, match="does not say how large"):
        read_all(opened(url))


def test_the_name_for_a_person_leaves_out_the_query(web: WebFiles) -> None:
    # given
    url = web.add("/rows.jsonl", b'{"a":1}\nno') + "?signature=" + CANARY
    reader = opened(url)

    # when
    fingerprint = reader.fingerprint()
    reader.read(1, 1)

    # then
    with pytest.raises(SourceBroken, match=r"http://127\.0\.0\.1:\d+/rows\.jsonl:2: ") as raised:
        reader.read(1, 1)
    reader.close()
    assert CANARY not in str(raised.value) + fingerprint.model_dump_json()


@pytest.mark.parametrize(
    ("manners", "words"),
    [
        ({"status": 404}, "no such file"),
        ({"status": 403}, "does not allow it"),
        ({"status": 500}, "status 500"),
        ({"location": "/elsewhere?" + CANARY}, "no such file"),
        ({"location": "ftp://example.org/rows"}, "connection failed"),
    ],
    ids=str,
)
def test_a_url_that_cannot_be_read_is_refused_with_the_reason_and_without_its_query(
    web: WebFiles, manners: dict[str, Any], words: str
) -> None:
    # given
    url = web.add("/rows.jsonl", LINES, **manners) + "?signature=" + CANARY

    # when, then
    with pytest.raises(Invalid, match=rf"dataset 'rows': source 'http://.*': .*{words}") as raised:
        opened(url)
    assert CANARY not in str(raised.value) + str(raised.value.data)


def test_a_server_that_nobody_runs_is_refused_with_its_address(web: WebFiles) -> None:
    with pytest.raises(Invalid, match=r"no connection to 127\.0\.0\.1:1"):
        opened("http://127.0.0.1:1/rows.jsonl")


def test_a_server_that_answers_more_than_was_asked_for_is_not_listened_to(web: WebFiles) -> None:
    url = web.add("/rows.jsonl", LINES * 100, answers_too_much=True)

    with pytest.raises(SourceBroken, match="more than"):
        read_all(opened(url))


def test_a_file_that_changes_while_it_is_read_breaks_the_reading(web: WebFiles) -> None:
    # given
    rows = b"\n".join(b'{"a":"%s"}' % (b"x" * 10_000) for _ in range(2_000))
    url = web.add("/rows.jsonl", rows)
    reader = opened(url)
    reader.read(1, 1)

    # when
    web.files["/rows.jsonl"].content = rows.replace(b"x", b"y")

    # then
    with pytest.raises(SourceBroken, match="changed while it was read") as raised:
        read_all(reader)
    assert raised.value.code == "source_changed"


def test_a_changed_file_of_a_web_server_has_another_fingerprint(web: WebFiles) -> None:
    # given
    url = web.add("/rows.jsonl", LINES)
    accepted = Fingerprint.model_validate_json(opened(url).fingerprint().model_dump_json())
    opened(url).verify(accepted)

    # when
    web.add("/rows.jsonl", LINES[:-1] + b" ")

    # then
    with pytest.raises(SourceBroken, match="has changed"):
        opened(url).verify(accepted)


PRIVATE = [
    "http://127.0.0.1:{port}/rows.jsonl",
    "http://localhost:{port}/rows.jsonl",
    "http://[::1]:{port}/rows.jsonl",
    "http://[::ffff:127.0.0.1]:{port}/rows.jsonl",
    "http://2130706433:{port}/rows.jsonl",
    "http://0x7f.1:{port}/rows.jsonl",
    "http://169.254.169.254/latest/meta-data.json",
    "http://10.0.0.1/rows.jsonl",
]


@pytest.mark.parametrize("source", PRIVATE)
def test_a_private_address_is_refused_unless_it_is_allowed(web: WebFiles, source: str) -> None:
    # given
    url = web.add("/rows.jsonl", LINES)
    port = url.rsplit(":", 1)[1].split("/")[0]

    # when, then
    with pytest.raises(NotAllowed, match=r"EVALBUS_ALLOW_PRIVATE_ENDPOINTS|169\.254"):
        opened(source.format(port=port), allow_private=False)
    assert web.requests == []


@pytest.mark.parametrize(
    "source", ["https://user:{canary}@example.org/a.jsonl", "https:///a.jsonl", "http://a b/"]
)
def test_what_is_no_plain_url_is_refused_without_repeating_what_is_secret(source: str) -> None:
    with pytest.raises(Invalid, match="URL") as raised:
        opened(source.format(canary=CANARY))
    assert CANARY not in str(raised.value) + str(raised.value.data)


def https(web: WebFiles, **options: Any) -> HttpsConnector:
    return HttpsConnector.model_validate({"type": "https", "endpoint_url": web.origin} | options)


def test_a_connector_says_who_one_is(web: WebFiles) -> None:
    # given
    wanted = {"Authorization": f"Bearer {CANARY}", "X-Key": "the-key"}
    url = web.add("/rows.jsonl", LINES, wanted_headers=wanted)

    # when
    rows = items(opened(url, https(web, token_secret="WORD", headers={"X-Key": "KEY"})))

    # then
    assert rows == ROWS


def test_secrets_are_sent_to_the_connectors_own_origin_only(web: WebFiles) -> None:
    # given
    with WebFiles() as stranger:
        elsewhere = stranger.add("/rows.jsonl", LINES)
        url = web.add("/rows.jsonl", location=elsewhere)
        connector = https(web, token_secret="WORD", headers={"X-Key": "KEY"})

        # when
        rows = items(opened(url, connector))

        # then
        assert rows == ROWS
        assert all("Authorization" in request.headers for request in web.requests)
        for request in stranger.requests:
            assert not {"Authorization", "X-Key"} & {*request.headers}
        with pytest.raises(NotAllowed, match=r"connector is for files below http://127"):
            opened(elsewhere, connector)


@pytest.mark.parametrize("path", ["/other/rows.jsonl", "/in/../other/rows.jsonl", "/inside.jsonl"])
def test_a_connector_reaches_nothing_beside_its_folder(web: WebFiles, path: str) -> None:
    # given
    connector = https(web, endpoint_url=web.origin + "/in", token_secret="WORD")

    # when, then
    with pytest.raises(NotAllowed, match="below"):
        opened(web.origin + path, connector)
    assert web.requests == []


def test_a_secret_that_is_not_set_is_named(web: WebFiles) -> None:
    with pytest.raises(NotFound, match="secret MISSING"):
        opened(web.add("/rows.jsonl"), https(web, token_secret="MISSING"))


def put(bucket: Any, **files: bytes) -> None:
    for name, content in files.items():
        bucket.put_object(Key=name.replace("__", "/").replace("_", "."), Body=content)


def test_files_of_a_bucket_are_read_by_name_by_folder_and_by_glob(
    bucket: Any, connector: S3Connector
) -> None:
    # given
    put(bucket, in__b_jsonl=b'{"a":2}', in__a_jsonl=b'{"a":1}', in__deep__c_json=b'[{"a":3}]')
    put(bucket, README_md=b"no rows", in___hidden_jsonl=b'{"a":0}')
    bucket.put_object(Key="in/", Body=b"")
    bucket.put_object(Key="in/[x].jsonl", Body=b'{"a":4}')

    # when
    found = {
        source: [row["a"] for row in items(opened(f"s3://rows/{source}", connector))]
        for source in ("in/b.jsonl", "in/[x].jsonl", "in/[ab].jsonl", "in/deep", "in", "**/*.json")
    }

    # then
    assert found == {
        "in/b.jsonl": [2],
        "in/[x].jsonl": [4],
        "in/[ab].jsonl": [1, 2],
        "in/deep": [3],
        "in": [4, 1, 2, 3],
        "**/*.json": [3],
    }


def test_a_large_file_of_a_bucket_is_gone_on_with_at_any_row(
    bucket: Any, connector: S3Connector
) -> None:
    # given
    put(bucket, rows_parquet=as_parquet(ROWS), rows_jsonl=LINES)

    for name in ("rows.jsonl", "rows.parquet"):
        first = opened(f"s3://rows/{name}", connector)
        begun = first.read(1_700, 10_000_000)
        first.close()

        # when
        rest = items(opened(f"s3://rows/{name}", connector, position=first.position))

        # then
        assert [orjson.loads(row.item) for row in begun] + rest == ROWS


def test_a_changed_file_of_a_bucket_has_another_fingerprint(
    bucket: Any, connector: S3Connector
) -> None:
    # given
    put(bucket, rows_jsonl=LINES)
    accepted = opened("s3://rows/rows.jsonl", connector).fingerprint()
    opened("s3://rows/rows.jsonl", connector).verify(accepted)

    # when
    put(bucket, rows_jsonl=LINES + b"\n")

    # then
    with pytest.raises(SourceBroken, match=r"s3://rows/rows\.jsonl has changed"):
        opened("s3://rows/rows.jsonl", connector).verify(accepted)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("s3://rows/nothing.jsonl", "names no file"),
        ("s3://rows/*.csv", "names no file"),
        ("s3://nobody/rows.jsonl", "names no file"),
        ("s3://", "names no bucket"),
        ("s3://*/rows.jsonl", "names no bucket"),
    ],
)
def test_a_source_that_is_not_in_a_bucket_is_refused_by_its_name(
    bucket: Any, connector: S3Connector, source: str, words: str
) -> None:
    with pytest.raises(Refused, match=words) as raised:
        opened(source, connector)
    assert CANARY not in str(raised.value)


def test_the_endpoint_of_a_bucket_must_be_public_too(bucket: Any, connector: S3Connector) -> None:
    with pytest.raises(NotAllowed, match="EVALBUS_ALLOW_PRIVATE_ENDPOINTS"):
        opened("s3://rows/rows.jsonl", connector, allow_private=False)


@pytest.fixture
def google() -> Iterator[GoogleStorage]:
    with GoogleStorage() as storage:
        yield storage


def gs(google: GoogleStorage) -> GsConnector:
    return GsConnector(type="gs", endpoint_url=google.url, token_secret="WORD")


def test_files_of_a_google_bucket_are_read_by_name_by_folder_and_by_glob(
    google: GoogleStorage,
) -> None:
    # given
    google.put("rows", "in/a.jsonl", b'{"a":1}')
    google.put("rows", "in/deep/b.csv", b"a\n2\n")
    google.put("rows", "in/.hidden.jsonl", b'{"a":0}')
    google.put("rows", "in/notes.txt", b"no rows")

    # when
    found = {
        source: [int(row["a"]) for row in items(opened(f"gs://rows/{source}", gs(google)))]
        for source in ("in/a.jsonl", "in/*.jsonl", "in")
    }

    # then
    assert found == {"in/a.jsonl": [1], "in/*.jsonl": [1], "in": [1, 2]}
    assert google.tokens == {f"Bearer {CANARY}"}


def test_a_large_file_of_a_google_bucket_is_read_as_one_version(google: GoogleStorage) -> None:
    # given
    rows = [{"text": "x" * 10_000, "id": number} for number in range(2_000)]
    google.put("rows", "rows.jsonl", b"\n".join(map(orjson.dumps, rows)))
    first = opened("gs://rows/rows.jsonl", gs(google))
    begun = first.read(1_500, 20_000_000)
    first.close()

    # when
    rest = items(opened("gs://rows/rows.jsonl", gs(google), position=first.position))

    # then
    assert [orjson.loads(row.item) for row in begun] + rest == rows


def test_a_google_file_that_changes_while_it_is_read_breaks_the_reading(
    google: GoogleStorage,
) -> None:
    # given
    rows = b"\n".join(b'{"a":"%s"}' % (b"x" * 10_000) for _ in range(2_000))
    google.put("rows", "rows.jsonl", rows)
    reader = opened("gs://rows/rows.jsonl", gs(google))
    accepted = reader.fingerprint()
    reader.read(1, 1)

    # when
    google.put("rows", "rows.jsonl", rows.replace(b"x", b"y"))

    # then
    with pytest.raises(SourceBroken, match=r"gs://rows/rows\.jsonl"):
        read_all(reader)
    with pytest.raises(SourceBroken, match="has changed"):
        opened("gs://rows/rows.jsonl", gs(google)).verify(accepted)


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_credentials_in_the_source_of_a_bucket_are_refused_and_not_repeated(scheme: str) -> None:
    with pytest.raises(Invalid, match="has credentials in it") as raised:
        opened(f"{scheme}://key:{CANARY}@rows/rows.jsonl")
    assert CANARY not in str(raised.value) + str(raised.value.data)


class Hosts(AbstractResolver):
    """Every name is this machine, as a public one would be elsewhere."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        """There is nothing to give up."""


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/secret",
        "http://localhost:{port}/secret",
        "http://2130706433:{port}/secret",
        "http://[::ffff:127.0.0.1]:{port}/secret",
        "http://169.254.169.254/latest/meta-data",
    ],
)
async def test_a_redirect_to_a_private_address_is_not_followed(
    web: WebFiles, location: str
) -> None:
    # given: a public server, to judge by its name
    port = int(web.origin.rsplit(":", 1)[1])
    web.add("/rows.jsonl", location=location.format(port=port))
    web.add("/secret", b"never")
    guard = WebGuard(shown="rows", allow_private=False, secret_headers={}, origin=None)
    connector = TCPConnector(resolver=Hosts())

    # when
    async with await guard.session(connector=connector) as session:
        with pytest.raises(Refused):
            await session.get(f"http://rows.example.org:{port}/rows.jsonl")

    # then
    assert [request.path for request in web.requests] == ["/rows.jsonl"]


def test_local_and_remote_files_make_one_dataset_in_the_order_of_its_sources(
    web: WebFiles, tmp_path: Path
) -> None:
    # given
    (tmp_path / "a.jsonl").write_text('{"a":2}')
    urls = [web.add("/z.csv", b"a\n1\n"), "a.jsonl", web.add("/b.json", b'[{"a":3}]')]
    dataset = Dataset(name="rows", source=tuple(urls))

    # when
    allowed = Sources(roots=(tmp_path,), allow_private=True)
    rows = items(open_dataset(dataset, sources=allowed))

    # then
    assert rows == [{"a": "1"}, {"a": 2}, {"a": 3}]


def test_the_canary_is_in_no_error_of_any_kind(web: WebFiles) -> None:
    # given
    connector = https(web, token_secret="WORD")
    urls = [
        web.add("/forbidden.jsonl", status=403),
        web.add("/broken.jsonl", LINES * 100, answers_too_much=True),
        web.add("/no.jsonl", b"no"),
    ]

    for url in urls:
        # when
        with pytest.raises(EvalbusError) as raised:
            read_all(opened(url, connector))

        # then
        told = f"{raised.value!r} {raised.value.__cause__!r} {vars(raised.value)}"
        assert CANARY not in told
    assert not any(CANARY in value for value in os.environ.values())
