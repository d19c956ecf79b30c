"""A run as an object: what it says of its models, in which form, and what it does when nobody answers."""

import csv
import logging
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from evalbus import BenchmarkJob, Client
from evalbus.bus.base import Message
from evalbus.client.opening import client_settings
from evalbus.errors import (
    EvalbusError,
    Invalid,
    NotFound,
    PermanentError,
    Unavailable,
    WrongSettings,
)
from evalbus_schemas.base import JsonObject
from evalbus_schemas.jobs import Job, JobStatus
from evalbus_schemas.queries import (
    GetResult,
    JobNamed,
    ListRows,
    NamedScore,
    Result,
    Row,
    RowPage,
    WaitForJob,
)
from evalbus_schemas.scores import MetricResult, ScoreStatistics
from evalbus_schemas.usage import FailedByStage, ModelUsage
from tests.answers import NOON, a_bus_that_answers, a_job, a_result, a_row


def a_usage(model: str = "terse", **changes: Any) -> ModelUsage:
    usage = ModelUsage(
        model=f"default/{model}",
        display_name=model.title(),
        is_live=True,
        rows_planned=10,
        rows=10,
        failed_rows=2,
        failed_by_stage=FailedByStage(sample=1, metric=1),
        failure_rate=0.2,
        cost=0.1234567,
        seconds=3.14159,
    )
    return usage.model_copy(update=changes)


def scored(
    metric: str = "exact-match",
    *,
    model: str = "terse",
    dataset: str = "capitals",
    scores: Sequence[str] = ("exact-match",),
    mean: float | None = 0.75,
) -> MetricResult:
    return MetricResult(
        dataset=f"default/{dataset}",
        model=f"default/{model}",
        metric=f"default/{metric}",
        scores=tuple(
            ScoreStatistics(
                name=score,
                count=0 if mean is None else 8,
                nan_count=10 if mean is None else 2,
                n_rows=10,
                n_failed=2,
                mean=mean,
                min=0.0,
                max=1.0,
                std_dev=0.5,
            )
            for score in scores
        ),
    )


class Service:
    """Knows one job, its result if it has one, and its rows."""

    def __init__(
        self,
        job: Job | None,
        *,
        result: Result | None = None,
        rows: Sequence[Row] = (),
        breaks_off: bool = False,
    ) -> None:
        self.breaks_off = breaks_off
        self.job = job
        self.result = result
        self.rows = rows

    def client(self) -> Client:
        answers: dict[str, Any] = {
            "jobs.get": self._job,
            "jobs.wait": self._job,
            "results.get": self._result,
            "results.rows": self._rows,
        }
        return Client(
            opener=lambda: a_bus_that_answers(answers),
            settings=client_settings(),
            timeout_seconds=5,
        )

    async def _job(self, wanted: JobNamed | WaitForJob, _: Message) -> Job:
        if self.job is None:
            raise NotFound(f"no job {wanted.job!r}")
        return self.job

    async def _result(self, wanted: GetResult, _: Message) -> Result:
        if self.result is None or wanted.result != self.result.name:
            raise NotFound(f"no result {wanted.result!r}")
        return self.result

    async def _rows(self, wanted: ListRows, _: Message) -> RowPage:
        place = int(wanted.after or 0)
        if place and self.breaks_off:
            raise NotFound("the job was deleted")
        end = place + 2
        following = str(end) if end < len(self.rows) else None
        return RowPage(rows=tuple(self.rows[place:end]), next=following, partial=False)


COMPLETED = a_job(status=JobStatus.COMPLETED)


def completed(
    *results: MetricResult, usage: Sequence[ModelUsage] = (), rows: Sequence[Row] = ()
) -> Service:
    result = a_result(results=results or (scored(),), usage=tuple(usage or [a_usage()]))
    return Service(COMPLETED, result=result, rows=rows)


def the_job(client: Client) -> BenchmarkJob:
    return BenchmarkJob("capitals-1", "active", "default/capitals", client=client)


def a_scored_row(number: int, value: float | None = 1.0, **changes: Any) -> Row:
    metrics = {"default/exact-match": (NamedScore(name="exact-match", value=value),)}
    return a_row(number, **({"metrics": metrics} | changes))


