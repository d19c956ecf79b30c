"""Metrics, templates and patterns that mean harm: refused in words, or a row that fails, or a job that says why it ended."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from evalbus.client import Client
from evalbus.errors import Refused
from evalbus_schemas.jobs import Job
from tests.servers.broker import Broker
from tests.servers.postgres import Databases
from tests.system import IMPATIENT, System

RUDE = '''
"""A metric that does what its parameters say: to the third row, to all rows together, or when it is built."""

import os
import sys

from evalbus.metrics import Columns, Metric, Remark, ScoreDeclaration, Whole
from evalbus_schemas.base import Closed


def deep(levels):
    return {"in": deep(levels - 1)} if levels else {}


def refuse():
    raise RuntimeError("no such luck")


ROW = {
    "raise": lambda: 1 / 0,
    "fork": lambda: os.fork(),
    "exit": lambda: os._exit(3),
    "quit": lambda: sys.exit("no more"),
}
REMARK = {
    "deep": Remark(detail=deep(200)),
    "large": Remark(label="x" * 10**6, rationale="y" * 10**6, detail={"z": "z" * 10**6}),
    "halves": Remark(label="\\ud800", rationale="\\udfff\\x00"),
}
COUNTS = {
    "float": (0.5, 1),
    "huge": (2**70, 1),
    "text": ("1", 1),
    "many": {str(number): 1 for number in range(10_000)},
    "other": {"a": 1},
}
WHOLE = {
    "raise": refuse,
    "quit": lambda: sys.exit("no more"),
    "few": lambda: Whole(values=[]),
    "text": lambda: Whole(values=["much"]),
    "none": lambda: None,
    "nan": lambda: Whole(values=[float("nan")]),
    "infinite": lambda: Whole(values=[float("inf")]),
    "huge": lambda: Whole(values=[0.5], detail={"z": "z" * 10**7}),
}


class Rude(Metric):
    class Parameters(Closed):
        build: bool = False
        row: str = ""
        remark: str = ""
        counts: str = ""
        whole: str = ""
        scores: tuple[str, ...] = ("rude",)

    def __init__(self, parameters, limits):
        if parameters.build:
            sys.exit("no such luck")
        self.says = parameters
        self.scores = tuple(ScoreDeclaration(name=n, direction="higher") for n in parameters.scores)
        self.corpus = (ScoreDeclaration(name="all", direction="higher"),)

    def templates(self):
        return {}

    def score(self, batch):
        counts = [(1, 1)] * len(batch)
        remarks = {}
        for place, item in enumerate(batch.items):
            if item["row"] != 3:
                continue
            ROW.get(self.says.row, str)()
            counts[place] = COUNTS.get(self.says.counts, (1, 1))
            if self.says.remark:
                remarks[place, 0] = REMARK[self.says.remark]
        return Columns(values=[[1.0] * len(batch)], counts=counts, remarks=remarks)

    def whole(self, total):
        return WHOLE[self.says.whole]() if self.says.whole else Whole(values=[total[0] / total[1]])
'''


@pytest.fixture(scope="module")
def client(
    broker: Broker, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """One system for all of them: whoever comes later finds it working."""
    folder = tmp_path_factory.mktemp("hostile")
    install_rude(folder)
    broker.make_vhost("hostile")
    url = databases.make()
    settings = {**IMPATIENT, "PYTHONPATH": str(folder), "EVALBUS_ROW_SECONDS_MAX": "2"}
    system = System(broker.url("hostile"), url, folder, settings=settings)
    try:
        system.start("producer", "results", "evaluator")
        with Client(amqp_url=system.amqp_url) as client:
            yield client
    finally:
        system.stop()
        broker.drop_vhost("hostile")
        databases.drop(url)


def install_rude(folder: Path) -> None:
    """As somebody else's package would be."""
    (folder / "rude.py").write_text(RUDE)
    record = folder / "rude-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: rude\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[evalbus.metrics]\nrude = rude:Rude\n")


def rude(**parameters: object) -> dict[str, object]:
    return {"name": "bad", "type": "rude"} | parameters


def comparing(template: str) -> dict[str, object]:
    sides: dict[str, object] = {"left_template": template, "right_template": "a"}
    return {"name": "bad", "type": "string-check", "operation": "=="} | sides


def a_benchmark(
    metric: Mapping[str, object], rows: Sequence[Mapping[str, object]] | None = None
) -> dict[str, Any]:
    """The metric beside a good one."""
    items = rows or [{"row": row, "output": "a", "reference": "a"} for row in range(6)]
    return {
        "name": "hostile",
        "datasets": [{"name": "rows", "rows": items}],
        "models": [{"name": "recorded", "type": "recorded", "output": "{{ item.output }}"}],
        "metrics": [
            metric,
            {"name": "good", "type": "exact-match", "reference": "{{ item.reference }}"},
        ],
    }


def run(client: Client, benchmark: Mapping[str, Any]) -> Job:
    job = client.jobs.start(benchmark)
    ended = client.jobs.wait(job.name, timeout_seconds=60)
    assert ended.is_terminal, repr(client.jobs.why(job.name))
    return ended


