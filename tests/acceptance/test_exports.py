"""A job as a file, out of the whole system in this process and out of services behind a broker."""

import csv
import io
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import pandas as pd
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it has no types
import pytest

from evalbus import (
    Benchmark,
    BenchmarkJob,
    Client,
    CsvExportConfig,
    JsonExportConfig,
    ParquetExportConfig,
)
from evalbus.errors import Invalid, NotFound
from evalbus.exporting import config_of
from tests.acceptance.judged import a_judge, row_of
from tests.acceptance.live import LOCAL, a_live_benchmark
from tests.servers import forked
from tests.servers.broker import Broker
from tests.servers.deadline import wait_until
from tests.servers.openai_endpoint import Act, Asked, OpenAIEndpoint, hangs, judges
from tests.servers.postgres import Databases
from tests.system import System, clean_environment, evalbus

SECONDS = 60.0

HOSTILE = 'a;b,c|d\te "quoted" \'single\' back\\slash\\\r\nnext\rline\n=1+1 漢字🙂 \\"'
ITEMS: list[dict[str, Any]] = [
    {"q": "question 0", "ref": "yes", "terse": "yes", "chatty": "no", "human": "good", "n": 1},
    {"q": "question 1", "ref": "no", "terse": "yes", "chatty": "yes", "human": "good", "n": 20},
    {"q": "question 2", "ref": "yes", "terse": "no", "chatty": "no", "human": "bad", "n": 300},
    {"q": "question 3", "ref": "no", "terse": "no", "human": None, "model": "mine", "n": 4000},
    {"q": "question 4", "ref": HOSTILE, "terse": HOSTILE, "chatty": "=1+1", "tags": ["a", None]},
]
MODELS = ("terse", "chatty")


def verdict_on(asked: Asked) -> Act:
    """Odd questions are answered badly, it says."""
    return judges(verdict="bad" if row_of(asked) % 2 else "good")


def a_benchmark(judge: OpenAIEndpoint) -> dict[str, Any]:
    verdict = {
        "name": "verdict",
        "rubric": [{"label": "good", "value": 1}, {"label": "bad", "value": 0}],
    }
    return {
        "name": "exported",
        "description": "What people and judges say.",
        "datasets": [{"name": "questions", "rows": ITEMS}],
        "models": [
            {"name": name, "type": "recorded", "output": f"{{{{ item.{name} }}}}"}
            for name in MODELS
        ],
        "metrics": [
            {"name": "exact", "type": "exact-match", "reference": "{{ item.ref }}"},
            a_judge(judge, scores=[verdict], ground_truth="{{ item.human }}"),
        ],
        "slices": [
            {"name": "large", "where": "n > 10"},
            {"name": "larger", "where": "n > 100"},
        ],
    }


@dataclass(frozen=True)
class Place:
    """Where the job ran: a client there, and the environment of the command line."""

    client: Client
    environment: Mapping[str, str]

    def say(self, *arguments: str, code: int = 0) -> "Said":
        done = forked.run(("results", "export", *arguments), self.environment, seconds=SECONDS)
        assert done.returncode == code, done.stderr.decode()
        return Said(done.stdout, done.stderr.decode())


@dataclass(frozen=True)
class Said:
    out: bytes
    error: str


@pytest.fixture(scope="module")
def endpoint() -> Iterator[OpenAIEndpoint]:
    with OpenAIEndpoint(verdict_on) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("embedded")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in LOCAL.items():
            patch.setenv(name, value)
        with Client.embedded(folder) as client:
            yield Place(client, clean_environment(LOCAL | {"EVALBUS_DATA_DIR": str(folder)}))