def cells_of(path: str | Path | None) -> list[dict[str, str]]:
    assert path is not None
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


# --- what it is ---------------------------------------------------------------------------------


def test_a6_a_run_has_what_it_was_made_with() -> None:
    plain = BenchmarkJob("job-1", "active", "b-1")
    full = BenchmarkJob("job-1", "active", "b-1", team="a", size=5)

    assert (plain.id, plain.status, plain.benchmark_id) == ("job-1", "active", "b-1")
    assert plain.additional_info == {}
    assert full.additional_info == {"team": "a", "size": 5}
    assert repr(plain) == "<Benchmark Job(job-1)>"


def test_what_a_run_is_called_is_asked_for_once() -> None:
    asked: list[str] = []

    async def get(wanted: JobNamed, _: Message) -> Job:
        asked.append(wanted.job)
        return a_job(uid=7, created_by="ann", archived=True)

    answers: dict[str, Any] = {"jobs.get": get}
    with Client(opener=lambda: a_bus_that_answers(answers), settings=client_settings()) as client:
        run = the_job(client)
        found = (run.uid, run.benchmark_execution_uid, run.name, run.created_at)
        then = (run.created_by, run.archived)

    assert found == (7, 7, "capitals-1", NOON)
    assert then == ("ann", True)
    assert asked == ["capitals-1"]


def test_what_is_seen_of_a_run_is_kept_and_not_asked_for_again() -> None:
    run = BenchmarkJob.of(a_job(uid=7), "capitals", client=None, benchmark_uid=3)

    assert (run.id, run.status, run.benchmark_uid, run.uid) == ("capitals-1", "active", 3, 7)
    assert (run.created_by, run.archived) == ("", False)
    with pytest.raises(AttributeError):
        setattr(run, "uid", 8)  # noqa: B010  # a type checker refuses it, too


def test_a_run_that_was_never_looked_at_needs_somebody_to_ask() -> None:
    run = BenchmarkJob("job-1", "active", "b-1")

    for ask in (lambda: run.uid, lambda: run.benchmark_uid, lambda: run.created_at):
        with pytest.raises(PermanentError, match="client=Client"):
            ask()


def test_a_service_that_tells_no_number_is_too_old_for_it() -> None:
    run = BenchmarkJob.of(a_job(), "capitals", client=None)

    with pytest.raises(PermanentError, match="too old to tell the number of job 'capitals-1'"):
        _ = run.uid


def test_a7_the_status_is_told_and_kept() -> None:
    service = Service(a_job(status=JobStatus.ACTIVE))
    with service.client() as client:
        run = the_job(client)
        first = run.check_status()
        service.job = COMPLETED
        second, kept = run.check_status(), run.status
        waited = run.wait(timeout_seconds=1)

    assert (first, second, kept, waited) == ("active", "completed", "completed", "completed")
    assert type(second) is str


def test_a_run_is_looked_for_in_the_workspace_of_its_benchmark() -> None:
    asked: list[str] = []

    async def get(wanted: JobNamed, _: Message) -> Job:
        asked.append(wanted.workspace)
        return COMPLETED

    answers: dict[str, Any] = {"jobs.get": get}
    with Client(
        opener=lambda: a_bus_that_answers(answers), settings=client_settings(), workspace="mine"
    ) as client:
        BenchmarkJob("job-1", "active", "team/capitals", client=client).check_status()
        BenchmarkJob("job-1", "active", "capitals", client=client).check_status()

    assert asked == ["team", "mine"]


# --- scores -------------------------------------------------------------------------------------


def test_a12_scores_are_a_frame_with_a_column_for_each_metric() -> None:
    service = completed(
        *(
            scored("exact-match", mean=0.6),
            scored("bleu", scores=["sentence", "corpus"], mean=31.5),
        ),
        scored("exact-match", model="chatty", mean=0.8),
        usage=[a_usage("terse"), a_usage("chatty")],
    )
    with service.client() as client:
        found = the_job(client).get_scores()

    assert list(found.columns) == ["Model", "exact-match", "bleu:sentence", "bleu:corpus"]
    assert list(found["Model"]) == ["Terse", "Chatty"]
    assert list(found["exact-match"]) == [0.6, 0.8]
    assert found["bleu:sentence"].isna().tolist() == [False, True]


