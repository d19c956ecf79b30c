"""A job is exported to buckets by the producer, who has what it takes, and whoever asks for it needs nothing."""

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import pytest

from evalbus import Benchmark, BenchmarkJob, Client, CsvExportConfig
from evalbus.errors import Invalid, NotAllowed, NotFound
from tests.servers.google_storage import GoogleStorage
from tests.servers.s3_storage import KEY, SECRET, S3Storage
from tests.system import IMPATIENT, System, write_benchmark

ROWS = [{"output": f"a, {number}", "reference": "a, 1"} for number in range(9)]
LARGE_ROWS = [{"output": "b", "reference": "b", "text": "x" * 2**20} for _ in range(20)]
DATASET = {"name": "rows", "rows": ROWS}
MODEL = {"name": "recorded", "type": "recorded", "output": "{{ item.output }}"}
METRIC = {"name": "exact", "type": "exact-match", "reference": "{{ item.reference }}"}


@pytest.fixture
def storage() -> Iterator[S3Storage]:
    with S3Storage() as opened:
        yield opened


@pytest.fixture
def google() -> Iterator[GoogleStorage]:
    with GoogleStorage() as opened:
        yield opened


@pytest.fixture
def settings(storage: S3Storage, google: GoogleStorage, tmp_path: Path) -> Mapping[str, str]:
    """Connectors to both, and S3 as it is reached without one."""
    keys = {"type": "s3", "endpoint_url": storage.url, "secret_secret": "WORD"}
    connectors = {
        "1": keys | {"key_secret": "KEY"},
        "stranger": keys | {"key_secret": "OTHER_KEY"},
        "cloud": {"type": "gs", "endpoint_url": google.url, "token_secret": "WORD"},
    }
    file = tmp_path / "connectors.yaml"
    file.write_text(json.dumps(connectors))
    return {
        "EVALBUS_CONNECTORS_FILE": str(file),
        "EVALBUS_ALLOW_PRIVATE_ENDPOINTS": "1",
        "EVALBUS_SECRET_KEY": KEY,
        "EVALBUS_SECRET_WORD": SECRET,
        "EVALBUS_SECRET_OTHER_KEY": "another-key",
        "AWS_ENDPOINT_URL_S3": storage.url,
    }


def a_run(client: Client) -> BenchmarkJob:
    run = Benchmark("small", "small", [DATASET], [MODEL], [METRIC], client=client).start()
    assert run.wait(timeout_seconds=60) == "completed"
    return run


