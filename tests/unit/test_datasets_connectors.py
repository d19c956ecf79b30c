"""Connectors: how their file is read, and what a library is told of them."""

from pathlib import Path
from typing import Any

import pytest

from evalbus.datasets import Sources, open_dataset
from evalbus.datasets.bucket_access import gs_options, s3_options
from evalbus.datasets.connectors import (
    Connector,
    GsConnector,
    HttpsConnector,
    S3Connector,
    load_connectors,
)
from evalbus.datasets.remote import RemoteAccess
from evalbus.errors import Invalid, NotAllowed, NotFound, WrongSettings
from evalbus.outside.secrets import Secrets, parse_bindings
from evalbus.settings import load_settings
from evalbus_schemas.benchmark import Dataset

FILE = """
archive: {type: s3, endpoint_url: https://store.example.org, region: eu, key_secret: KEY, secret_secret: WORD}
open: {type: s3, anonymous: true}
cloud: {type: gs, token_secret: TOKEN}
wiki: {type: https, endpoint_url: https://wiki.example.org/files, token_secret: TOKEN, headers: {X-Team: KEY}}
"""


def access(*, allow_private: bool = False, bound: str = "", **environment: str) -> RemoteAccess:
    secrets = Secrets(
        bindings=parse_bindings(bound),
        folder=Path("/nowhere"),
        environment={f"EVALBUS_SECRET_{name}": value for name, value in environment.items()},
    )
    return RemoteAccess(connectors={}, secrets=secrets, allow_private=allow_private)


def test_a_file_of_connectors_is_read_by_name(tmp_path: Path) -> None:
    # given
    path = tmp_path / "connectors.yaml"
    path.write_text(FILE)

    # when
    sources = Sources.of(load_settings({"connectors_file": path}), roots=None)

    # then
    assert sources.connectors == {
        "archive": S3Connector(
            type="s3",
            endpoint_url="https://store.example.org",
            region="eu",
            key_secret="KEY",
            secret_secret="WORD",
        ),
        "open": S3Connector(type="s3", anonymous=True),
        "cloud": GsConnector(type="gs", token_secret="TOKEN"),
        "wiki": HttpsConnector(
            type="https",
            endpoint_url="https://wiki.example.org/files",
            token_secret="TOKEN",
            headers={"X-Team": "KEY"},
        ),
    }


def test_without_a_file_there_are_no_connectors() -> None:
    assert load_connectors(None) == {}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: {type: s4}", "a.*'s3'.*'gs'.*'https'"),
        ("a: {type: s3}", "a.*give key_secret and secret_secret, or else anonymous: true"),
        ("a: {type: s3, key_secret: KEY}", "give key_secret and secret_secret"),
        ("a: {type: s3, anonymous: true, key_secret: KEY, secret_secret: WORD}", "or else"),
        ("a: {type: gs}", "give token_secret, or else"),
        ("a: {type: https, token_secret: TOKEN}", "endpoint_url"),
        ("a: {type: s3, anonymous: true, bucket: b}", "bucket"),
        ("a: {type: gs, token_secret: ya29.abc}", "token_secret"),
        ("a: {type: gs, token_secret: EVALBUS_DATABASE_URL}", "belong to the system"),
        ("A B: {type: s3, anonymous: true}", "A B"),
        ("- a", "top level: Input should be an object"),
        ("a: {", "line 1"),
    ],
)
def test_what_is_wrong_with_the_file_is_said_with_its_setting(
    tmp_path: Path, content: str, words: str
) -> None:
    # given
    path = tmp_path / "connectors.yaml"
    path.write_text(content)

    # when, then
    with pytest.raises(WrongSettings, match=f"EVALBUS_CONNECTORS_FILE: .*{words}"):
        load_connectors(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongSettings, match=r"EVALBUS_CONNECTORS_FILE: .*none\.yaml: No such file"):
        load_connectors(tmp_path / "none.yaml")


CONNECTORS: dict[str, Connector] = {
    "archive": S3Connector(type="s3", anonymous=True),
    "cloud": GsConnector(type="gs", anonymous=True),
}


@pytest.mark.parametrize(
    ("source", "connector", "words"),
    [
        ("s3://b/a.jsonl", None, r"needs a connector of type s3 \(known: archive\)"),
        ("gs://b/a.jsonl", None, r"needs a connector of type gs \(known: cloud\)"),
        ("s3://b/a.jsonl", "archiv", r"unknown connector 'archiv'; did you mean 'archive'"),
        ("s3://b/a.jsonl", "cloud", r"'cloud' is of type gs, wanted one of type s3"),
        ("https://example.org/a.jsonl?s=x", "cloud", r"source 'https://example.org/a.jsonl': .*'cloud' is of type gs"),
        ("ftp://example.org/a.jsonl", None, r"unknown scheme 'ftp'"),
        ("file:///etc/passwd", None, r"unknown scheme 'file'"),
    ],
)  # fmt: skip
def test_a_source_without_its_connector_is_refused_with_those_there_are(
    source: str, connector: str | None, words: str
) -> None:
    dataset = Dataset(name="rows", source=source, connector=connector)

    with pytest.raises(Invalid, match=f"dataset 'rows': .*{words}"):
        open_dataset(dataset, sources=Sources(roots=None, connectors=CONNECTORS))