def test_a13_scores_are_a_list_of_dicts() -> None:
    service = completed(
        *(scored("exact-match", mean=0.6), scored("f1", mean=None)),
        scored("exact-match", model="chatty", mean=0.8),
        usage=[a_usage("terse"), a_usage("chatty")],
    )
    with service.client() as client:
        found = the_job(client).get_scores(return_as_dataframe=False)

    assert found == [
        {"Model": "Terse", "exact-match": 0.6, "f1": None},
        {"Model": "Chatty", "exact-match": 0.8},
    ]


def test_a14_scores_in_detail_say_cost_time_status_and_statistics() -> None:
    with completed().client() as client:
        found = the_job(client).get_scores(return_simplified=False)

    assert list(found) == ["Terse"]
    detail = found["Terse"]
    assert detail["creditsUsed"] == 0.12346
    assert detail["timeSpent"] == 3.14
    assert detail["status"] == "completed"
    assert detail["rawScores"] == [
        {
            "longName": "exact-match",
            "average": 0.75,
            "count": 8,
            "failedSegmentsCount": 2,
            "nanCount": 2,
            "dataset": "default/capitals",
            "metric": "default/exact-match",
            "score": "exact-match",
            "min": 0.0,
            "max": 1.0,
            "stdDev": 0.5,
        }
    ]


def test_a_model_without_a_price_used_no_credits() -> None:
    with completed(usage=[a_usage(cost=None)]).client() as client:
        found = the_job(client).get_scores(return_simplified=False)

    assert found["Terse"]["creditsUsed"] == 0


def test_models_that_are_displayed_alike_are_told_apart() -> None:
    service = completed(
        *(scored(model="a", mean=0.1), scored(model="b", mean=0.2), scored(model="c", mean=0.3)),
        usage=[
            a_usage("a", display_name="Small One"),
            a_usage("b", display_name="Small One"),
            a_usage("c", display_name="Other"),
        ],
    )
    with service.client() as client:
        run = the_job(client)
        simplified = run.get_scores(return_as_dataframe=False)
        detailed = run.get_scores(return_simplified=False)
        rates = run.get_failure_rate(return_as_dataframe=False)

    names = ["Small One (a)", "Small One (b)", "Other"]
    assert [line["Model"] for line in simplified] == names
    assert list(detailed) == list(rates) == names


def test_of_several_datasets_each_has_its_own_line() -> None:
    service = completed(scored(dataset="europe", mean=0.5), scored(dataset="asia", mean=0.7))
    with service.client() as client:
        found = the_job(client).get_scores()

    assert found.to_dict("records") == [
        {"Model": "Terse", "Dataset": "europe", "exact-match": 0.5},
        {"Model": "Terse", "Dataset": "asia", "exact-match": 0.7},
    ]


def test_a_run_without_a_result_has_models_and_no_scores() -> None:
    usage = a_usage(rows_planned=None, rows=0, failed_rows=0, failure_rate=None)
    with Service(a_job(models=(usage,))).client() as client:
        run = the_job(client)
        listed = run.get_scores(return_as_dataframe=False)
        detailed = run.get_scores(return_simplified=False)

    assert listed == [{"Model": "Terse"}]
    assert detailed["Terse"]["status"] == "active"
    assert detailed["Terse"]["rawScores"] == []


def test_a_run_of_which_nothing_is_known_yet_has_an_empty_frame() -> None:
    with Service(a_job()).client() as client:
        run = the_job(client)

        assert list(run.get_scores().columns) == ["Model"]
        assert run.get_scores(False) == {}
        assert list(run.get_failuire_rate().columns) == ["Model", "Failure Rate"]
        assert run.get_failuire_rate(False) == {}


def test_a_result_outlives_its_job() -> None:
    service = completed()
    service.job = None
    with service.client() as client:
        run = the_job(client)

        assert run.get_scores(return_as_dataframe=False) == [
            {"Model": "Terse", "exact-match": 0.75}
        ]
        with pytest.raises(NotFound):
            run.check_status()