def good_values(client: Client, job: Job) -> list[float]:
    rows = sorted(client.results.rows(job.name), key=lambda row: row.row_index)
    return [row.metrics["default/good"][0].value for row in rows if not row.failed]


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (rude(build=True), ["metric 'bad'", "SystemExit: no such luck"]),
        (rude(scores=["one", "one"]), ["metric 'bad'", "two scores", "'one'"]),
        (rude(scores=["all"]), ["metric 'bad'", "two scores", "'all'"]),
        (rude(scores=["one\x00"]), ["metric 'bad'", "no name for a score"]),
        ({"name": "bad", "type": "regex", "pattern": "(?=a)"}, ["metric 'bad'", "look-around"]),
        (comparing("{{ item.row"), ["metric 'bad'", "'{{ item.row'", "not a template"]),
        ({"name": "bad", "type": "regex", "pattern": 5}, ["metric 'bad'", "pattern"]),
        ({"name": "bad", "type": "bleu", "references": 5}, ["metric 'bad'", "references"]),
        (
            {"name": "bad", "type": "json-schema", "schema": {"$ref": "http://169.254.169.254/"}},
            ["metric 'bad'", "$ref", "nothing is fetched"],
        ),
        (
            {"name": "bad", "type": "json-schema", "schema": {"$ref": "#"}},
            ["metric 'bad'", "circle"],
        ),
        (
            {"name": "bad", "type": "pass-at-k", "of": {"type": "pass-at-k"}},
            ["metric 'bad'", "another metric than itself"],
        ),
        (
            {"name": "bad", "type": "pass-at-k", "of": {"type": "amqp", "queue": "q"}},
            ["metric 'bad'", "asks somebody outside"],
        ),
    ],
)
def test_what_can_be_known_beforehand_is_refused_naming_the_metric(
    client: Client, metric: Mapping[str, object], words: list[str]
) -> None:
    with pytest.raises(Refused) as refusal:
        client.jobs.start(a_benchmark(metric))

    assert [word for word in words if word not in str(refusal.value)] == []


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (rude(row="raise"), "ZeroDivisionError"),
        (rude(row="exit"), "exit code 3"),
        (rude(row="quit"), "SystemExit: no more"),
        (
            rude(counts="float"),
            "wanted integers for a row's counts, by place or by name, found (0.5",
        ),
        (rude(counts="text"), "found ('1', 1)"),
        (rude(counts="huge"), "64-bit"),
        (rude(counts="many"), "counts of"),
        (comparing("{{ 'a' * 10**(10 * (item.row == 3)) }}"), "memory"),
        (comparing("{{ 'a'|center(10**(7 * (item.row == 3))) }}"), "more than 1048576 characters"),
        (comparing("{{ item.row if item.row != 3 else ''.__class__.__mro__ }}"), "SecurityError"),
        (
            comparing(
                "{% if item.row == 3 %}{% for i in range(99999) %}{% for j in range(99999) %}"
                "{% endfor %}{% endfor %}{% endif %}"
            ),
            "longer than 2 seconds",
        ),
    ],
)
def test_a_row_that_does_harm_fails_with_its_reason_and_no_other_does(
    client: Client, metric: Mapping[str, object], words: str
) -> None:
    job = run(client, a_benchmark(metric))

    (failed,) = client.results.rows(job.name, failed_only=True)
    assert (job.status, job.rows, job.failed_rows, failed.row_index) == ("completed", 6, 1, 3)
    assert words in (failed.metric_errors or {})["default/bad"]
    assert good_values(client, job) == [1.0] * 5


@pytest.mark.parametrize(
    "metric",
    [
        rude(row="fork"),
        rude(remark="deep"),
        rude(remark="large"),
        rude(remark="halves"),
        rude(whole="nan"),
        rude(whole="infinite"),
        rude(whole="huge"),
        {"name": "bad", "type": "exact-match", "reference": "{{ item.reference }}\x00"},
        comparing("{% for each in item.output %}{{ loop.index }}{% endfor %}"),
    ],
    ids=lambda metric: str(sorted(metric.items())),
)
def test_what_is_only_odd_costs_no_row(client: Client, metric: Mapping[str, object]) -> None:
    job = run(client, a_benchmark(metric))

    assert (job.status, job.rows, job.failed_rows) == ("completed", 6, 0)
    assert good_values(client, job) == [1.0] * 6
    assert len(client.results.get(job.name).results) == 2


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (rude(whole="raise"), "RuntimeError: no such luck"),
        (rude(whole="quit"), "SystemExit: no more"),
        (rude(whole="few"), "wanted 1 values, found 0"),
        (rude(whole="text"), "could not convert string to float"),
        (rude(whole="none"), "AttributeError"),
        (rude(counts="other"), "some rows count by name and others by place"),
    ],
)
def test_all_rows_together_that_cannot_be_scored_end_their_job_with_the_reason_and_no_later_one(
    client: Client, metric: Mapping[str, object], words: str
) -> None:
    job = run(client, a_benchmark(metric))
    later = run(client, a_benchmark(rude()))

    assert job.status == "error"
    assert job.error is not None
    assert "metric " in job.error.message
    assert "bad'" in job.error.message
    assert words in job.error.message
    assert good_values(client, job) == [1.0] * 6
    assert later.status == "completed"


@pytest.mark.parametrize(
    "metric",
    [
        {"name": "bad", "type": "regex", "pattern": "(a+)+$"},
        {"name": "bad", "type": "json-schema", "schema": {"pattern": "(a+)+$"}},
    ],
    ids=["regex", "json-schema"],
)
def test_a_pattern_that_takes_others_years_takes_a_moment(
    client: Client, metric: Mapping[str, object]
) -> None:
    # given
    text = '"' + "a" * 100_000 + 'b"'
    rows = [{"output": text, "reference": text}] * 2

    # when
    job = run(client, a_benchmark(metric, rows))

    # then
    assert (job.status, job.failed_rows) == ("completed", 0)
    assert client.results.get(job.name).results[0].scores[0].mean == 0.0
