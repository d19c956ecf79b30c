"""Datasets, models, metrics and benchmarks are saved once under a name and run many times."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalbus.client import Client
from evalbus.errors import Conflict, Invalid, NotAllowed, NotFound, OverLimit
from evalbus_schemas.benchmark import StartBenchmark
from tests.acceptance.bare import publish
from tests.servers.deadline import wait_until
from tests.system import System

ROWS = [{"output": "a", "reference": "a"}, {"output": "b", "reference": "a"}]
DATASET: dict[str, Any] = {"name": "rows", "rows": ROWS}
MODEL: dict[str, Any] = {"name": "recorded", "type": "recorded", "output": "{{ item.output }}"}
METRIC: dict[str, Any] = {
    "name": "exact",
    "type": "exact-match",
    "reference": "{{ item.reference }}",
}
PARTS = ("datasets", "models", "metrics")
NAMED: dict[str, Any] = {
    "name": "quiz",
    "datasets": ["default/rows"],
    "models": ["default/recorded"],
    "metrics": ["default/exact"],
}


@pytest.fixture(params=["running services", "one process"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    """The same of both ways to run it."""
    if request.param == "one process":
        with Client.embedded(tmp_path / "embedded") as opened:
            yield opened
    else:
        services: System = request.getfixturevalue("services")
        with Client(amqp_url=services.amqp_url) as opened:
            yield opened


def refused(services: System, *arguments: str, code: int) -> str:
    """What the command says on standard error."""
    return services.say(*arguments, code=code).stderr


def mean_of(client: Client, benchmark: str | dict[str, Any]) -> float | None:
    job = client.jobs.start(benchmark)
    assert client.jobs.wait(job.name, timeout_seconds=60).status == "completed"
    (metric,) = client.results.get(job.name).results
    return metric.scores[0].mean


def save_the_parts(client: Client) -> None:
    client.datasets.create(DATASET)
    client.models.create(MODEL)
    client.metrics.create(METRIC)


def test_a_saved_benchmark_keeps_what_it_was_made_of(client: Client) -> None:
    save_the_parts(client)
    saved = client.benchmarks.create(NAMED, description="Of two rows", supplier="team")

    client.metrics.update(METRIC | {"reference": "b"})
    client.models.delete("recorded")
    changed = client.metrics.get("exact")

    assert mean_of(client, "default/quiz") == 0.5
    assert (changed.revision, changed.definition["reference"]) == (2, "b")
    assert client.benchmarks.get("quiz").definition == saved.definition
    assert saved.definition["models"] == [MODEL]
    assert client.benchmarks.get(saved.uid) == client.benchmarks.get("default/quiz") == saved
    with pytest.raises(NotFound, match=r"benchmark 'quiz': no model is saved as default/recorded"):
        client.benchmarks.update(NAMED)


def test_a_written_benchmark_may_name_what_is_saved(client: Client) -> None:
    save_the_parts(client)

    mixed = NAMED | {"metrics": ["default/exact", METRIC | {"name": "other", "reference": "b"}]}
    job = client.jobs.start(mixed)
    client.jobs.wait(job.name, timeout_seconds=60)

    result = client.results.get(job.name)
    assert [each.scores[0].mean for each in result.results] == [0.5, 0.5]
    assert result.metrics == ("default/exact", "default/other")
    with pytest.raises(NotFound, match="no metric is saved as default/exakt"):
        client.jobs.start(NAMED | {"metrics": ["default/exakt"]})
    with pytest.raises(Invalid, match="two datasets are called 'rows'"):
        client.jobs.start(NAMED | {"datasets": ["default/rows", DATASET]})


def test_the_rows_of_a_saved_benchmark_are_read_page_by_page(
    client: Client, tmp_path: Path
) -> None:
    many = [{"output": str(number), "reference": "0", "id": number} for number in range(2500)]
    client.datasets.create({"name": "many", "rows": many, "id": "{{ item.id }}"})
    large = tmp_path / "few.jsonl"
    large.write_text((json.dumps({"output": "x" * 700_000}) + "\n") * 3)
    client.datasets.create({"name": "few", "source": str(large)})
    save_the_parts(client)
    client.benchmarks.create(NAMED | {"datasets": ["default/many", "default/few", "default/rows"]})

    pages = list(client.benchmarks.row_pages("quiz"))
    rows = [row for page in pages for row in page.rows]

    assert [row.row_id for row in rows[:2500]] == [str(number) for number in range(2500)]
    assert [row.dataset for row in rows[2498:]] == ["default/many"] * 2 + ["default/few"] * 3 + [
        "default/rows"
    ] * 2
    assert [row.item for row in rows[-2:]] == ROWS
    assert max(len(page.model_dump_json()) for page in pages) <= 1024 * 1024
    assert [row.row_id for row in client.benchmarks.rows("quiz", limit=3)] == ["0", "1", "2"]
    with pytest.raises(NotFound):
        list(client.benchmarks.rows("other"))
    place = '{"revision":1,"dataset":0,"position":{"offset":%d}}'
    for cursor in ("x", "{}", place % -1, place % 10**30):
        with pytest.raises(Invalid, match="no cursor"):
            client.call("benchmarks.rows", {"name": "quiz", "after": cursor})
    far = json.dumps({"revision": 1, "dataset": 99, "position": {"offset": 10**18}})
    assert client.call("benchmarks.rows", {"name": "quiz", "after": far}).model_dump() == {
        "rows": (),
        "next": None,
    }


def test_the_same_command_twice_is_one_job_also_when_the_benchmark_changed(client: Client) -> None:
    save_the_parts(client)
    client.benchmarks.create(NAMED)

    first = client.jobs.start("default/quiz", idempotency_key="k")
    client.benchmarks.update(NAMED | {"description": "another"})
    again = client.jobs.start("default/quiz", idempotency_key="k")

    assert again.job_id == first.job_id
    with pytest.raises(Conflict):
        client.jobs.start("default/quiz", idempotency_key="k", params={"limit_samples": 1})


def test_a_saved_benchmark_runs_in_its_own_workspace(services: System) -> None:
    with (
        Client(amqp_url=services.amqp_url, workspace="team") as team,
        Client(amqp_url=services.amqp_url) as default,
    ):
        save_the_parts(team)
        team.benchmarks.create(
            NAMED | {key: [f"team/{NAMED[key][0].partition('/')[2]}"] for key in PARTS}
        )

        with pytest.raises(Invalid, match="runs in its own workspace 'team', not in 'default'"):
            default.jobs.start("team/quiz")
        started = default.call("jobs.start", {"benchmark": "team/quiz"})
        by_cli = services.ask("run", "team/quiz", "--limit", "1")

        assert started.model_dump()["job"]["workspace"] == "team"
        assert (by_cli["job"]["workspace"], by_cli["job"]["rows"]) == ("team", 1)
        assert by_cli["job"]["benchmark"] == "team/quiz"
        assert list(default.datasets.list()) == []
        assert StartBenchmark(benchmark="team/quiz").job_workspace == "team"


def test_only_what_could_be_run_is_saved(services: System) -> None:
    with Client(amqp_url=services.amqp_url) as client:
        save_the_parts(client)
        refused: list[tuple[type[Exception], str, Any, dict[str, Any]]] = [
            (Invalid, "exact-mach", client.metrics, METRIC | {"type": "exact-mach"}),
            (Invalid, "unknown parameter 'refrence'", client.metrics, METRIC | {"refrence": "x"}),
            (Invalid, "not a template", client.metrics, METRIC | {"reference": "{{ item."}),
            (Invalid, "unknown parameter 'outputs'", client.models, MODEL | {"outputs": "x"}),
            (Invalid, "dataset 'rows', id", client.datasets, DATASET | {"id": "{{ item."}),
            (Invalid, "parqet", client.datasets, {"name": "d", "source": "x", "format": "parqet"}),
            (Invalid, "name", client.datasets, DATASET | {"name": "../etc"}),
            (Invalid, "name", client.datasets, DATASET | {"name": "a" * 64}),
            (Invalid, "either source or rows", client.datasets, {"name": "d"}),
            (Conflict, "default/rows", client.datasets, {"name": "rows", "source": "other"}),
            (NotFound, "no dataset is saved as default/nix", client.benchmarks, NAMED | {"datasets": ["default/nix"]}),
            (Invalid, "metrics.0", client.benchmarks, NAMED | {"metrics": ["exact"]}),
            (OverLimit, "more than the", client.datasets, {"name": "d", "rows": [{"a": "x" * 1_100_000}]}),
            (
                NotAllowed,
                "model 'live'",
                client.models,
                {"name": "live", "type": "openai", "url": "http://127.0.0.1:1/v1", "model": "m", "prompt": "x"},
            ),
        ]  # fmt: skip
        for error, words, kind, definition in refused:
            with pytest.raises(error, match=words):
                kind.create(definition)

        assert [entry.name for entry in client.datasets.list()] == ["rows"]
        assert list(client.benchmarks.list()) == []


def test_a_definition_that_no_message_holds_is_refused_in_time(services: System) -> None:
    with Client(amqp_url=services.amqp_url, timeout_seconds=20) as client:
        with pytest.raises(Exception, match=r"large|bytes|answer"):
            client.datasets.create({"name": "d", "rows": [{"a": "x" * 10_000_000}]})

        assert list(client.datasets.list()) == []


CATALOGUE = """\
datasets:
  - name: rows
    source: rows.jsonl
    about: {description: Two rows, labels: {language: en}}