def test_a_job_whose_result_was_deleted_still_knows_its_models() -> None:
    service = Service(COMPLETED.model_copy(update={"models": (a_usage(),)}))
    with service.client() as client:
        assert the_job(client).get_failure_rate(False) == {"Terse": 20.0}


def test_a_result_from_before_usage_was_kept_is_counted_by_its_statistics() -> None:
    service = Service(COMPLETED, result=a_result(results=(scored(),), usage=()))
    with service.client() as client:
        run = the_job(client)

        assert run.get_failure_rate(False) == {"terse": 20.0}
        assert run.get_scores(False)["terse"]["creditsUsed"] == 0


# --- failure rate -------------------------------------------------------------------------------


def test_a15_the_failure_rate_is_a_frame_in_per_cent() -> None:
    with completed().client() as client:
        found = the_job(client).get_failuire_rate()

    assert list(found.columns) == ["Model", "Failure Rate"]
    assert found.to_dict("records") == [{"Model": "Terse", "Failure Rate": 20.0}]


def test_a16_the_failure_rate_is_a_dict_by_model() -> None:
    usage = [a_usage(), a_usage("chatty", rows_planned=3, rows=3, failed_rows=0, failure_rate=0.0)]
    with completed(scored(), usage=usage).client() as client:
        run = the_job(client)
        found = run.get_failuire_rate(return_as_dataframe=False)
        well_spelt = run.get_failure_rate(return_as_dataframe=False)

    assert found == well_spelt == {"Terse": 20.0, "Chatty": 0.0}


def test_rows_that_were_planned_and_never_ran_count() -> None:
    usage = a_usage(rows_planned=100, rows=10, failed_rows=7, failure_rate=0.07)
    service = Service(a_job(status=JobStatus.CANCELLED, models=(usage,)))
    with service.client() as client:
        assert the_job(client).get_failure_rate(False) == {"Terse": 7.0}


def test_where_nothing_ran_there_is_no_failure_rate() -> None:
    usage = a_usage(rows_planned=0, rows=0, failed_rows=0, failure_rate=None)
    with completed(usage=[usage]).client() as client:
        run = the_job(client)
        by_model = run.get_failure_rate(return_as_dataframe=False)
        frame = run.get_failure_rate()

    assert by_model == {"Terse": None}
    assert frame["Failure Rate"].dtype == "float64"
    assert frame["Failure Rate"].isna().tolist() == [True]


def test_the_failure_rate_is_told_by_stage() -> None:
    with completed(usage=[a_usage(failed_by_stage=FailedByStage(sample=2))]).client() as client:
        run = the_job(client)
        by_model = run.get_failure_rate(return_as_dataframe=False, by_stage=True)
        frame = run.get_failure_rate(by_stage=True)

    parts = {"Failure Rate": 20.0, "Sample Failure Rate": 20.0, "Metric Failure Rate": 0.0}
    assert by_model == {"Terse": parts}
    assert frame.to_dict("records") == [{"Model": "Terse", **parts}]


# --- rows ---------------------------------------------------------------------------------------

ROWS = (
    a_scored_row(0, 1.0, item={"q": "one", "n": 2**60 + 1}),
    a_scored_row(1, 0.0, item={"q": "two", "tags": ["a", None]}, sample={"output_text": "Rome"}),
    a_scored_row(
        2,
        None,
        item={"q": "three"},
        sample={},
        failed=True,
        metric_errors={"sample": "timeout: no answer", "default/exact-match": "no_sample: none"},
    ),
)


