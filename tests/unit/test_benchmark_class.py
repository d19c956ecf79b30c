"""A benchmark as an object: what it is made of, and what it does with its samples."""

import logging
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

import evalbus
from evalbus import Benchmark, BenchmarkJob, Client, Sample
from evalbus.bus.base import Message
from evalbus.client.opening import client_settings
from evalbus.errors import EvalbusError, Invalid, NotFound, PermanentError, Unavailable
from evalbus_schemas.benchmark import (
    BenchmarkFile,
    Dataset,
    MetricPlugin,
    Params,
    Plugin,
    StartBenchmark,
)
from evalbus_schemas.catalogue import Entry, GetEntry
from evalbus_schemas.queries import JobPage, JobStarted, ListJobs
from tests.answers import NOON, a_bus_that_answers, a_job

ROWS = Dataset(name="capitals", rows=({"output": "Paris"},))
MODEL = {"name": "recorded", "type": "recorded", "output": "{{ item.output }}"}
METRIC = MetricPlugin.model_validate(
    {"name": "exact-match", "type": "exact-match", "reference": "Paris"}
)


def some_samples(n: int) -> list[Sample]:
    return [Sample(id=str(number)) for number in range(n)]


def a_sync_client(*, workspace: str = "default", **answers: object) -> Client:
    """Answers by method, with `_` for the dot."""
    methods = {name.replace("_", ".", 1): answer for name, answer in answers.items()}
    return Client(
        opener=lambda: a_bus_that_answers(methods),  # type: ignore[arg-type]  # as the tests give them
        settings=client_settings(),
        workspace=workspace,
        timeout_seconds=5,
    )


def an_entry(**changes: object) -> Entry:
    entry = Entry(
        uid=7,
        id="team/capitals",
        kind="benchmark",
        workspace="team",
        name="capitals",
        revision=1,
        version="2.1",
        description="of Europe",
        supplier="us",
        labels={},
        additional_info={"reviewed": True},
        definition={"datasets": [{"name": "d"}], "models": [{"name": "m"}], "metrics": []},
        created_at=NOON,
        updated_at=NOON,
        created_by=None,
    )
    return entry.model_copy(update=changes)


class Starts:
    """Answers `jobs.start` and remembers what it was asked."""

    def __init__(self) -> None:
        self.commands: list[StartBenchmark] = []

    async def __call__(self, command: StartBenchmark, _: Message) -> JobStarted:
        self.commands.append(command)
        number = len(self.commands)
        job = a_job(name=f"run-{number}", workspace=command.job_workspace)
        return JobStarted(job=job, created=True)


# --- what it is made of -------------------------------------------------------------------------


def test_a1_a_benchmark_has_what_it_was_made_with() -> None:
    job = BenchmarkJob("job-1", "completed", "b-1")

    plain = Benchmark("b-1", "Capitals", [ROWS], [MODEL], [METRIC], [job])
    full = Benchmark("b-1", "Capitals", [], [], [], [], "of Europe", "us", "2.0", team="a", size=5)

    assert (plain.id, plain.name, plain.benchmark_id) == ("b-1", "Capitals", "b-1")
    assert (plain.description, plain.supplier, plain.version) == ("", "aiXplain", "1.0")
    assert plain.additional_info == {}
    assert (full.description, full.supplier, full.version) == ("of Europe", "us", "2.0")
    assert full.additional_info == {"team": "a", "size": 5}


def test_a2_its_lists_hold_the_objects_that_were_passed_in_their_order() -> None:
    things = [object() for _ in range(8)]
    jobs = [BenchmarkJob(name, "completed", "b-1") for name in ("x", "y")]

    made = Benchmark("b-1", "b", things[:3], things[3:5], things[5:], jobs)

    assert made.dataset_list == things[:3]
    assert made.model_list == things[3:5]
    assert made.metric_list == things[5:]
    assert made.job_list == jobs


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (Benchmark("b-1", "Capitals"), "<Benchmark Capitals>"),
        (Benchmark("team/capitals"), "<Benchmark capitals>"),
        (Benchmark(100), "<Benchmark 100>"),
    ],
)
def test_a3_it_is_shown_by_its_name(made: Benchmark, shown: str) -> None:
    assert repr(made) == shown


def test_its_id_may_be_called_benchmark_id() -> None:
    samples = some_samples(2)

    made = Benchmark(benchmark_id="b-1", samples=samples)

    assert (made.id, list(made)) == ("b-1", samples)
    with pytest.raises(TypeError, match="one id"):
        Benchmark("b-1", benchmark_id="b-1")
    with pytest.raises(TypeError, match="one id"):
        Benchmark()


