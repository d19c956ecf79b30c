"""Slices of a benchmark: every row knows its own, and a result has numbers for each that the rows themselves give."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import fsum
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from sacrebleu import corpus_bleu

from evalbus.client import Client
from evalbus.errors import Invalid, NotFound, Refused
from evalbus_schemas.benchmark import BenchmarkFile
from evalbus_schemas.queries import SliceScores
from evalbus_schemas.scores import ScoreStatistics
from tests.acceptance.bare import publish
from tests.acceptance.live import LOCAL, a_live_benchmark
from tests.servers.broker import Broker
from tests.servers.deadline import wait_until
from tests.servers.openai_endpoint import OpenAIEndpoint, says
from tests.servers.postgres import Databases
from tests.system import System, write_benchmark

SECONDS = 60.0
# Several chunks of each dataset, the last of them not full.
SETTINGS = LOCAL | {"EVALBUS_CHUNK_ROWS_MAX": "7"}

Item = Mapping[str, Any]
WORDS = ("the", "cat", "sat", "on", "a", "mat", "and", "saw", "its", "old", "friend", "asleep")


def some_rows(count: int, *, seed: int) -> list[dict[str, Any]]:
    """Fields of every type, some of them missing; one model is often right, the other has not always an answer."""
    chance = Random(seed)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        reference = " ".join(chance.choices(WORDS, k=chance.randint(5, 12)))
        row: dict[str, Any] = {
            "id": f"{seed}-{number}",
            "reference": reference,
            "good": reference if chance.random() < 0.6 else reference[: len(reference) // 2],
            "steps": number % 11,
            "meta": {"source": chance.choice([["web"], ["web", "book"], ["book"], []])},
            "seen": chance.choice([True, False, None]),
        }
        if chance.random() < 0.8:
            row["level"] = chance.choice(["easy", "Hard", "harder"])
        if chance.random() < 0.9:
            row["bad"] = f"{chance.choice(WORDS)} {reference}"
        rows.append(row)
    return rows


ROWS = {"first": some_rows(40, seed=1), "second": some_rows(25, seed=2)}
MODELS = ("good", "bad")

SLICES: Sequence[Mapping[str, object]] = (
    {"name": "hard", "description": "Not easy.", "where": {"level": {"$like": "HARD"}}},
    {"name": "long", "where": "steps > 5 AND -(item.level:easy)"},
    {"name": "web", "where": '{"meta.source": "web", "seen": {"$in": [true, null]}}'},
    {"name": "nobody", "where": "level:impossible"},
)
IS_IN: Mapping[str, Callable[[Item], bool]] = {
    "hard": lambda row: row.get("level") in ("Hard", "harder"),
    "long": lambda row: row["steps"] > 5 and row.get("level") != "easy",
    "web": lambda row: "web" in row["meta"]["source"] and row["seen"] is not False,
    "nobody": lambda row: False,
}
"""The same, worked out here."""

EXACT = {
    "name": "exact",
    "type": "exact-match",
    "reference": "{{ item.reference }}",
    "normalize": "none",
}
BENCHMARK: dict[str, Any] = {
    "name": "sliced",
    "datasets": [
        {"name": name, "rows": rows, "id": "{{ item.id }}"} for name, rows in ROWS.items()
    ],
    "models": [
        {"name": name, "type": "recorded", "output": f"{{{{ item.{name} }}}}"} for name in MODELS
    ],
    "metrics": [
        EXACT,
        {"name": "bleu", "type": "bleu", "references": ["{{ item.reference }}"]},
    ],
    "slices": SLICES,
}


def slices_of(row: Item) -> list[str]:
    return [name for name, is_in in IS_IN.items() if is_in(row)]


def members(slice: str, dataset: str) -> list[dict[str, Any]]:
    return [
        row
        for row in ROWS[dataset]
        if slice == "all" or slice in slices_of(row) or (slice == "no-slice" and not slices_of(row))
    ]


@pytest.fixture(scope="module")
def system(
    broker: Broker, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """Services with the job `sliced`, which the command line started."""
    vhost, database_url = f"test-{uuid4().hex}", databases.make()
    broker.make_vhost(vhost)
    folder = tmp_path_factory.mktemp("slices")
    system = System(broker.url(vhost), database_url, folder, settings=SETTINGS)
    try:
        system.start("producer", "evaluator", "results")
        file = write_benchmark(folder, [], **BENCHMARK)
        system.run("run", str(file), "--name", "sliced", code=3)
        yield system
    finally:
        system.stop()
        broker.drop_vhost(vhost)
        databases.drop(database_url)


@pytest.fixture
def client(system: System) -> Iterator[Client]:
    with Client(amqp_url=system.amqp_url) as client:
        yield client


def by_name(client: Client, job: str) -> dict[str, SliceScores]:
    return {one.slice: one for one in client.results.slices(job)}


def score(found: SliceScores, dataset: str, model: str, metric: str, name: str) -> ScoreStatistics:
    (entry,) = (
        entry
        for entry in found.results
        if (entry.dataset, entry.model, entry.metric)
        == (f"default/{dataset}", f"default/{model}", f"default/{metric}")
    )
    (statistics,) = (one for one in entry.scores if one.name == name)
    return statistics


# --- rows -----------------------------------------------------------------------------------------


def test_every_row_knows_the_slices_that_it_is_in(client: Client) -> None:
    found = {
        (row.dataset, row.model, row.row_id): row.slices for row in client.results.rows("sliced")
    }

    assert found == {
        (f"default/{dataset}", f"default/{model}", row["id"]): tuple(slices_of(row))
        for dataset, rows in ROWS.items()
        for model in MODELS
        for row in rows
    }
    # The data has what it is for.
    assert {len(slices) for slices in found.values()} == {0, 1, 2, 3}


@pytest.mark.parametrize("slice", ["all", "hard", "long", "web", "nobody", "no-slice"])
def test_rows_are_those_of_a_slice(client: Client, slice: str) -> None:
    found = [row.row_id for row in client.results.rows("sliced", slice=slice, model="good")]
    failed = client.results.rows("sliced", slice=slice, dataset="second", failed_only=True)

    assert found == [row["id"] for dataset in ROWS for row in members(slice, dataset)]
    assert [row.row_id for row in failed] == [
        row["id"] for row in members(slice, "second") if "bad" not in row
    ]


def test_rows_of_a_slice_are_listed_from_the_command_line(system: System) -> None:
    here = ("results", "rows", "sliced", "--json", "--model", "good", "--slice")

    hard = [json.loads(line) for line in system.run(*here, "hard").splitlines()]
    none = [json.loads(line) for line in system.run(*here, "no-slice").splitlines()]

    assert [row["row_id"] for row in hard] == [
        row["id"] for dataset in ROWS for row in members("hard", dataset)
    ]
    assert {name for row in hard for name in row["slices"]} == {"hard", "long", "web"}
    assert len(none) == sum(len(members("no-slice", dataset)) for dataset in ROWS)
    assert {tuple(row["slices"]) for row in none} == {()}


def test_a_slice_that_the_job_has_not_is_told_with_those_that_it_has(
    system: System, client: Client
) -> None:
    said = system.say("results", "rows", "sliced", "--slice", "hrd", code=2)

    assert "unknown slice 'hrd'; did you mean 'hard'?" in said.stderr
    assert "no-slice" in said.stderr
    with pytest.raises(Invalid, match="unknown slice 'easy'"):
        list(client.results.rows("sliced", slice="easy"))


# --- numbers --------------------------------------------------------------------------------------


def test_the_numbers_of_each_slice_are_those_of_its_rows(client: Client) -> None:
    found = by_name(client, "sliced")

    assert list(found) == ["all", *IS_IN, "no-slice"]
    assert found["hard"].description == "Not easy."
    for name, of_slice in found.items():
        rows = [row for dataset in ROWS for row in members(name, dataset)]
        assert of_slice.rows == len(MODELS) * len(rows)
        assert of_slice.failed_rows == sum("bad" not in row for row in rows)
        for dataset in ROWS:
            for model in MODELS:
                check_scores(of_slice, dataset, model, members(name, dataset))


def check_scores(found: SliceScores, dataset: str, model: str, rows: Sequence[Item]) -> None:
    answers = [(str(row[model]), str(row["reference"])) for row in rows if model in row]
    right = [float(answer == reference) for answer, reference in answers]

    exact = score(found, dataset, model, "exact", "exact-match")
    bleu = score(found, dataset, model, "bleu", "corpus")

    assert (exact.count, exact.n_failed) == (len(right), len(rows) - len(right))
    assert (bleu.count, bleu.n_failed) == (len(right), len(rows) - len(right))
    if not right:
        assert exact.mean is None
        assert bleu.value is None
        return
    assert exact.mean == pytest.approx(fsum(right) / len(right), abs=1e-15)
    # Not the mean of anything: the counts of the slice's own rows.
    texts, references = zip(*answers, strict=True)
    oracle = corpus_bleu(list(texts), [list(references)], force=True)
    assert bleu.value == pytest.approx(oracle.score, abs=1e-9)


def test_all_is_the_result_itself(client: Client) -> None:
    result = client.results.get("sliced")

    everything = by_name(client, "sliced")["all"]

    assert everything.results == result.results
    assert (everything.rows, everything.failed_rows) == (result.rows, result.failed_rows)


def test_without_slices_there_are_all_rows_and_nothing_else(client: Client) -> None:
    plain = {name: part for name, part in BENCHMARK.items() if name != "slices"}
    job = client.jobs.start(plain | {"name": "plain"}).name
    client.jobs.wait(job, timeout_seconds=SECONDS)

    assert list(by_name(client, job)) == ["all"]
    assert {row.slices for row in client.results.rows(job)} == {()}
    with pytest.raises(NotFound, match="nothing"):
        list(client.results.slices("nothing"))


def test_repeats_of_a_row_are_one_row_of_each_of_its_slices(client: Client) -> None:
    rows, repeats = 20, 3
    with OpenAIEndpoint(
        lambda asked: says(number_in(asked.prompt) if is_known(asked.prompt, asked.number) else "?")
    ) as endpoint:
        live = a_live_benchmark(endpoint, rows=rows, params={"repeats": repeats})
        live["slices"] = [
            {"name": "teens", "where": 'q~"question 1"'},
            {"name": "seven", "where": 'a:"7"'},
        ]
        job = client.jobs.start(live).name
        done = client.jobs.wait(job, timeout_seconds=SECONDS)

    found = by_name(client, job)

    assert done.status == "completed"
    teens = [number for number in range(rows) if str(number).startswith("1")]
    expected = {"all": range(rows), "teens": teens, "seven": [7]}
    expected["no-slice"] = [n for n in range(rows) if n != 7 and n not in teens]
    for name, numbers in expected.items():
        (entry,) = found[name].results
        of_rows = [min(number % 4, repeats) / repeats for number in numbers]
        assert entry.scores[0].count == len(of_rows)
        assert entry.scores[0].mean == pytest.approx(fsum(of_rows) / len(of_rows), abs=1e-15)


def number_in(prompt: str) -> str:
    return prompt.rpartition(" ")[2]


def is_known(prompt: str, times: int) -> bool:
    """As often as its number says, out of three times."""
    return times <= int(number_in(prompt)) % 4


# --- the same, however it is run ------------------------------------------------------------------


def test_embedded_the_same_slices_have_the_same_numbers(client: Client, tmp_path: Path) -> None:
    with Client.embedded(tmp_path / "data") as embedded:
        job = embedded.jobs.start(BENCHMARK).name
        embedded.jobs.wait(job, timeout_seconds=SECONDS)

        in_one_process = list(embedded.results.slices(job))
        rows = [row.slices for row in embedded.results.rows(job)]

    assert in_one_process == list(client.results.slices("sliced"))
    assert rows == [row.slices for row in client.results.rows("sliced")]


def test_a_bare_message_may_have_slices_and_is_told_what_is_wrong_with_them(
    system: System, client: Client
) -> None:
    wrong = BENCHMARK | {"slices": [{"name": "hard", "where": {"levl": "hard"}}]}
    good = json.dumps({"benchmark": BENCHMARK, "job": "bare"}).encode()

    asyncio.run(publish(system.amqp_url, good))
    refused = asyncio.run(publish(system.amqp_url, json.dumps({"benchmark": wrong}).encode()))

    def answers() -> list[Any]:
        events = [stored.event for stored in client.events.list()]
        return [event for event in events if event.correlation_id == refused]

    def is_there() -> bool:
        return bool(answers()) and "bare" in {job.name for job in client.jobs.list()}

    wait_until(is_there, timeout_seconds=SECONDS, otherwise=lambda: f"only {answers()} came")
    (rejection,) = answers()
    client.jobs.wait("bare", timeout_seconds=SECONDS)
    assert "slice 'hard': none of the first 65 rows has 'levl' in item" in rejection.error.message
    assert "did you mean 'level'?" in rejection.error.message
    assert list(client.results.slices("bare")) == list(client.results.slices("sliced"))


def test_a_saved_benchmark_keeps_its_slices(client: Client) -> None:
    client.benchmarks.create(BENCHMARK | {"name": "kept"})

    saved = BenchmarkFile.model_validate_json(json.dumps(client.benchmarks.get("kept").definition))
    job = client.jobs.start("default/kept").name
    client.jobs.wait(job, timeout_seconds=SECONDS)

    assert [one.model_dump(exclude_defaults=True) for one in saved.slices] == [*SLICES]
    assert list(client.results.slices(job)) == list(client.results.slices("sliced"))
    with pytest.raises(Invalid, match="slice 'some': level: unknown operator '\\$lik'"):
        client.benchmarks.create(
            BENCHMARK
            | {"name": "broken", "slices": [{"name": "some", "where": {"level": {"$lik": "x"}}}]}
        )


def test_jobs_that_go_on_from_another_keep_its_slices(client: Client) -> None:
    retried = client.jobs.retry("sliced", name="retried").name
    rescored = client.jobs.rescore(
        "sliced",
        [EXACT],
        name="rescored",
    ).name
    for job in (retried, rescored):
        client.jobs.wait(job, timeout_seconds=SECONDS)

    before = by_name(client, "sliced")
    again, other = by_name(client, retried), by_name(client, rescored)

    assert again == before
    assert list(other) == list(before)
    for name, of_slice in other.items():
        assert (of_slice.rows, of_slice.failed_rows) == (
            before[name].rows,
            before[name].failed_rows,
        )
        exact = [entry for entry in before[name].results if entry.metric == "default/exact"]
        assert list(of_slice.results) == exact
    assert [row.slices for row in client.results.rows(rescored)] == [
        row.slices for row in client.results.rows("sliced")
    ]


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slices", "says"),
    [
        ([{"name": "a", "where": "level hard"}], "slice 'a': the filter cannot be understood"),
        ([{"name": "a", "where": {"level": {"$gt": True}}}], "slice 'a': item.level $gt: wanted"),
        ([{"name": "a", "where": "levels:x"}], "'levels' in item; did you mean 'level'?"),
        ([{"name": "a", "where": "meta.sorce:x"}], "'sorce' in item.meta; did you mean 'source'?"),
        ([{"name": "a", "where": ""}], "its `where` says nothing"),
        ([{"name": "a", "where": "level:x " * 101}], "slice 'a': a filter has at most 100"),
        ([{"name": "all", "where": "level:x"}], "'all' is reserved"),
        ([{"name": "no-slice", "where": "level:x"}], "'no-slice' is reserved"),
        ([{"name": "a", "where": "level:x"}] * 2, "two slices are called 'a'"),
        ([{"name": f"a{n}", "where": "level:x"} for n in range(64)], "at most 63"),
        ([{"name": "a"}], "where"),
        ([{"name": "a", "where": 5}], "where"),
    ],
)  # fmt: skip
def test_slices_that_cannot_be_are_refused_before_there_is_a_job(
    client: Client, slices: list[dict[str, Any]], says: str
) -> None:
    with pytest.raises(Refused) as raised:
        client.jobs.start(BENCHMARK | {"slices": slices}, job="never")

    assert says in str(raised.value)
    with pytest.raises(NotFound):
        client.jobs.get("never")


def test_a_wrong_slice_in_a_file_is_one_sentence(system: System, tmp_path: Path) -> None:
    wrong = BENCHMARK | {"slices": [{"name": "a", "where": "levl:x"}]}

    said = system.say("run", str(write_benchmark(tmp_path, [], **wrong)), code=2)

    assert said.stdout == ""
    assert "slice 'a': none of the first 65 rows has 'levl' in item" in said.stderr
    assert "did you mean 'level'?" in said.stderr