metrics:
  - {name: exact, type: exact-match, reference: "{{ item.reference }}"}
benchmarks:
  - {name: quiz, datasets: [default/rows], models: [default/recorded], metrics: [default/exact]}
---
models:
  - {name: recorded, type: recorded, output: "{{ item.output }}"}
"""


@pytest.fixture
def catalogue_file(services: System) -> Path:
    (services.folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    file = services.folder / "catalogue.yaml"
    file.write_text(CATALOGUE)
    return file


def applied(services: System, *arguments: str) -> list[tuple[str, str, int]]:
    document = services.ask("apply", *arguments)
    return [(each["change"], each["kind"], each["revision"]) for each in document["applied"]]


def test_apply_says_what_it_changed_and_a_dry_run_what_it_would(
    services: System, catalogue_file: Path
) -> None:
    all_created = [(("created"), kind, 1) for kind in ("dataset", "model", "metric", "benchmark")]

    foreseen = applied(services, str(catalogue_file), "--dry-run")
    nothing_yet = services.ask("datasets", "list")["datasets"]
    created = applied(services, str(catalogue_file))
    again = applied(services, str(catalogue_file))
    catalogue_file.write_text(CATALOGUE.replace("{{ item.reference }}", "b"))
    would_update = applied(services, str(catalogue_file), "--dry-run")
    updated = applied(services, str(catalogue_file))

    assert foreseen == created == all_created
    assert nothing_yet == []
    assert {change for change, _, _ in again} == {"unchanged"}
    # The benchmark has the metric written out, so it changes with it.
    assert would_update == updated
    assert updated == [
        ("unchanged", "dataset", 1),
        ("unchanged", "model", 1),
        ("updated", "metric", 2),
        ("updated", "benchmark", 2),
    ]
    dataset = services.ask("datasets", "get", "rows")["dataset"]
    assert (dataset["description"], dataset["labels"]) == ("Two rows", {"language": "en"})
    assert dataset["definition"]["source"] == str(services.folder / "rows.jsonl")
    assert services.ask("run", "default/quiz")["job"]["rows"] == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("datasets: [{name: a, sorce: b}]", "datasets.0.sorce"),
        ("datasts: []", "datasts"),
        ("metrics: [{name: a, type: exact-mach}]", "metrics.0"),
        ("benchmarks: [{name: b, datasets: [x/y], models: [x/y], metrics: [x/y]}]", "x/y"),
        ("datasets: [{name: a, rows: [{}]}, {name: a, rows: [{}]}]", "declared"),
        ("- 1", "mapping"),
        ("", "nothing"),
        ("datasets: [", ":1:"),
    ],
)
def test_a_wrong_file_is_exit_2_and_names_the_place(
    empty_system: System, text: str, says: str
) -> None:
    empty_system.start("producer", "results")
    file = empty_system.folder / "wrong.yaml"
    file.write_text(text)

    for arguments in (("apply", str(file)), ("apply", str(file), "--dry-run")):
        refusal = refused(empty_system, *arguments, code=2)

        assert "wrong.yaml" in refusal
        assert says in refusal


def test_every_noun_has_its_verbs(services: System, tmp_path: Path) -> None:
    file = tmp_path / "metric.yaml"
    file.write_text(json.dumps(METRIC | {"about": {"description": "exactly", "version": "7"}}))

    created = services.ask("metrics", "create", str(file))["metric"]
    file.write_text(json.dumps(METRIC | {"reference": "x"}))
    taken = refused(services, "metrics", "create", str(file), code=1)
    updated = services.ask("metrics", "update", str(file))["metric"]
    first = services.ask("metrics", "get", "exact", "--revision", "1")["metric"]
    table = services.run("metrics", "list", "--saved", "--csv")
    shown = services.run("metrics", "show", "default/exact")
    explained = services.ask("metrics", "show", "exact")
    meant = refused(services, "metrics", "show", "exakt", code=2)
    deleted = services.ask("metrics", "delete", "exact")
    gone = refused(services, "metrics", "get", "exact", code=1)

    assert (created["uid"], created["description"], created["version"]) == (1, "exactly", "7")
    assert "default/exact" in taken
    assert (updated["revision"], updated["description"]) == (2, "")
    assert first == created
    assert table.splitlines()[0] == "name,uid,revision,version,description,updated"
    assert table.splitlines()[1].startswith("exact,1,2,1.0,,")
    assert "exact-match  (checks)" in shown
    assert '"reference": "x"' in shown
    assert (explained["metric"]["revision"], explained["metric_type"]["type"]) == (2, "exact-match")
    assert "unknown metric 'exakt'; did you mean 'exact'?" in meant
    assert deleted["id"] == "default/exact"
    assert "no metric is saved as default/exact" in gone


def test_a_message_may_name_a_saved_benchmark_and_a_refusal_goes_to_its_workspace(
    services: System,
) -> None:
    with Client(amqp_url=services.amqp_url, workspace="team") as client:
        for save, definition in (
            (client.datasets.create, DATASET),
            (client.models.create, MODEL),
            (client.metrics.create, METRIC),
        ):
            save(definition)
        parts = {key: [f"team/{NAMED[key][0].partition('/')[2]}"] for key in PARTS}
        client.benchmarks.create(NAMED | parts)

        good = asyncio.run(publish(services.amqp_url, b'{"benchmark": "team/quiz"}'))
        bad = asyncio.run(publish(services.amqp_url, b'{"benchmark": "team/nix"}'))

        def told(sent: str) -> list[str]:
            return [
                stored.type
                for stored in client.events.list()
                if stored.event.correlation_id == sent
            ]

        wait_until(
            lambda: (
                told(bad) == ["evalbus.benchmark.rejected.v1"]
                and "evalbus.benchmark.completed.v1" in told(good)
            ),
            timeout_seconds=30,
            otherwise=lambda: f"good: {told(good)}, bad: {told(bad)}",
        )
        (job,) = client.jobs.list()
        assert (job.workspace, job.benchmark, job.rows) == ("team", "team/quiz", 2)


def test_params_of_a_start_take_the_place_of_the_saved_ones_and_leave_the_rest(
    client: Client,
) -> None:
    save_the_parts(client)
    client.benchmarks.create(
        NAMED | {"params": {"limit_samples": 1, "max_row_error_ratio": 0.5, "max_retries": 1}}
    )

    job = client.jobs.start("default/quiz", params={"max_retries": 3})
    ended = client.jobs.wait(job.name, timeout_seconds=60)

    assert (ended.status, ended.rows) == ("completed", 1)