def test_s11_a_job_is_exported_to_a_bucket_and_a_refusal_says_what_it_wants(
    storage: S3Storage,
    google: GoogleStorage,
    settings: Mapping[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    storage.add_bucket("private")
    storage.add_bucket("public", is_closed=False)
    google.put("cloudy", "old", b"")
    with Client.embedded(tmp_path / "data") as client:
        run = a_run(client)

        # The connector of a private bucket, by its number as in the published interface.
        run.export("s3://private/runs/all.json", connector_config_uid=1)
        config = CsvExportConfig(sep=";", quotechar="'", escapechar="\\", neutralise=False)
        run.export("s3://private/runs/all.csv", config, connector_config_uid="1")
        # One is needed for a private bucket, and ignored for a public one and for a local file.
        with pytest.raises(
            Invalid, match=r"AccessDenied\); it needs a connector of type s3 \(known: 1, stranger\)"
        ):
            run.export("s3://private/none.json")
        run.export("s3://public/without.json")
        run.export("s3://public/with.json", connector_config_uid=1)
        run.export(tmp_path / "local.json", connector_config_uid="nobody-has-it")
        run.export("gs://cloudy/all.json", connector_config_uid="cloud")

        said: dict[str, str] = {}
        for destination, connector, error in (
            ("s3://private/new.json", "stranger", NotAllowed),
            ("s3://private/new.json", "strangr", Invalid),
            ("s3://private/new.json", "cloud", Invalid),
            ("s3://no-such-bucket/new.json", "1", NotFound),
            ("s3://private/runs/", "1", Invalid),
            ("s3://private", "1", Invalid),
            ("ftp://private/new.json", None, Invalid),
        ):
            with pytest.raises(error) as raised:
                run.export(destination, connector_config_uid=connector)
            said[f"{destination} {connector}"] = str(raised.value)
        with pytest.raises(NotFound, match="no job 'nobody'"):
            client.results.export("nobody", "s3://private/new.json", connector="1")
        job = run.id

    local = json.loads((tmp_path / "local.json").read_text())
    written = storage.objects("private") | storage.objects("public") | google.objects("cloudy")
    assert written.keys() == {
        "runs/all.json",
        "runs/all.csv",
        "without.json",
        "with.json",
        "old",
        "all.json",
    }
    for name in ("runs/all.json", "without.json", "with.json", "all.json"):
        found = json.loads(written[name])
        assert found["data"] == local["data"]
        assert len(found["data"]) == len(ROWS)
        assert found.keys() == local.keys()
    (tmp_path / "all.csv").write_bytes(written["runs/all.csv"])
    table = pd.read_csv(tmp_path / "all.csv", sep=";", quotechar="'", escapechar="\\")
    assert list(table["output"]) == [row["output"] for row in ROWS]
    assert {about: words for about, words in said.items() if "strangr" not in about} == {
        "s3://private/new.json stranger": f"job {job!r} was not exported: s3://private/new.json: access is denied (InvalidAccessKeyId) (not_allowed)",
        "s3://private/new.json cloud": "destination 's3://private/new.json': connector 'cloud' is of type gs, wanted one of type s3 (known: 1, stranger)",
        "s3://no-such-bucket/new.json 1": f"job {job!r} was not exported: s3://no-such-bucket/new.json: there is no such bucket (no_such_bucket)",
        "s3://private/runs/ 1": "destination 's3://private/runs/' is a folder: wanted the name of a file",
        "s3://private 1": "destination 's3://private' is a folder: wanted the name of a file",
        "ftp://private/new.json None": "nothing can be written to 'ftp://private/new.json': give a path, or s3://… or gs://… as text",
    }
    assert "did you mean 'stranger'?" in said["s3://private/new.json strangr"]
    assert storage.unfinished("private") == []


@pytest.fixture
def system(
    amqp_url: str, database_url: str, tmp_path: Path, settings: Mapping[str, str]
) -> Iterator[System]:
    system = System(amqp_url, database_url, tmp_path, settings={**IMPATIENT, **settings})
    system.start("producer", "results", "evaluator")
    try:
        yield system
    finally:
        system.stop()


def test_s11_an_export_survives_its_producer_and_is_never_seen_half(
    system: System, storage: S3Storage, tmp_path: Path
) -> None:
    storage.add_bucket("halves")
    benchmark = write_benchmark(tmp_path, LARGE_ROWS, name="large")
    system.run("run", str(benchmark), "--name", "large")
    seen: list[object] = []
    storage.holds = lambda _method, url: "partNumber=2" in url or "partNumber=1" in url

    def watch() -> None:
        """While the first producer sends a part."""
        storage.is_waiting.wait(60)
        seen.append(storage.objects("halves"))
        seen.append(storage.unfinished("halves"))
        system["producer"].kill9()
        storage.holds = lambda _method, _url: False
        storage.held.set()
        seen.append(storage.objects("halves"))
        system["producer"].restart()

    watching = threading.Thread(target=watch)
    watching.start()
    system.run("results", "export", "large", "s3://halves/run.jsonl", "--connector", "1")
    watching.join()

    assert seen == [{}, ["run.jsonl"], {}]
    (content,) = storage.objects("halves").values()
    lines = [json.loads(line) for line in content.splitlines()]
    assert [line["row_index"] for line in lines] == [*range(len(LARGE_ROWS))]
    assert storage.unfinished("halves") == []
    log = system["producer"].log.read_text()
    assert "export.accepted" in log
    assert KEY not in log
    assert SECRET not in log