def test_a8_every_row_of_every_model_is_a_line_of_the_file(tmp_path: Path) -> None:
    path = str(tmp_path / "new" / "run.csv")
    with completed(rows=ROWS).client() as client:
        returned = the_job(client).download_results_as_csv(path)

    assert returned == path
    assert cells_of(path) == [
        {
            "Model": "Terse",
            "Dataset": "capitals",
            "Row": "0",
            "Row_id": "r0",
            "Repeat": "0",
            "Model_success": "True",
            "exact-match": "1.0",
            "Errors": "",
            "Output": "Paris",
            "Item.q": "one",
            "Item.n": str(2**60 + 1),
            "Item.tags": "",
        },
        {
            "Model": "Terse",
            "Dataset": "capitals",
            "Row": "1",
            "Row_id": "r1",
            "Repeat": "0",
            "Model_success": "True",
            "exact-match": "0.0",
            "Errors": "",
            "Output": "Rome",
            "Item.q": "two",
            "Item.n": "",
            "Item.tags": '["a", null]',
        },
        {
            "Model": "Terse",
            "Dataset": "capitals",
            "Row": "2",
            "Row_id": "r2",
            "Repeat": "0",
            "Model_success": "False",
            "exact-match": "",
            "Errors": "sample: timeout: no answer; exact-match: no_sample: none",
            "Output": "",
            "Item.q": "three",
            "Item.n": "",
            "Item.tags": "",
        },
    ]
    assert [each.name for each in Path(path).parent.iterdir()] == ["run.csv"]


def test_a9_without_a_path_each_download_has_a_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with completed(rows=ROWS).client() as client:
        first = the_job(client).download_results_as_csv()
        second = the_job(client).download_results_as_csv()

    assert first != second
    assert len(cells_of(first)) == len(cells_of(second)) == 3


def test_a10_as_a_frame_it_has_types_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with completed(rows=ROWS).client() as client:
        found = the_job(client).download_results_as_csv(return_dataframe=True)

    assert isinstance(found, pd.DataFrame)
    assert found["Model_success"].dtype == "bool"
    assert sum(found["Model_success"]) * 100 / len(found) == pytest.approx(200 / 3)
    assert found["exact-match"].dtype == "float64"
    assert found["exact-match"].isna().tolist() == [False, False, True]
    assert found["Item.n"].tolist() == [2**60 + 1, None, None]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("as_frame", [True, False])
