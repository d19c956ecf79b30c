"""Benchmarks and runs as objects, on the whole system in this process and on services behind a broker."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from evalbus import Benchmark, BenchmarkExecution, BenchmarkJob, Client, MappedBenchmark
from evalbus.errors import NotFound
from evalbus_schemas.benchmark import Params
from tests.acceptance.live import LOCAL, a_live_benchmark, knows
from tests.servers.deadline import wait_until
from tests.servers.openai_endpoint import Act, Asked, OpenAIEndpoint, fails
from tests.system import System

WORKSPACE = "team"
MODELS = ("chatty", "terse")

ITEMS = [
    *({"q": f"question {n}", "chatty": "yes", "terse": "yes", "ref": "yes"} for n in range(6)),
    *({"q": f"question {n}", "chatty": "no", "terse": "yes", "ref": "yes"} for n in range(6, 8)),
    # The field that one of the models would answer with is missing: two failed rows of ten.
    *({"q": f"question {n}", "chatty": "yes", "ref": "no"} for n in range(8, 10)),
]
DATASET = {"name": "questions", "rows": ITEMS}
MODEL_LIST = [
    {"name": name, "type": "recorded", "output": f"{{{{ item.{name} }}}}"} for name in MODELS
]
METRIC_LIST = [
    {"name": "exact-match", "type": "exact-match", "reference": "{{ item.ref }}"},
    {
        "name": "says-yes",
        "type": "string-check",
        "operation": "contains",
        "left_template": "{{ sample.output_text }}",
        "right_template": "yes",
    },
]
MEANS = {
    "chatty": {"exact-match": 0.6, "says-yes": 0.8},
    "terse": {"exact-match": 1.0, "says-yes": 1.0},
}


def a_benchmark(client: Client, name: str = "capitals") -> Benchmark:
    return Benchmark(name, name, [DATASET], MODEL_LIST, METRIC_LIST, client=client)


def a_definition(name: str, items: list[dict[str, str]]) -> dict[str, object]:
    """As in a benchmark file."""
    datasets = [{"name": "questions", "rows": items}]
    return {"name": name, "datasets": datasets, "models": MODEL_LIST, "metrics": METRIC_LIST}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("embedded")
    with Client.embedded(folder, workspace=WORKSPACE) as opened:
        yield opened


@pytest.fixture(scope="module")
def run(client: Client) -> BenchmarkJob:
    """One that has completed."""
    started = a_benchmark(client).start()
    assert started.wait(timeout_seconds=60) == "completed"
    return started


# --- benchmarks ---------------------------------------------------------------------------------


def test_a4_start_starts_a_new_run_each_time(client: Client) -> None:
    benchmark = a_benchmark(client, "started-twice")

    first, second = benchmark.start(), benchmark.start()

    assert first.id != second.id
    assert first.benchmark_id == second.benchmark_id == "started-twice"
    assert {first.wait(timeout_seconds=60), second.wait(timeout_seconds=60)} == {"completed"}


def test_a5_a_benchmark_that_nobody_saved_is_not_started(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(NotFound, match="nobody-saved-this"):
        Benchmark("team/nobody-saved-this", client=client).start()

    assert "benchmark 'team/nobody-saved-this' could not be started" in caplog.text


def test_executions_are_listed_in_order_of_time(client: Client) -> None:
    benchmark = a_benchmark(client, "run-three-times")
    started = [benchmark.start().id for _ in range(3)]
    a_benchmark(client, "another").start()

    found = benchmark.list_executions()

    assert [job.id for job in found] == started
    assert {job.benchmark_id for job in found} == {"run-three-times"}
    assert a_benchmark(client, "never-run").list_executions() == []


def test_s1_an_execution_says_what_it_is(client: Client) -> None:
    saved = client.benchmarks.create(a_definition("with-executions", ITEMS[:1]))
    started_at = datetime.now(UTC)
    started = Benchmark("team/with-executions", client=client).start()

    (execution,) = Benchmark(saved.uid, client=client).list_executions()

    assert type(execution) is BenchmarkExecution
    assert execution.benchmark_uid == started.benchmark_uid == saved.uid
    assert execution.benchmark_execution_uid == execution.uid == started.uid
    assert type(execution.benchmark_uid) is type(execution.uid) is int
    assert execution.name == started.id
    assert abs(execution.created_at - started_at) < timedelta(minutes=1)
    assert execution.created_at.utcoffset() == timedelta(0)
    assert type(execution.created_by) is str
    assert execution.archived is False
    assert a_benchmark(client, "nobody-saved-me").start().benchmark_uid is None


def test_s2_executions_of_a_saved_benchmark_are_listed_in_order_of_time(client: Client) -> None:
    saved = client.benchmarks.create(a_definition("run-again", ITEMS[:1]))
    benchmark = Benchmark(saved.uid, client=client)
    started = [benchmark.start() for _ in range(3)]
    for run in started:
        run.wait(timeout_seconds=60)
    client.jobs.archive(started[1].id)

    listed = benchmark.list_executions()
    everything = benchmark.list_executions(include_archived=True)

    assert [run.uid for run in everything] == [run.uid for run in started]
    assert [run.created_at for run in everything] == sorted(run.created_at for run in started)
    assert [run.archived for run in everything] == [False, True, False]
    assert [run.uid for run in listed] == [started[0].uid, started[2].uid]
    assert started[1].check_status() == "completed"
    assert started[1].archived


def test_a_saved_benchmark_is_started_by_its_name_and_by_its_number(client: Client) -> None:
    saved = client.benchmarks.create(a_definition("saved", ITEMS))

    by_name = Benchmark("team/saved", client=client).start()
    by_number = Benchmark(saved.uid, client=client).start()

    assert by_name.wait(timeout_seconds=60) == by_number.wait(timeout_seconds=60) == "completed"
    executions = Benchmark(saved.uid, client=client).list_executions()
    assert [job.id for job in executions] == [by_name.id, by_number.id]
    loaded = Benchmark(saved.uid, client=client).load()
    assert loaded.name == "saved"
    assert [model["name"] for model in loaded.model_list if isinstance(model, dict)] == list(MODELS)


# --- samples ------------------------------------------------------------------------------------


def test_r6_the_rows_of_a_saved_benchmark_are_its_samples(client: Client) -> None:
    client.benchmarks.create(a_definition("with-samples", ITEMS))

    samples = list(Benchmark("team/with-samples", client=client))

    assert [sample.agent_inputs for sample in samples] == ITEMS
    assert len({sample.id for sample in samples}) == 10
    assert {sample.benchmark_id for sample in samples} == {"team/with-samples"}


def test_r10_fetching_samples_sees_what_was_saved_since(client: Client) -> None:
    client.benchmarks.create(a_definition("growing", ITEMS[:1]))
    benchmark = MappedBenchmark(
        "growing", {"q": "question"}, {"q": str}, ["q"], ["ref"], client=client
    )
    before = len(benchmark)
    client.benchmarks.update(a_definition("growing", ITEMS[:3]))

    fetched = benchmark.fetch_samples()

    assert (before, len(benchmark)) == (1, 3)
    assert benchmark.samples == fetched
    assert fetched[2].agent_inputs == {"question": "question 2"}
    assert fetched[2].extras == {"ref": "yes"}


# --- runs ---------------------------------------------------------------------------------------


def test_a7_check_status_is_polled_until_the_run_has_completed(client: Client) -> None:
    started = a_benchmark(client, "polled").start()

    wait_until(
        lambda: started.check_status() == "completed",
        timeout_seconds=60,
        otherwise=lambda: f"it is {started.status}",
    )

    assert started.status == "completed"


def test_a8_the_file_has_a_line_for_each_model_and_row(run: BenchmarkJob, tmp_path: Path) -> None:
    path = str(tmp_path / "run.csv")

    returned = run.download_results_as_csv(path)

    assert returned == path
    frame = pd.read_csv(path)
    assert len(frame) == len(MODELS) * len(ITEMS)
    assert frame.groupby("Model")["exact-match"].mean().to_dict() == {"chatty": 0.6, "terse": 1.0}
    assert frame["Item.q"].tolist() == [item["q"] for item in ITEMS] * 2


def test_a9_a_path_is_made_up_for_each_download(
    run: BenchmarkJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    first, second = run.download_results_as_csv(), run.download_results_as_csv()

    assert first is not None
    assert second is not None
    assert first != second
    assert Path(first).read_bytes() == Path(second).read_bytes()


def test_a10_a_frame_tells_which_rows_succeeded(
    run: BenchmarkJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    frame = run.download_results_as_csv(return_dataframe=True)

    assert frame is not None
    assert {"Model", "Model_success", "exact-match", "says-yes"} <= set(frame.columns)
    terse = frame[frame["Model"] == "terse"]
    assert sum(terse["Model_success"]) * 100 / len(terse) == 80.0
    failed = frame[~frame["Model_success"]]
    assert failed["exact-match"].isna().all()
    assert failed["Errors"].str.contains("no 'terse'").all()
    assert list(tmp_path.iterdir()) == []


def test_a11_results_of_a_run_that_is_under_way_are_none(
    empty_system: System, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Nobody evaluates, so it stays under way.
    empty_system.start("producer", "results")
    with Client(amqp_url=empty_system.amqp_url) as opened:
        started = a_benchmark(opened).start()

        found = started.download_results_as_csv(tmp_path / "run.csv")

    assert found is None
    assert not (tmp_path / "run.csv").exists()
    (record,) = [each for each in caplog.records if "not ready" in each.getMessage()]
    assert record.levelno == logging.ERROR


def test_where_no_row_ran_there_is_no_failure_rate(empty_system: System) -> None:
    empty_system.start("producer", "results")
    with Client(amqp_url=empty_system.amqp_url) as opened:
        started = a_benchmark(opened).start()
        opened.jobs.cancel(started.id)

        assert started.check_status() == "cancelled"
        assert started.get_failure_rate(return_as_dataframe=False) == dict.fromkeys(MODELS)
        assert started.get_failure_rate()["Failure Rate"].isna().all()
        assert started.get_scores(return_as_dataframe=False) == [{"Model": m} for m in MODELS]
        rows = started.download_results_as_csv(return_dataframe=True)
        assert rows is not None
        assert len(rows) == 0


def test_a12_scores_are_the_means_of_each_model(run: BenchmarkJob) -> None:
    frame = run.get_scores()

    assert list(frame.columns) == ["Model", "exact-match", "says-yes"]
    assert frame.set_index("Model").to_dict("index") == MEANS


def test_a13_scores_as_a_list(run: BenchmarkJob) -> None:
    assert run.get_scores(return_as_dataframe=False) == [
        {"Model": model, **means} for model, means in MEANS.items()
    ]


def test_a14_scores_in_detail(run: BenchmarkJob) -> None:
    found = run.get_scores(return_simplified=False)

    assert list(found) == list(MODELS)
    for model, detail in found.items():
        assert detail["creditsUsed"] == 0
        assert detail["status"] == "completed"
        seconds, scores = detail["timeSpent"], detail["rawScores"]
        assert isinstance(seconds, float)
        assert seconds == round(seconds, 2)
        assert isinstance(scores, list)
        assert {score["longName"]: score["average"] for score in scores} == MEANS[model]
        failed = 2 if model == "terse" else 0
        assert {score["failedSegmentsCount"] for score in scores} == {failed}
        assert {score["count"] for score in scores} == {10 - failed}


def test_a15_the_failure_rate_of_two_rows_in_ten_is_twenty(run: BenchmarkJob) -> None:
    frame = run.get_failuire_rate()

    assert list(frame.columns) == ["Model", "Failure Rate"]
    assert frame.to_dict("list") == {"Model": list(MODELS), "Failure Rate": [0.0, 20.0]}


def test_a16_the_failure_rate_as_a_dict(run: BenchmarkJob) -> None:
    by_stage = run.get_failure_rate(return_as_dataframe=False, by_stage=True)

    assert run.get_failuire_rate(return_as_dataframe=False) == {"chatty": 0.0, "terse": 20.0}
    assert by_stage["terse"] == {
        "Failure Rate": 20.0,
        "Sample Failure Rate": 20.0,
        "Metric Failure Rate": 0.0,
    }


def test_a21_a_run_that_nobody_knows_is_an_error(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = BenchmarkJob("nobody-ran-this", "active", "team/capitals", client=client)

    for ask in (unknown.check_status, unknown.get_scores, unknown.get_failuire_rate):
        with pytest.raises(NotFound, match="nobody-ran-this"):
            ask()

    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3
    assert all(each.endswith("no job 'nobody-ran-this' in workspace 'team'") for each in said)


def test_live_models_say_what_they_cost_and_where_they_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in LOCAL.items():
        monkeypatch.setenv(name, value)
    price = {"input_per_million": 1000.0, "output_per_million": 2000.0}
    models = [
        {"name": "dear", "display_name": "Small One", "price": price},
        {"name": "free", "display_name": "Small One"},
    ]

    def knows_all_but_three(asked: Asked) -> Act:
        return fails(400, "I refuse") if asked.prompt == "question 3" else knows(asked)

    with (
        OpenAIEndpoint(knows_all_but_three) as endpoint,
        Client.embedded(tmp_path / "data") as opened,
    ):
        file = a_live_benchmark(endpoint, rows=5)
        (live,) = file["models"]
        started = Benchmark(
            "live",
            "live",
            file["datasets"],
            [live | model for model in models],
            file["metrics"],
            client=opened,
        ).start(params=Params(repeats=2))
        assert started.wait(timeout_seconds=60) == "completed"
        details = started.get_scores(return_simplified=False)
        by_stage = started.get_failure_rate(return_as_dataframe=False, by_stage=True)
        rows = started.download_results_as_csv(return_dataframe=True)

    # Four of five rows, asked twice, with 7 tokens in and 3 out each; and what is refused costs nothing.
    assert details["Small One (dear)"]["creditsUsed"] == pytest.approx(8 * 0.013)
    assert details["Small One (free)"]["creditsUsed"] == 0
    stages = {"Failure Rate": 20.0, "Sample Failure Rate": 20.0, "Metric Failure Rate": 0.0}
    assert by_stage == {"Small One (dear)": stages, "Small One (free)": stages}
    assert rows is not None
    assert len(rows) == 2 * 5 * 2
    assert sorted(set(rows["Repeat"])) == [0, 1]
    assert set(rows[~rows["Model_success"]]["Item.q"]) == {"question 3"}
    assert set(rows[rows["Model_success"]]["right"]) == {1.0}


def test_over_a_broker_a_run_says_the_same(services: System, run: BenchmarkJob) -> None:
    with Client(amqp_url=services.amqp_url, workspace=WORKSPACE) as distributed:
        started = a_benchmark(distributed).start()
        assert started.wait(timeout_seconds=60) == "completed"
        scores = started.get_scores()
        rates = started.get_failure_rate()
        rows = started.download_results_as_csv(return_dataframe=True)

    pd.testing.assert_frame_equal(scores, run.get_scores())
    pd.testing.assert_frame_equal(rates, run.get_failure_rate())
    expected = run.download_results_as_csv(return_dataframe=True)
    assert rows is not None
    assert expected is not None
    pd.testing.assert_frame_equal(rows, expected)
