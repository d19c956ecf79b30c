"""Exporting a job from a program: what is written where, what is said, and what is refused."""

import csv
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evalbus import BenchmarkJob, Client, CsvExportConfig, JsonExportConfig, JsonlExportConfig
from evalbus.bus.base import Message
from evalbus.client.opening import client_settings
from evalbus.errors import Invalid, NotFound, PermanentError
from evalbus_schemas.exports import DatapointPage, ExportHead, ListDatapoints
from evalbus_schemas.jobs import JobStatus
from evalbus_schemas.usage import DatasetUsed
from tests.answers import a_bus_that_answers, a_job
from tests.exporting import Datapoint, a_datapoint, a_head, pages_of

POINTS = [a_datapoint(number, {"n": number}) for number in range(5)]
ACTIVE = a_head(execution=a_job(status=JobStatus.ACTIVE), partial=True)


class Service:
    """Has the datapoints of one job; `breaks_after` so many pages the job is gone."""

    def __init__(
        self,
        points: Sequence[Datapoint] = POINTS,
        *,
        head: ExportHead | None = None,
        breaks_after: int | None = None,
    ) -> None:
        self._points = points
        self._head = head
        self._breaks_after = breaks_after
        self.asked: list[ListDatapoints] = []

    def client(self) -> Client:
        answers: dict[str, Any] = {"results.datapoints": self._page}
        return Client(
            opener=lambda: a_bus_that_answers(answers),
            settings=client_settings(),
            timeout_seconds=5,
        )

    async def _page(self, wanted: ListDatapoints, _: Message) -> DatapointPage:
        self.asked.append(wanted)
        if len(self.asked) - 1 == self._breaks_after:
            raise NotFound("the job was deleted")
        pages = [page async for page in pages_of(self._points, head=self._head)]
        return pages[int(wanted.after or 0) // 2]


def the_job(client: Client) -> BenchmarkJob:
    return BenchmarkJob("capitals-1", "active", "default/capitals", client=client)


def test_s3_json_is_what_an_export_is_without_a_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "run.json"

    with Service().client() as client:
        the_job(client).export(str(path))

    document = json.loads(path.read_text("utf-8"))
    assert list(document) == ["benchmark_metadata", "execution_metadata", "data", "slices"]
    assert document["data"] == POINTS
    assert capsys.readouterr().out == f"Benchmark execution exported to {path}\n"


def test_a_config_chooses_the_format_and_a_connector_is_ignored_for_local_files(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.csv"

    with Service().client() as client:
        the_job(client).export(path, CsvExportConfig(sep=";"), connector_config_uid=1)
        the_job(client).export(
            tmp_path / "run.json", config=JsonExportConfig(), connector_config_uid=None
        )

    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file, delimiter=";", escapechar="\\"))
    assert [line["n"] for line in lines] == ["0", "1", "2", "3", "4"]


def test_what_was_written_is_told(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    used = (DatasetUsed(dataset="capitals", rows=5, digest=None),)
    head = a_head(execution=a_job(status=JobStatus.COMPLETED, datasets=used))

    with Service(head=head).client() as client:
        exported = client.results.export(
            "capitals-1",
            tmp_path / "run.jsonl",
            JsonlExportConfig(),
            tell=lambda *far: seen.append(far),
        )

    assert (exported.datapoints, exported.partial, exported.format) == (5, False, "jsonl")
    assert exported.destination == str(tmp_path / "run.jsonl")
    assert seen == [(2, 5), (4, 5), (5, 5)]


def test_a_job_that_runs_gives_what_there_is_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "run.json"

    with Service(head=ACTIVE).client() as client:
        the_job(client).export(path)

    execution = json.loads(path.read_text("utf-8"))["execution_metadata"]
    assert (execution["partial"], execution["status"]) == (True, "active")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "is active: what was exported is what there is" in record.getMessage()


@pytest.mark.parametrize("breaks_after", [0, 1, 2])
def test_a_job_that_is_gone_leaves_what_was_there(
    breaks_after: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "run.json"
    path.write_text("of yesterday", "utf-8")

    with Service(breaks_after=breaks_after).client() as client, pytest.raises(NotFound):
        the_job(client).export(path)

    assert [(each.name, each.read_text("utf-8")) for each in tmp_path.iterdir()] == [
        ("run.json", "of yesterday")
    ]
    assert "could not be exported: the job was deleted" in caplog.text


def test_of_a_job_that_nobody_knows_no_folder_is_made(tmp_path: Path) -> None:
    with Service(breaks_after=0).client() as client, pytest.raises(NotFound):
        client.results.export("nobody", tmp_path / "new" / "run.json")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", ["csv", {"sep": ";"}, 1])
def test_s10_a_config_of_the_wrong_type_is_refused_before_anything_is_asked(
    wrong: Any, tmp_path: Path
) -> None:
    service = Service()

    with service.client() as client, pytest.raises(ValueError, match="Invalid export config"):
        the_job(client).export(tmp_path / "run.json", config=wrong)

    assert service.asked == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_a_value_error(tmp_path: Path) -> None:
    with Service().client() as client, pytest.raises(ValueError, match="not a file") as raised:
        the_job(client).export(tmp_path)

    assert isinstance(raised.value, Invalid)


@pytest.mark.parametrize(
    "url", ["https://example.org/run.json", "gcs://bucket/run.json", "S3://b/k", Path("s3://b/k")]
)
def test_nothing_is_written_to_other_urls(url: str | Path) -> None:
    with Service().client() as client, pytest.raises(ValueError, match="nothing can be written to"):
        the_job(client).export(url)


def test_without_a_client_there_is_nobody_to_ask(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="nobody to ask"):
        BenchmarkJob("job-1", "active", "b").export(tmp_path / "run.json")