def test_a11_results_that_are_not_ready_are_none(
    as_frame: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "run.csv"
    with Service(a_job(status=JobStatus.ACTIVE), rows=ROWS).client() as client:
        found = the_job(client).download_results_as_csv(path, return_dataframe=as_frame)

    assert found is None
    assert not path.exists()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "not ready: it is active" in record.getMessage()


def test_the_rows_of_a_run_that_ended_early_are_downloaded_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Service(a_job(status=JobStatus.CANCELLED), rows=ROWS).client() as client:
        found = the_job(client).download_results_as_csv(tmp_path / "run.csv")

    assert len(cells_of(found)) == 3
    assert "ended as cancelled" in caplog.text


@pytest.mark.parametrize("as_frame", [True, False])
def test_a_table_without_rows_has_its_columns(as_frame: bool, tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    expected = ["Model", "Dataset", "Row", "Row_id", "Repeat", "Model_success", "exact-match"]
    with completed().client() as client:
        found = the_job(client).download_results_as_csv(path, return_dataframe=as_frame)

    header = list(pd.read_csv(path) if isinstance(found, Path) else pd.DataFrame(found))
    assert header == [*expected, "Errors", "Output"]


HOSTILE: JsonObject = {
    "a": "=1+1",
    "b": "+1",
    "c": "-1",
    "d": "@x",
    "e": "\tx",
    "f": "\rx",
    "n": -1,
}


@pytest.mark.parametrize(("neutralise", "sign"), [(True, "'"), (False, "")])
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(
    neutralise: bool, sign: str, tmp_path: Path
) -> None:
    rows = [a_scored_row(0, -0.5, item=HOSTILE, sample={"output_text": "=cmd()"}, row_id="=r")]
    with completed(rows=rows).client() as client:
        path = the_job(client).download_results_as_csv(tmp_path / "x.csv", neutralise=neutralise)
        frame = the_job(client).download_results_as_csv(return_dataframe=True)

    (cells,) = cells_of(path)
    for name in "abcdef":
        assert cells[f"Item.{name}"] == f"{sign}{HOSTILE[name]}"
    assert (cells["Output"], cells["Row_id"]) == (f"{sign}=cmd()", f"{sign}=r")
    assert (cells["Item.n"], cells["exact-match"]) == ("-1", "-0.5")
    assert frame is not None
    assert frame["Item.a"].tolist() == ["=1+1"]


def test_text_with_line_breaks_quotes_and_other_scripts_comes_back(tmp_path: Path) -> None:
    text = 'a,"b"\r\nc\rd\ne;ü漢\0🙂'
    rows = [a_scored_row(0, item={"t": text, "long": "x" * 100_000})]
    with completed(rows=rows).client() as client:
        path = the_job(client).download_results_as_csv(tmp_path / "x.csv")

    (cells,) = cells_of(path)
    assert (cells["Item.t"], len(cells["Item.long"])) == (text, 100_000)


def test_a_download_that_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text("of yesterday", "utf-8")
    service = Service(COMPLETED, result=a_result(), rows=ROWS, breaks_off=True)
    with service.client() as client, pytest.raises(NotFound):
        the_job(client).download_results_as_csv(path)

    assert [(each.name, each.read_text("utf-8")) for each in tmp_path.iterdir()] == [
        ("run.csv", "of yesterday")
    ]


def test_a_folder_is_no_place_to_write_to(tmp_path: Path) -> None:
    with completed(rows=ROWS).client() as client, pytest.raises(Invalid, match="not a file"):
        the_job(client).download_results_as_csv(tmp_path)


# --- when nobody answers ------------------------------------------------------------------------

GETTERS = ("check_status", "wait", "get_scores", "get_failuire_rate", "download_results_as_csv")


@pytest.mark.parametrize("getter", GETTERS)
def test_a21_an_error_is_logged_and_raised_as_what_it_is(
    getter: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Service(None).client() as client, pytest.raises(NotFound, match="capitals-1") as raised:
        getattr(the_job(client), getter)()

    assert isinstance(raised.value, EvalbusError)
    (record,) = [each for each in caplog.records if each.name.startswith("evalbus.client")]
    assert record.levelno == logging.ERROR
    assert "job 'capitals-1'" in record.getMessage()
    assert "no job 'capitals-1'" in record.getMessage()


def test_a21_a_service_that_is_away_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    with Client(
        opener=lambda: a_bus_that_answers({}), settings=client_settings(), timeout_seconds=0.05
    ) as client:
        run = BenchmarkJob("job-1", "active", "b", client=client)
        with pytest.raises(EvalbusError):
            run.get_scores()

    assert "the scores of job 'job-1' could not be had" in caplog.text
    with pytest.raises(PermanentError, match="closed"):
        run.check_status()


@pytest.mark.parametrize("getter", GETTERS)
def test_a_run_without_a_client_says_how_to_give_it_one(getter: str) -> None:
    with pytest.raises(PermanentError, match="client=Client"):
        getattr(BenchmarkJob("job-1", "active", "b"), getter)()


def test_scores_are_never_nan_in_dicts() -> None:
    with completed(scored(mean=None)).client() as client:
        run = the_job(client)
        (line,) = run.get_scores(return_as_dataframe=False)
        frame = run.get_scores()

    assert line["exact-match"] is None
    assert math.isnan(frame["exact-match"][0])
    assert frame["exact-match"].dtype == "float64"


def test_unavailable_stays_unavailable() -> None:
    async def away(_: JobNamed, __: Message) -> Job:
        raise Unavailable("Postgres is away")

    answers: dict[str, Any] = {"jobs.get": away}
    with (
        Client(opener=lambda: a_bus_that_answers(answers), settings=client_settings()) as client,
        pytest.raises(Unavailable, match="Postgres is away"),
    ):
        the_job(client).get_scores()


def test_without_pandas_everything_but_frames_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with completed(rows=ROWS).client() as client:
        run = the_job(client)
        with pytest.raises(
            WrongSettings, match=r"DataFrame needs .* pip install 'evalbus\[server\]'"
        ):
            run.get_scores()

        assert run.get_scores(return_as_dataframe=False) == [
            {"Model": "Terse", "exact-match": 0.75}
        ]
        assert run.get_failure_rate(return_as_dataframe=False) == {"Terse": 20.0}
        assert len(cells_of(run.download_results_as_csv(tmp_path / "run.csv"))) == 3