def test_the_secrets_of_a_bucket_are_looked_up_for_its_own_host() -> None:
    # given
    connector = S3Connector(
        type="s3",
        endpoint_url="https://store.example.org:9000",
        region="eu",
        key_secret="KEY",
        secret_secret="WORD",
    )
    bound = "WORD=store.example.org:9000"

    # when
    options = s3_options(connector, access(bound=bound, KEY="k", WORD="w"))

    # then
    assert (options["key"], options["secret"], options["token"]) == ("k", "w", None)
    assert options["endpoint_url"] == "https://store.example.org:9000"
    assert options["client_kwargs"] == {"region_name": "eu"}
    assert options["config_kwargs"]["s3"] == {"addressing_style": "path"}
    assert "resolver" in options["config_kwargs"]["connector_args"]
    elsewhere = connector.model_copy(update={"endpoint_url": "https://thief.example.org"})
    with pytest.raises(NotAllowed, match="WORD may be sent to store"):
        s3_options(elsewhere, access(bound=bound, KEY="k", WORD="w"))


def test_an_anonymous_bucket_is_asked_without_keys() -> None:
    # when
    options = s3_options(S3Connector(type="s3", anonymous=True), access())

    # then
    assert (options["anon"], options["key"], options["secret"]) == (True, None, None)


@pytest.mark.parametrize(
    ("connector", "options"),
    [
        (S3Connector(type="s3", endpoint_url="http://10.0.0.1:9000", anonymous=True), s3_options),
        (GsConnector(type="gs", endpoint_url="http://localhost:4443", anonymous=True), gs_options),
    ],
    ids=["s3", "gs"],
)
def test_a_private_endpoint_is_refused_unless_it_is_allowed(connector: Any, options: Any) -> None:
    options(connector, access(allow_private=True))

    with pytest.raises(NotAllowed, match="EVALBUS_ALLOW_PRIVATE_ENDPOINTS"):
        options(connector, access())


def test_google_is_told_a_token_a_key_or_that_one_is_nobody() -> None:
    # given
    connector = GsConnector(type="gs", token_secret="TOKEN")

    # when
    token = gs_options(connector, access(TOKEN="ya29.abc"))["token"]
    key = gs_options(connector, access(TOKEN='{"type":"service_account"}'))["token"]
    nobody = gs_options(GsConnector(type="gs", anonymous=True), access())["token"]

    # then
    assert token.token == "ya29.abc"
    assert key == {"type": "service_account"}
    assert nobody == "anon"
    with pytest.raises(Invalid, match="secret TOKEN: neither") as raised:
        gs_options(connector, access(TOKEN="{canary"))
    assert "canary" not in str(raised.value)


def test_a_secret_that_is_not_set_is_named_before_anybody_is_asked() -> None:
    connector = GsConnector(type="gs", token_secret="TOKEN")

    with pytest.raises(NotFound, match="secret TOKEN is not set"):
        gs_options(connector, access())


def test_an_uploaded_file_is_read_from_its_copy(tmp_path: Path) -> None:
    # given
    copy = tmp_path / "copy"
    copy.write_bytes(b'{"a":1}')
    source = f"upload://{'ab' * 32}/rows.jsonl"
    asked: list[str] = []

    def uploads(wanted: str) -> Path:
        asked.append(wanted)
        return copy

    # when
    reader = open_dataset(
        Dataset(name="rows", source=source), sources=Sources(roots=(), uploads=uploads)
    )

    # then
    assert [row.item for row in reader.read(10, 100)] == [b'{"a":1}']
    assert asked == [source]
    (mark,) = reader.fingerprint().files
    assert (mark.path, mark.mtime_ns, mark.sha256) == (source, 0, "ab" * 32)
    reader.close()


@pytest.mark.parametrize(
    ("source", "refusal", "words"),
    [
        (f"upload://{'ab' * 32}/rows.jsonl", NotFound, "uploaded to, not here"),
        ("upload://abc/rows.jsonl", Invalid, "is no uploaded file"),
        (f"upload://{'ab' * 32}/../rows.jsonl", Invalid, "is no uploaded file"),
    ],
)
def test_an_upload_that_is_not_here_is_refused(source: str, refusal: type, words: str) -> None:
    with pytest.raises(refusal, match=words):
        open_dataset(Dataset(name="rows", source=source), sources=Sources(roots=()))