def test_making_one_asks_nobody() -> None:
    with a_sync_client() as client:
        made = Benchmark("team/capitals", client=client)

        assert (made.id, made.name, made.dataset_list) == ("team/capitals", "capitals", [])


# --- starting -----------------------------------------------------------------------------------


def test_a4_every_start_is_a_run_of_its_own() -> None:
    with a_sync_client(jobs_start=Starts()) as client:
        made = Benchmark("team/capitals", client=client)
        first, second = made.start(), made.start()

    assert [first.id, second.id] == ["run-1", "run-2"]
    assert first.benchmark_id == second.benchmark_id == "team/capitals"
    assert first.status == "active"
    assert made.job_list == [first, second]


def test_a_saved_benchmark_is_started_by_its_name_in_its_workspace() -> None:
    starts = Starts()
    with a_sync_client(workspace="mine", jobs_start=starts) as client:
        Benchmark("team/capitals", client=client).start(job="tonight", labels={"by": "me"})
        Benchmark("rivers", client=client).start()

    named, bare = starts.commands
    assert (named.benchmark, named.job_workspace) == ("team/capitals", "team")
    assert (named.job, named.labels) == ("tonight", {"by": "me"})
    assert (bare.benchmark, bare.job_workspace) == ("mine/rivers", "mine")


def test_a_saved_benchmark_is_started_though_a_folder_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "team" / "capitals").mkdir(parents=True)
    starts = Starts()
    with a_sync_client(jobs_start=starts) as client:
        Benchmark("team/capitals", client=client).start(params=Params(limit_samples=3))

    (command,) = starts.commands
    assert command.benchmark == "team/capitals"
    assert command.params == Params(limit_samples=3)


@pytest.mark.parametrize("id", ["./capitals.yaml", "a/b/c", "Big Name", ""])
def test_an_id_that_can_be_no_name_is_refused(id: str) -> None:
    with (
        a_sync_client(jobs_start=Starts()) as client,
        pytest.raises(Invalid, match=r"benchmark|workspace"),
    ):
        Benchmark(id, client=client).start()


def test_a_benchmark_of_definitions_is_started_as_they_say() -> None:
    starts = Starts()
    with a_sync_client(jobs_start=starts) as client:
        Benchmark(
            "capitals", "Capitals of Europe", [ROWS], [MODEL], [METRIC], client=client
        ).start()

    (command,) = starts.commands
    assert isinstance(command.benchmark, BenchmarkFile)
    written = command.benchmark.written_out()
    assert written.name == "capitals"
    assert written.datasets == (ROWS,)
    assert written.models == (Plugin.model_validate(MODEL),)
    assert written.metrics == (METRIC,)


def test_what_is_no_definition_is_not_started(caplog: pytest.LogCaptureFixture) -> None:
    with a_sync_client(jobs_start=Starts()) as client:
        made = Benchmark("b", "b", [ROWS], [object()], [METRIC], client=client)
        with pytest.raises(Invalid, match="an object of type object is no model that can be run"):
            made.start()

    assert "benchmark 'b' could not be started" in caplog.text


@pytest.mark.parametrize("refusal", [NotFound, Unavailable])
def test_a5_a_start_that_fails_is_logged_and_raised(
    refusal: type[EvalbusError], caplog: pytest.LogCaptureFixture
) -> None:
    async def start(_: StartBenchmark, __: Message) -> JobStarted:
        raise refusal("no benchmark is saved as 'team/capitals'")

    with a_sync_client(jobs_start=start) as client:
        made = Benchmark("team/capitals", client=client)
        with pytest.raises(refusal, match="no benchmark is saved"):
            made.start()

    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "could not be started: no benchmark is saved" in record.getMessage()
    assert made.job_list == []


def test_a_benchmark_without_a_client_says_how_to_give_it_one() -> None:
    made = Benchmark("b", "b")

    for ask in (made.start, made.list_executions, made.fetch_samples, made.load):
        with pytest.raises(PermanentError, match="client=Client"):
            ask()


def test_executions_are_listed_the_latest_last() -> None:
    asked: list[ListJobs] = []

    async def newest_first(wanted: ListJobs, _: Message) -> JobPage:
        asked.append(wanted)
        return JobPage(jobs=(a_job(name="new"), a_job(name="old")), next=None)

    with a_sync_client(jobs_list=newest_first) as client:
        found = Benchmark("team/capitals", client=client).list_executions()

    assert [job.id for job in found] == ["old", "new"]
    assert found[0].additional_info["created_at"] == NOON
    assert (asked[0].workspace, asked[0].benchmark) == ("team", "team/capitals")
    # A service from before there was an archive refuses what it does not know.
    assert "include_archived" not in asked[0].model_fields_set