@pytest.fixture(scope="module")
def services(
    broker: Broker, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    vhost, database_url = f"test-{uuid4().hex}", databases.make()
    broker.make_vhost(vhost)
    folder = tmp_path_factory.mktemp("services")
    system = System(broker.url(vhost), database_url, folder, settings=LOCAL)
    try:
        system.start("producer", "evaluator", "results")
        with Client(amqp_url=system.amqp_url) as client:
            yield Place(client, system.client_environment)
    finally:
        system.stop()
        broker.drop_vhost(vhost)
        databases.drop(database_url)


@pytest.fixture(scope="module", params=["embedded", "services"])
def place(request: pytest.FixtureRequest, endpoint: OpenAIEndpoint) -> Place:
    """With the job `exported`, which has completed; one of its rows failed."""
    found: Place = request.getfixturevalue(request.param)
    found.client.jobs.start(a_benchmark(endpoint), job="exported", labels={"why": "test"})
    ended = found.client.jobs.wait("exported", timeout_seconds=SECONDS)
    assert (ended.status, ended.failed_rows) == ("completed", 1), ended.error
    return found


in_this_process = pytest.mark.parametrize("place", ["embedded"], indirect=True)
"""For what does not depend on where a job ran."""


@pytest.fixture
def job(place: Place) -> BenchmarkJob:
    return BenchmarkJob("exported", "completed", "default/exported", client=place.client)


@pytest.fixture
def document(job: BenchmarkJob, tmp_path: Path) -> dict[str, Any]:
    job.export(tmp_path / "run.json")
    found: dict[str, Any] = json.loads((tmp_path / "run.json").read_text("utf-8"))
    return found


def entries(datapoint: Mapping[str, Any], model: str, criterion: str) -> dict[str, Any]:
    """By score type."""
    return {
        score["score_type"]: score
        for score in datapoint["scores"]
        if (score["model"], score["criteria_name"]) == (f"default/{model}", criterion)
    }


def cells(text: str, config: CsvExportConfig) -> list[dict[str, str]]:
    reader = csv.DictReader(
        io.StringIO(text, newline=""),
        delimiter=config.sep,
        quotechar=config.quotechar,
        escapechar=config.escapechar,
        strict=True,
    )
    return list(reader)


# --- JSON ---------------------------------------------------------------------------------------


def test_s3_an_export_is_a_json_document(
    job: BenchmarkJob, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "new" / "run.json")

    job.export(path)

    document = json.loads(Path(path).read_text("utf-8"))
    assert list(document) == ["benchmark_metadata", "execution_metadata", "data", "slices"]
    assert capsys.readouterr().out == f"Benchmark execution exported to {path}\n"
    assert [each.name for each in Path(path).parent.iterdir()] == ["run.json"]


def test_s4_a_datapoint_has_outputs_rationales_and_agreements(document: dict[str, Any]) -> None:
    right, wrong, _, failed, _ = document["data"]

    assert [sample["output"] for sample in right["samples"]] == [
        {"output_text": "yes"},
        {"output_text": "no"},
    ]
    assert entries(right, "terse", "exact")["EVAL"]["value"] == 1.0
    assert entries(right, "chatty", "exact")["EVAL"]["value"] == 0.0
    good, bad = entries(right, "terse", "judge"), entries(wrong, "terse", "judge")
    assert (good["EVAL"]["value"], good["EVAL"]["label"]) == (1.0, "good")
    assert (bad["EVAL"]["value"], bad["EVAL"]["label"]) == (0.0, "bad")
    assert "I have looked at it." in good["RATIONALE"]["value"]
    # People took both for good.
    assert (good["AGREEMENT"]["value"], bad["AGREEMENT"]["value"]) == (1.0, 0.0)
    # Nobody said anything, and there was no answer either.
    assert set(entries(failed, "terse", "judge")) == {"EVAL", "RATIONALE"}
    (entry,) = entries(failed, "chatty", "judge").values()
    assert (entry["score_type"], entry["value"]) == ("EVAL", None)
    assert "chatty" in entry["error"]


def test_s5_a_datapoint_knows_its_slices(document: dict[str, Any]) -> None:
    memberships = [point["slice_membership"] for point in document["data"]]

    assert memberships == [[], ["large"], ["large", "larger"], ["large", "larger"], []]
    assert [(each["id"], each["reserved_slice_type"]) for each in document["slices"]] == [
        ("None", "global"),
        ("-1", "no_slice"),
        ("1", "regular_slice"),
        ("2", "regular_slice"),
    ]


def test_s6_the_run_is_told_as_the_service_knows_it(document: dict[str, Any], place: Place) -> None:
    known = place.client.jobs.get("exported")

    benchmark, execution = document["benchmark_metadata"], document["execution_metadata"]
    assert (benchmark["name"], benchmark["description"]) == (
        "exported",
        "What people and judges say.",
    )
    assert list(benchmark) == ["uid", "name", "description", "created_at", "created_by"]
    assert (execution["uid"], execution["name"]) == (known.uid, "exported")
    assert execution["created_by"] == known.created_by
    times = [datetime.fromisoformat(execution[f"{name}_at"]) for name in ("started", "finished")]
    assert times == [known.started_at, known.finished_at]
    assert execution["duration_seconds"] == (times[1] - times[0]).total_seconds() > 0
    assert (execution["status"], execution["partial"]) == ("completed", False)
    assert (execution["rows"], execution["failed_rows"]) == (10, 1)
    assert execution["labels"] == {"why": "test"}
    assert execution["datasets"] == ["default/questions"]
    assert execution["models"] == ["default/terse", "default/chatty"]
    assert [metric["name"] for metric in execution["definition"]["metrics"]] == ["exact", "judge"]


def test_s7_rows_that_nobody_was_asked_about_are_exported_too(
    place: Place, endpoint: OpenAIEndpoint, tmp_path: Path
) -> None:
    client, name = place.client, "stopped"
    with OpenAIEndpoint(lambda _: hangs()) as silent:
        client.jobs.start(a_live_benchmark(silent, rows=40, name="stopped"), job=name)
        wait_until(
            lambda: client.jobs.get(name).rows_total == 40,
            timeout_seconds=SECONDS,
            otherwise=lambda: str(client.jobs.why(name)),
        )
        running = place.say(name, str(tmp_path / "active.json"))
        client.jobs.cancel(name)
        client.jobs.wait(name, timeout_seconds=SECONDS)
    client.results.export(name, tmp_path / "cancelled.json")
    client.results.export(name, tmp_path / "cancelled.parquet", ParquetExportConfig())
    cancelled = place.say(name, str(tmp_path / "cancelled.csv"))

    for status in ("active", "cancelled"):
        document = json.loads((tmp_path / f"{status}.json").read_text("utf-8"))
        execution = document["execution_metadata"]
        assert (execution["status"], execution["partial"]) == (status, True)
        assert [point["item"]["q"] for point in document["data"]] == [
            f"question {row}" for row in range(40)
        ]
        assert all(not point["samples"] and not point["scores"] for point in document["data"])
    for status, said in (("active", running), ("cancelled", cancelled)):
        assert f"partial: job {name} is {status}" in said.error
        assert f"40 rows of job {name} written to" in said.error
    lines = cells((tmp_path / "cancelled.csv").read_text("utf-8"), CsvExportConfig())
    assert len(lines) == pq.read_table(tmp_path / "cancelled.parquet").num_rows == 40
    assert {(line["model"], line["right"]) for line in lines} == {("", "")}
    assert lines[39]["q"] == "question 39"


# --- tables -------------------------------------------------------------------------------------

HEADER = [
    *("x_uid", "dataset", "row_index", "row_id"),
    *("q", "ref", "terse", "chatty", "human", "n", "item.model", "tags"),
    *("model", "repeat", "failed", "latency_seconds", "output_text", "exact", "exact_error"),
    *("judge", "judge_label", "judge_rationale", "judge_agreement", "judge_truth", "judge_error"),
    "slices",
]


def test_s8_a_csv_has_the_uploaded_columns_and_the_ground_truth(
    job: BenchmarkJob, tmp_path: Path
) -> None:
    path = tmp_path / "run.csv"

    job.export(path, CsvExportConfig())

    lines = cells(path.read_text("utf-8"), CsvExportConfig())
    assert sorted(lines[0]) == sorted(HEADER)
    assert len(lines) == len(ITEMS) * len(MODELS)
    second = {line["model"]: line for line in lines if line["row_index"] == "1"}
    terse = second["default/terse"]
    assert (terse["q"], terse["ref"], terse["n"], terse["human"]) == (
        *("question 1", "no", "20"),
        "good",
    )
    assert (terse["output_text"], terse["exact"], terse["failed"]) == ("yes", "0.0", "False")
    assert (terse["judge"], terse["judge_label"]) == ("0.0", "bad")
    assert (terse["judge_agreement"], terse["judge_truth"]) == ("0.0", "1.0")
    assert "I have looked at it." in terse["judge_rationale"]
    assert (terse["slices"], lines[4]["slices"]) == ("large", "large|larger")
    failed = lines[7]
    assert (failed["failed"], failed["exact"], failed["item.model"]) == ("True", "", "mine")
    assert "chatty" in failed["exact_error"]


@pytest.mark.parametrize(
    "config",
    [
        CsvExportConfig(neutralise=False),
        CsvExportConfig(sep=";", quotechar="'", neutralise=False),
        CsvExportConfig(sep="\t", escapechar="^", neutralise=False),
        CsvExportConfig(sep="|", neutralise=False),
    ],
    ids=lambda config: repr(config.sep),
)
def test_s9_what_is_in_a_cell_comes_back(
    config: CsvExportConfig, job: BenchmarkJob, tmp_path: Path
) -> None:
    path = tmp_path / "run.csv"

    job.export(str(path), config=config)

    with path.open(encoding="utf-8", newline="") as file:
        line = cells(file.read(), config)[8]
    frame = pd.read_csv(
        path,
        sep=config.sep,
        quotechar=config.quotechar,
        escapechar=config.escapechar,
        keep_default_na=False,
    )
    for found in (line, frame.iloc[8]):
        assert (found["ref"], found["output_text"], found["chatty"]) == (HOSTILE, HOSTILE, "=1+1")
        assert found["tags"] == '["a", null]'


def test_s9_a_spreadsheet_gets_nothing_to_run(job: BenchmarkJob, tmp_path: Path) -> None:
    job.export(tmp_path / "run.csv", CsvExportConfig())

    line = cells((tmp_path / "run.csv").read_bytes().decode(), CsvExportConfig())[9]
    assert (line["chatty"], line["output_text"]) == ("'=1+1", "'=1+1")


def test_parquet_is_the_same_table_with_types(job: BenchmarkJob, tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"

    job.export(path, ParquetExportConfig())

    frame = pd.read_parquet(path)
    assert sorted(frame.columns.astype(str)) == sorted(HEADER)
    assert frame["exact"].sum() == 3.0
    assert frame["ref"].iloc[8] == HOSTILE
    assert list(frame["slices"].iloc[4]) == ["large", "larger"]


# --- what is refused ----------------------------------------------------------------------------


def test_s10_only_a_config_is_a_config(job: BenchmarkJob, tmp_path: Path) -> None:
    job.export(tmp_path / "run.json", config=JsonExportConfig())
    wrong: Any = {"format": "csv"}

    with pytest.raises(ValueError, match="Invalid export config"):
        job.export(tmp_path / "run.csv", config=wrong)

    assert [each.name for each in tmp_path.iterdir()] == ["run.json"]


def test_a_connector_is_ignored_for_a_local_file(job: BenchmarkJob, tmp_path: Path) -> None:
    job.export(tmp_path / "run.json", connector_config_uid=1)

    assert (tmp_path / "run.json").is_file()


@in_this_process
def test_what_cannot_be_written_is_one_sentence_and_leaves_nothing(
    place: Place, tmp_path: Path
) -> None:
    refused = {
        "not a file that could be replaced": place.say("exported", str(tmp_path), code=2),
        "'/sys/run.json'": place.say("exported", "/sys/run.json", code=1),
        "no job 'nobody'": place.say("nobody", str(tmp_path / "new" / "run.csv"), code=1),
    }

    for sentence, said in refused.items():
        assert sentence in said.error
        assert "Traceback" not in said.error
    assert list(tmp_path.iterdir()) == []


@in_this_process
def test_a_disk_that_is_full_leaves_the_old_file(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("of yesterday", "utf-8")
    command = " ".join(evalbus("results", "export", "exported", str(path)))

    # Files of more than one block of 1024 bytes cannot be written, as if the disk had no more.
    done = subprocess.run(
        ["/bin/bash", "-c", f"ulimit -f 1; {command}"],
        env=dict(place.environment),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert f"'{path}'" in done.stderr
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [
        ("run.json", "of yesterday")
    ]


# --- the command line ---------------------------------------------------------------------------


@in_this_process
def test_the_format_goes_by_the_ending_unless_it_is_given(place: Place, tmp_path: Path) -> None:
    lines, table, other = (tmp_path / name for name in ("run.ndjson", "run.txt", "run"))

    said = place.say("exported", str(lines))
    place.say("exported", str(table), "--format", "csv", "--sep", "\\t", "--no-neutralise")
    place.say("exported", str(other))

    assert said == Said(b"", f"5 rows of job exported written to {lines}\n")
    found = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    assert json.loads(other.read_text("utf-8"))["data"] == found
    config = CsvExportConfig(sep="\t")
    assert cells(table.read_bytes().decode(), config)[9]["output_text"] == "=1+1"


@in_this_process
@pytest.mark.parametrize("format", ["json", "csv"])
def test_standard_output_gets_what_a_file_would(
    format: Literal["json", "csv"], place: Place, tmp_path: Path
) -> None:
    path = tmp_path / f"run.{format}"

    said = place.say("exported", "-", "--format", format)
    place.client.results.export("exported", path, config_of(format))

    assert said == Said(path.read_bytes(), "5 rows of job exported written\n")


def test_a_program_exports_as_well(place: Place, tmp_path: Path) -> None:
    exported = place.client.results.export("exported", tmp_path / "run.json")

    assert (exported.datapoints, exported.partial, exported.job.name) == (5, False, "exported")
    with pytest.raises(NotFound):
        place.client.results.export("nobody", tmp_path / "none.json")
    with pytest.raises(Invalid, match="not a file"):
        place.client.results.export("exported", tmp_path)


def test_the_latest_execution_is_the_last_of_the_list(place: Place, tmp_path: Path) -> None:
    latest = Benchmark("default/exported", client=place.client).list_executions()[-1]

    latest.export(tmp_path / "latest.json")

    document = json.loads((tmp_path / "latest.json").read_text("utf-8"))
    assert document["execution_metadata"]["name"] == "exported"
