"""Results from the command line: found, looked into, set side by side, and deleted."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.servers.broker import Broker
from tests.servers.postgres import Databases
from tests.system import System, clean_environment, ran, write_benchmark

SECONDS = 120.0

ROWS = (
    {"id": "a", "question": "2+2?", "terse": "4", "chatty": "It is 4", "reference": "4"},
    {"id": "b", "question": "3+3?", "terse": "7", "chatty": "6", "reference": "6"},
    {"id": "c", "question": "4+4?", "terse": "8", "chatty": "no idea", "reference": "8"},
    {"id": "d", "question": "5+5?", "terse": "10", "reference": "10"},
)

MODELS = (
    {"name": "terse", "type": "recorded", "output": "{{ item.terse }}"},
    {"name": "chatty", "type": "recorded", "output": "{{ item.chatty }}"},
)

METRICS = (
    {"name": "exact", "type": "exact-match", "reference": "{{ item.reference }}"},
    {
        "name": "number",
        "type": "number-check",
        "operation": "equals",
        "left_template": "{{ sample.output_text }}",
        "right_template": "{{ item.reference }}",
    },
)


SLICES = (
    {"name": "ends-in-zero", "where": {"reference": {"$like": "0"}}},
    {"name": "none", "where": {"id": "z"}},
)


def sums(
    folder: Path,
    rows: Sequence[Mapping[str, object]] = ROWS,
    *,
    metrics: Sequence[Mapping[str, object]] = METRICS,
) -> str:
    dataset = {"name": "sums", "rows": list(rows), "id": "{{ item.id }}"}
    file = write_benchmark(
        folder,
        rows,
        name="sums",
        models=MODELS,
        metrics=metrics,
        datasets=[dataset],
        slices=list(SLICES),
    )
    return str(file)


def lines_of(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def names(page: Any) -> list[str]:
    return [result["name"] for result in page["data"]]


@pytest.fixture(scope="module")
def scored(
    broker: Broker, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """Services with two results in the workspace `default`, `monday` and then `tuesday`; nobody changes these."""
    vhost, database_url = f"test-{uuid4().hex}", databases.make()
    broker.make_vhost(vhost)
    system = System(broker.url(vhost), database_url, tmp_path_factory.mktemp("results"))
    try:
        system.start("producer", "evaluator", "results")
        run_sums(system, "monday")
        run_sums(system, "tuesday")
        yield system
    finally:
        system.stop()
        broker.drop_vhost(vhost)
        databases.drop(database_url)


def run_sums(
    system: System,
    job: str,
    rows: Sequence[Mapping[str, object]] = ROWS,
    *,
    metrics: Sequence[Mapping[str, object]] = METRICS,
    workspace: str = "default",
) -> None:
    # One row has no answer of one model.
    file = sums(system.folder, rows, metrics=metrics)
    system.run("run", file, "--name", job, "--workspace", workspace, code=3)


def test_results_are_found_by_filter_search_and_page(scored: System) -> None:
    everything = scored.ask("results", "list")
    by_words = scored.ask("results", "list", "--filter", 'name:"monday"')
    by_json = scored.ask("results", "list", "--filter", '{"name": {"$in": ["monday", "sunday"]}}')
    by_score = scored.ask("results", "list", "--filter", "scores.exact.mean>0.9")
    searched = scored.ask("results", "list", "--search", "name:ues")
    sorted_by_name = scored.ask("results", "list", "--sort", "name")
    second = scored.say("results", "list", "--page", "2", "--page-size", "1")

    assert names(everything) == ["tuesday", "monday"]
    assert everything["pagination"]["total_results"] == 2
    assert names(by_words) == names(by_json) == ["monday"]
    assert names(by_score) == []
    assert names(searched) == ["tuesday"]
    assert names(sorted_by_name) == ["monday", "tuesday"]
    assert "monday" in second.stdout
    assert "tuesday" not in second.stdout
    assert "page 2 of 2, 2 results" in second.stderr


def test_results_are_tables_of_what_was_asked_for(scored: System) -> None:
    listed = scored.run("results", "list", "--md")
    scores = scored.run("results", "list", "--fields", "mean,n_failed", "--sort", "name", "--csv")
    one = scored.run("results", "get", "monday", "--md")
    fields = scored.ask("results", "get", "monday", "--fields", "mean")

    assert listed.splitlines()[0] == (
        "| result | benchmark | dataset | model | rows | failed | created |"
    )
    table = list(csv.DictReader(io.StringIO(scores)))
    assert [row["result"] for row in table] == ["monday"] * 4 + ["tuesday"] * 4
    assert list(table[2].items()) == [
        *(("result", "monday"), ("dataset", "sums"), ("model", "chatty"), ("metric", "exact")),
        *(("n", "3"), ("mean", "0.3333333333333333"), ("n_failed", "1")),
    ]
    assert one.splitlines() == [
        "| model | metric | mean | failed as worst | n | failed | no value |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
        "| terse | exact | 0.7500 | 0.7500 | 4 | 0 | 0 |",
        "| terse | number | 0.7500 | 0.7500 | 4 | 0 | 0 |",
        "| chatty | exact | 0.3333 | 0.2500 | 3 | 1 | 0 |",
        "| chatty | number | 1.0000 | 0.6667 | 2 | 1 | 1 |",
    ]
    assert fields["results"][0]["scores"] == [{"name": "exact-match", "count": 4, "mean": 0.75}]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--filter", "nam:x"], "unknown filter field 'nam'; did you mean 'name'?"),
        (["--filter", '{"name": {"$lik": "x"}}'], "did you mean '$like'?"),
        (["--filter", '{"name":'], "JSON"),
        (["--filter", "name:"], "wanted a value"),
        (["--search", "rows:many"], "rows"),
        (["--fields", "mean,median"], "aggregate_fields"),
        (["--page", "0"], "--page"),
        (["--page-size", "1001"], "page_size"),
        (["--sort", "size"], "--sort"),
    ],
)
def test_a_wrong_query_is_one_sentence_and_exit_code_2(
    scored: System, arguments: list[str], says: str
) -> None:
    said = scored.say("results", "list", *arguments, code=2)

    assert says in said.stderr
    assert said.stdout == ""
    assert "Traceback" not in said.stderr


def test_rows_are_streamed_and_filtered(scored: System) -> None:
    everything = lines_of(scored.run("results", "rows", "monday", "--json"))
    wrong = lines_of(
        scored.run("results", "rows", "monday", "--json", "--score", "exact", "--below", "0.5")
    )
    right = lines_of(
        scored.run(
            *("results", "rows", "monday", "--json"),
            *("--score", "exact.exact-match", "--above", "0.5", "--model", "chatty"),
        )
    )
    failed = lines_of(scored.run("results", "rows", "monday", "--json", "--failed"))
    none = scored.run(
        "results", "rows", "monday", "--json", "--dataset", "sums", "--failed", "--model", "terse"
    )

    assert [(row["model"], row["row_id"]) for row in everything] == [
        (f"default/{model}", row) for model in ("terse", "chatty") for row in "abcd"
    ]
    assert everything[0]["item"] == ROWS[0]
    assert everything[0]["sample"] == {"output_text": "4"}
    assert everything[0]["metrics"] == {
        "default/exact": [{"name": "exact-match", "value": 1.0}],
        "default/number": [{"name": "number-check", "value": 1.0}],
    }
    # "no idea" has no number: a value that is missing, with its reason, in a row that has not failed.
    unparsable = everything[6]
    assert unparsable["metrics"]["default/number"] == [{"name": "number-check", "value": None}]
    assert "default/number" in unparsable["metric_errors"]
    assert unparsable["failed"] is False
    assert [(row["model"], row["row_id"]) for row in wrong] == [
        ("default/terse", "b"),
        ("default/chatty", "a"),
        ("default/chatty", "c"),
    ]
    assert [row["row_id"] for row in right] == ["b"]
    assert [(row["model"], row["row_id"]) for row in failed] == [("default/chatty", "d")]
    assert none == ""


def test_rows_go_on_where_an_earlier_answer_stopped(scored: System) -> None:
    first = scored.say("results", "rows", "monday", "--json", "--limit", "3")
    cursor = first.stderr.strip().rpartition(" ")[2]

    rest = scored.run("results", "rows", "monday", "--json", "--after", cursor)

    together = lines_of(first.stdout) + lines_of(rest)
    assert together == lines_of(scored.run("results", "rows", "monday", "--json"))
    assert "--after" in first.stderr


def test_models_of_one_job_are_compared(scored: System) -> None:
    markdown = scored.run("results", "compare", "monday", "--md")
    document = scored.ask("results", "compare", "monday", "--baseline", "monday:chatty")

    assert markdown.splitlines() == [
        "| dataset | metric | ↑↓ | terse (baseline) | chatty | Δ | better/worse/equal | paired | n | failed |",
        "| --- | --- | --- | ---: | ---: | ---: | --- | ---: | --- | --- |",
        "| sums | exact | ↑ | 0.7500 | 0.3333 | -0.3333 | 1/2/0 | 3 | 4 / 3 | 0 / 1 |",
        "| sums | number | ↑ | 0.7500 | 1.0000 | +0.5000 | 1/0/1 | 2 | 4 / 2 | 0 / 1 |",
    ]
    assert document["baseline"] == [c["model"] for c in document["columns"]].index("default/chatty")
    (exact, number) = document["scores"]
    (terse,) = (cell for cell in exact["cells"] if cell["delta"] is not None)
    assert (terse["better"], terse["worse"], terse["equal"]) == (2, 1, 0)
    assert number["direction"] == "higher"


def test_results_are_compared_row_by_row_whatever_their_order(scored: System) -> None:
    better = [row | {"terse": row["reference"]} for row in ROWS]
    for job, rows in (("before", ROWS), ("turned", ROWS[::-1]), ("edited", better)):
        run_sums(scored, job, rows, workspace="orders")
    here = ("--workspace", "orders")

    same = scored.ask("results", "compare", "before:terse", "turned:terse", *here)
    edited = ("results", "compare", "before:terse", "edited:terse", *here)
    refused = scored.say(*edited, code=1)
    forced = scored.say(*edited, "--force", "--md")

    assert [cell["equal"] for cell in (score["cells"][1] for score in same["scores"])] == [4, 4]
    assert "the rows of orders/sums differ between before and edited" in refused.stderr
    assert "--force" in refused.stderr
    assert refused.stdout == ""
    assert "| before (baseline) | edited | Δ |" in forced.stdout
    assert "| 0.7500 | 1.0000 | +0.2500 | 1/0/3 |" in forced.stdout
    assert "Compared by force: the rows of orders/sums differ" in forced.stdout


def test_other_metric_parameters_are_no_silent_comparison(scored: System) -> None:
    other = [METRICS[0] | {"reference": "{{ item.id }}"}, METRICS[1]]
    run_sums(scored, "before", workspace="parameters")
    run_sums(scored, "after", metrics=other, workspace="parameters")

    refused = scored.say(
        "results", "compare", "before", "after", "--workspace", "parameters", code=1
    )

    assert (
        "the parameters (reference) of parameters/exact differ between before and after"
        in refused.stderr
    )


def test_models_are_compared_over_the_rows_of_a_slice(scored: System) -> None:
    here = ("results", "compare", "monday", "--baseline", "monday:terse")
    others = scored.say(*here, "--slice", "no-slice", "--md")
    of_zero = scored.say(*here, "--slice", "ends-in-zero")
    nobody = scored.ask(*here, "--slice", "none")
    unknown = scored.say(*here, "--slice", "ends-in-ten", code=2)

    assert "| sums | exact | ↑ | 0.6667 | 0.3333 | -0.3333 | 1/2/0 | 3 |" in others.stdout
    assert "\nOnly the rows of slice no-slice." in others.stdout
    assert "only the rows of slice ends-in-zero" in of_zero.stderr
    assert "1.0000" in of_zero.stdout
    assert [cell["n_paired"] for cell in nobody["scores"][0]["cells"]] == [None, 0]
    assert "did you mean 'ends-in-zero'?" in unknown.stderr


def test_what_cannot_be_compared_is_named(scored: System) -> None:
    no_result = scored.say("results", "compare", "monday", "sunday", code=1)
    no_model = scored.say("results", "compare", "monday:tersely", code=2)

    assert "no result 'sunday'" in no_result.stderr
    assert "did you mean 'terse'?" in no_model.stderr


def test_a_comparison_as_csv_has_a_line_for_each_cell(scored: System) -> None:
    table = list(
        csv.DictReader(io.StringIO(scored.run("results", "compare", "monday", "tuesday", "--csv")))
    )

    assert len(table) == 2 * 2 * 2
    assert {row["is_baseline"] for row in table} == {"yes", "no"}
    assert [row["mean"] for row in table if row["metric"] == "default/exact"] == [
        *("0.75", "0.3333333333333333"),
        *("0.75", "0.3333333333333333"),
    ]


def test_a_job_is_put_away_and_taken_out_again(scored: System) -> None:
    here = ("--workspace", "archive")
    run_sums(scored, "monday", workspace="archive")

    def listed(*options: str) -> list[str]:
        return [job["name"] for job in scored.ask("jobs", "list", *here, *options)["jobs"]]

    away = scored.say("jobs", "archive", "monday", *here)
    while_away = (listed(), listed("--archived"))
    kept = scored.ask("results", "get", "monday", *here)
    back = scored.ask("jobs", "archive", "monday", "--undo", *here)["job"]

    assert "job monday is archived; `jobs list --archived` shows it" in away.stderr
    assert while_away == ([], ["monday"])
    assert kept["name"] == "monday"
    assert back["archived"] is False
    assert listed() == ["monday"]


def test_a_job_and_its_result_are_deleted_apart(scored: System) -> None:
    here = ("--workspace", "deletions")
    run_sums(scored, "monday", workspace="deletions")
    run_sums(scored, "tuesday", workspace="deletions")

    job = scored.ask("jobs", "delete", "monday", *here)
    result_after = scored.ask("results", "get", "monday", *here)
    rows_after = scored.say("results", "rows", "monday", *here, code=1)
    result = scored.say("results", "delete", "tuesday", *here)
    job_after = scored.ask("jobs", "get", "tuesday", *here)["job"]
    again = scored.say("results", "delete", "tuesday", *here, code=1)

    assert job["id"] == "deletions/monday"
    assert job["message"] == "Resource deleted successfully"
    assert result_after["name"] == "monday"
    assert "no job 'monday'" in rows_after.stderr
    assert "deletions/tuesday is deleted" in result.stderr
    assert job_after["status"] == "completed"
    assert "no result 'tuesday'" in again.stderr
    assert names(scored.ask("results", "list", *here)) == ["monday"]


def test_a_job_that_has_not_ended_is_not_deleted(empty_system: System) -> None:
    # Without an evaluator it stays.
    empty_system.start("producer", "results")
    empty_system.run("run", sums(empty_system.folder), "--name", "held", "--detach")

    refused = empty_system.say("jobs", "delete", "held", code=1)
    empty_system.run("jobs", "cancel", "held")
    deleted = empty_system.ask("jobs", "delete", "held")

    assert "cancel it before it is deleted" in refused.stderr
    assert deleted["id"] == "default/held"
    assert empty_system.ask("jobs", "list")["jobs"] == []


def test_results_of_an_embedded_folder_need_no_services(tmp_path: Path) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        environment = clean_environment({})
        return ran(
            *arguments, environment=environment, folder=tmp_path, code=code, seconds=SECONDS
        ).stdout

    run("run", sums(tmp_path), "--name", "monday", code=3)
    compared = json.loads(run("results", "compare", "monday", "--json"))
    run("results", "delete", "monday")
    run("jobs", "delete", "monday")
    left = json.loads(run("results", "list", "--json"))

    assert [column["model"] for column in compared["columns"]] == [
        *("default/terse", "default/chatty"),
    ]
    assert left["pagination"]["total_results"] == 0