def test_executions_that_were_put_away_are_listed_if_they_are_asked_for() -> None:
    asked: list[ListJobs] = []

    async def all_of_them(wanted: ListJobs, _: Message) -> JobPage:
        asked.append(wanted)
        return JobPage(jobs=(a_job(archived=True),), next=None)

    with a_sync_client(jobs_list=all_of_them) as client:
        (found,) = Benchmark("capitals", client=client).list_executions(include_archived=True)

    assert asked[0].include_archived
    assert found.archived


def test_a_number_is_the_benchmark_saved_under_it() -> None:
    starts = Starts()

    async def get(wanted: GetEntry, _: Message) -> Entry:
        assert (wanted.uid, wanted.name) == (7, None)
        return an_entry()

    with a_sync_client(workspace="team", jobs_start=starts, benchmarks_get=get) as client:
        run = Benchmark(7, client=client).start()

    assert starts.commands[0].benchmark == "team/capitals"
    assert run.benchmark_id == "7"


def test_loading_takes_everything_from_what_is_saved() -> None:
    async def get(_: GetEntry, __: Message) -> Entry:
        return an_entry()

    with a_sync_client(jobs_start=Starts(), benchmarks_get=get) as client:
        loaded = Benchmark("team/capitals", client=client).load()

    assert (loaded.name, loaded.description, loaded.supplier) == ("capitals", "of Europe", "us")
    assert (loaded.version, loaded.additional_info) == ("2.1", {"reviewed": True})
    assert (loaded.dataset_list, loaded.model_list) == ([{"name": "d"}], [{"name": "m"}])


# --- samples ------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [Benchmark("x"), Benchmark("x", []), Benchmark("x", samples=[])])
def test_r2_without_samples_it_is_empty(made: Benchmark) -> None:
    assert len(made) == 0
    assert made.samples == list(made) == []


@pytest.mark.parametrize("where", ["second", "named"])
def test_r3_it_is_iterated_over_in_order(where: str) -> None:
    samples = some_samples(5)

    made = Benchmark("x", samples) if where == "second" else Benchmark("x", samples=samples)

    assert list(made) == made.samples == samples
    assert len(made) == 5
    assert [sample.id for sample in made] == ["0", "1", "2", "3", "4"]


def test_samples_are_given_once() -> None:
    with pytest.raises(TypeError, match="twice"):
        Benchmark("x", some_samples(1), samples=some_samples(1))


def test_r4_samples_are_drawn_with_replacement() -> None:
    (only,) = one = some_samples(1)
    few = some_samples(4)

    drawn = Counter(sample.id for sample in Benchmark("x", few).sample(4000))

    assert Benchmark("x", one).sample() == [only]
    assert Benchmark("x", one).sample(3) == [only, only, only]
    # Each is expected 1000 times, give or take 27; 200 are more than seven times that.
    assert set(drawn) == {"0", "1", "2", "3"}
    assert all(abs(times - 1000) < 200 for times in drawn.values())


@pytest.mark.parametrize("n", [0, -1])
@pytest.mark.parametrize("samples", [some_samples(2), []])
def test_r5_less_than_one_cannot_be_drawn(n: int, samples: Sequence[Sample]) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        Benchmark("x", samples).sample(n)


def test_nothing_can_be_drawn_from_an_empty_benchmark() -> None:
    with pytest.raises(IndexError, match="<Benchmark x> has no samples"):
        Benchmark("x").sample()


def test_a_class_of_ones_own_gives_its_samples() -> None:
    class Mine(Benchmark):
        def __init__(self, benchmark_id: str) -> None:
            super().__init__(benchmark_id, samples=some_samples(3))

    assert len(Mine("x")) == 3


# --- the package --------------------------------------------------------------------------------


def test_the_package_offers_its_classes_by_name() -> None:
    offered = {name: getattr(evalbus, name) for name in evalbus.__all__}

    assert set(offered) <= set(dir(evalbus))
    assert offered.pop("BenchmarkExecution") is BenchmarkJob
    assert all(each.__name__ == name for name, each in offered.items())
    with pytest.raises(AttributeError, match="no attribute 'Benchmarks'"):
        _ = evalbus.Benchmarks


def test_pandas_is_loaded_by_whoever_asks_for_a_frame() -> None:
    code = "import evalbus, sys; evalbus.Benchmark, evalbus.BenchmarkJob; print('pandas' in sys.modules)"

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ended.stdout == "False\n"
