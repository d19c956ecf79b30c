"""What a table, a progress line and an exit code say."""

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import typer

from evalbus.cli.comparison_table import column_titles, comparison_lines, comparison_table
from evalbus.cli.estimate import rows_expected
from evalbus.cli.exits import Exit, exit_of_error, exit_of_job
from evalbus.cli.output import Style, chosen, write_table
from evalbus.cli.progress import LINE_SECONDS, Pace
from evalbus.cli.result_table import COLUMNS, fields_of_scores_table, results_table
from evalbus.cli.row_table import RowColumns, rows_table
from evalbus.cli.rows import write_csv_lines, write_json_lines, write_rows_table
from evalbus.cli.scores import epilogue, scores_table
from evalbus.client.benchmark_file import with_absolute_sources
from evalbus.errors import (
    Conflict,
    EvalbusError,
    FolderInUse,
    Invalid,
    NotFound,
    Unavailable,
    WrongSettings,
)
from evalbus.writing.markdown import as_markdown
from evalbus.writing.tables import Change, Table, printable
from evalbus_schemas.benchmark import Params, ScoreDirection
from evalbus_schemas.jobs import JobError, JobStatus
from evalbus_schemas.queries import NamedScore, Row, RowPage
from evalbus_schemas.scores import Histogram, HistogramBin, RubricCount
from tests.answers import (
    a_cell,
    a_compared_cell,
    a_comparison,
    a_job,
    a_metric_result,
    a_result,
    a_row,
)
from tests.builders import a_benchmark
from tests.reports import a_score, an_agreement, scored

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("no such job"), 1),
        (Conflict("the name is taken"), 1),
        (Invalid("datasets.0.sorce: unknown key"), 2),
        (Unavailable("no broker"), 69),
        (FolderInUse("somebody works here", owner_pid=1), 69),
        (WrongSettings("EVALBUS_AMQP_URL"), 78),
    ],
)
def test_every_kind_of_error_has_its_exit_code(error: EvalbusError, code: int) -> None:
    assert exit_of_error(error) == code


@pytest.mark.parametrize(
    ("status", "failed_rows", "code"),
    [
        (JobStatus.COMPLETED, 0, Exit.OK),
        (JobStatus.COMPLETED, 1, Exit.FAILED_ROWS),
        (JobStatus.ERROR, 0, Exit.REFUSED),
        (JobStatus.CANCELLED, 0, Exit.REFUSED),
    ],
)
def test_a_job_ends_with_its_exit_code(status: JobStatus, failed_rows: int, code: Exit) -> None:
    assert exit_of_job(a_job(status=status, failed_rows=failed_rows)) is code


def test_asking_for_two_formats_is_a_wrong_argument() -> None:
    with pytest.raises(typer.BadParameter, match="choose one"):
        chosen(as_json=True, as_csv=True)

    assert chosen(as_markdown=True) is Style.MARKDOWN
    assert chosen() is Style.TABLE


def test_a_markdown_table_aligns_numbers_and_keeps_its_columns() -> None:
    table = Table(columns=("model", "mean"), rows=[("a|b", 0.5), ("c\nd", None)])

    assert as_markdown(table).splitlines() == [
        "| model | mean |",
        "| --- | ---: |",
        "| a\\|b | 0.5000 |",
        "| c d |  |",
    ]


def test_no_text_breaks_a_markdown_table_or_becomes_markup() -> None:
    table = Table(columns=("a|b", "[x]\x1b"), rows=[("\\|", "<b>*`_x_`*")])

    assert as_markdown(table).splitlines() == [
        "| a\\|b | \\[x\\]\ufffd |",
        "| --- | --- |",
        "| \\\\\\| | \\<b>\\*\\`\\_x\\_\\`\\* |",
    ]


def test_a_column_may_be_called_like_markup(capsys: Captured) -> None:
    write_table(Table(columns=("[bold]", "\x1b[2J"), rows=[("a", "b")]), Style.TABLE)

    out = capsys.readouterr().out
    assert "[bold]" in out
    assert "\x1b" not in out


def test_a_difference_shows_its_sign_to_people_and_is_a_number_for_programs(
    capsys: Captured,
) -> None:
    table = Table(columns=("Δ",), rows=[(Change(0.25),), (Change(-0.5),), (Change(0.0),)])

    write_table(table, Style.CSV)

    assert as_markdown(table).splitlines()[2:] == ["| +0.2500 |", "| -0.5000 |", "| +0.0000 |"]
    assert capsys.readouterr().out.splitlines() == ["Δ", "0.25", "-0.5", "0.0"]


def test_a_csv_cell_is_never_a_formula(capsys: Captured) -> None:
    table = Table(columns=("name", "mean"), rows=[('=HYPERLINK("x")', -0.5), ("plain, text", 1)])

    write_table(table, Style.CSV)

    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows == [["name", "mean"], ['\'=HYPERLINK("x")', "-0.5"], ["plain, text", "1"]]


def test_a_table_that_is_piped_is_not_cut(capsys: Captured) -> None:
    long = "a-very-long-name-" * 20

    write_table(Table(columns=("name",), rows=[(long,)]), Style.TABLE)

    assert long in capsys.readouterr().out


def test_text_from_outside_cannot_steer_the_terminal(capsys: Captured) -> None:
    write_table(Table(columns=("name",), rows=[("\x1b[2Jgone [red]",)]), Style.TABLE)

    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "[red]" in out
    assert printable("a\x07b\nc") == "a\ufffdb\nc"


def test_a_table_as_json_is_one_document(capsys: Captured) -> None:
    write_table(Table(columns=("name", "mean"), rows=[("a", None)]), Style.JSON)

    assert json.loads(capsys.readouterr().out) == [{"name": "a", "mean": None}]


def test_a_score_that_people_gave_as_well_shows_how_often_they_agree() -> None:
    judged, unjudged = scored(a_score(agreement=an_agreement())), scored(a_score(), metric="f1")

    table = scores_table([judged, unjudged], workspace="default")

    assert table.columns[-1] == "agreement"
    assert [row[-1] for row in table.rows] == [0.9, None]


def test_the_result_table_names_the_dataset_only_when_there_are_several() -> None:
    one = a_metric_result()
    other = one.model_copy(update={"dataset": "default/rivers"})

    assert scores_table([one], workspace="default") == Table(
        columns=("model", "metric", "mean", "n", "failed"),
        rows=[("terse", "exact-match", 0.6, 5, 0)],
    )
    assert [row[2] for row in scores_table([one, other], workspace="default").rows] == [
        "capitals",
        "rivers",
    ]


def test_the_result_table_counts_rows_without_a_value_apart_from_failed_ones() -> None:
    result = a_metric_result(count=2, nan_count=3, n_failed=1)

    table = scores_table([result], workspace="default")

    assert table.columns[-3:] == ("n", "failed", "no value")
    assert table.rows[0][-3:] == (2, 1, 2)


def test_the_result_table_shows_what_failed_rows_would_cost() -> None:
    one = a_metric_result(count=4, nan_count=1, n_failed=1, mean=0.75, mean_failures_as_worst=0.6)

    table = scores_table([one], workspace="default")

    assert table.columns == ("model", "metric", "mean", "failed as worst", "n", "failed")
    assert table.rows == [("terse", "exact-match", 0.75, 0.6, 4, 1)]


def test_results_are_listed_one_a_line_or_one_score_a_line() -> None:
    two = a_result("two", datasets=("default/capitals", "other/rivers"))

    plain = results_table([a_result("one"), two])
    scores = fields_of_scores_table([two], ["mean", "mode_category", "percentiles"])

    assert plain.columns == COLUMNS
    assert plain.rows[1] == (
        *("two", "default/capitals", "capitals, other/rivers", "terse"),
        *(5, 0, "2026-03-01 12:00:00"),
    )
    assert scores.columns == (
        *("result", "dataset", "model", "metric", "n"),
        *("mean", "mode_category", "percentiles"),
    )
    assert scores.rows == [("two", "capitals", "terse", "exact-match", 5, 0.6, None, None)]


def test_statistics_that_are_no_single_number_are_json_in_a_table() -> None:
    bins = Histogram(bins=(HistogramBin(lower_bound=0.0, upper_bound=1.0, count=5),))
    rubric = (RubricCount(label="good", value=1.0, count=5),)
    result = a_result(results=(a_metric_result(histogram=bins, rubric_distribution=rubric),))

    table = fields_of_scores_table([result], ["histogram", "rubric_distribution"])

    *_, shown_bins, shown_rubric = table.rows[0]
    assert json.loads(str(shown_bins)) == {
        "bins": [{"lower_bound": 0.0, "upper_bound": 1.0, "count": 5}]
    }
    assert json.loads(str(shown_rubric)) == [
        {"label": "good", "description": None, "value": 1.0, "count": 5}
    ]


def test_the_scores_of_a_metric_are_named_when_it_has_several() -> None:
    one = a_metric_result(name="precision")
    two = one.model_copy(update={"scores": one.scores + a_metric_result(name="recall").scores})

    assert [row[1] for row in scores_table([one], workspace="default").rows] == ["exact-match"]
    assert [row[1] for row in scores_table([two], workspace="default").rows] == [
        "exact-match:precision",
        "exact-match:recall",
    ]


def test_rows_are_shown_with_their_fields_scores_and_reasons() -> None:
    scored = a_row(0, metrics={"default/f1": (NamedScore(name="f1", value=0.5),)})
    failed = a_row(1, failed=True, metric_errors={"f1": "no sample"}, sample={})

    table = rows_table([scored, failed])

    assert table.columns == ("dataset", "model", "row", "id", "output_text", "f1", "failed", "why")
    assert table.rows == [
        ("capitals", "terse", "r0", "0", "Paris", 0.5, "", ""),
        ("capitals", "terse", "r1", "1", None, None, "yes", "f1: no sample"),
    ]


async def pages_of(*pages: list[Row], is_partial: bool = False) -> AsyncIterator[RowPage]:
    for number, rows in enumerate(pages, 1):
        following = str(number) if number < len(pages) else None
        yield RowPage(rows=tuple(rows), next=following, partial=is_partial)


async def test_rows_stream_as_lines_with_null_for_what_has_no_value(capsys: Captured) -> None:
    scored = a_row(0, metrics={"default/f1": (NamedScore(name="f1", value=0.5),)})
    nothing = a_row(
        1,
        metrics={"default/f1": (NamedScore(name="f1", value=None),)},
        metric_errors={"default/f1": "no_reference"},
    )

    await write_json_lines(pages_of([scored], [nothing]))

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {
        "row_index": 0,
        "row_id": "r0",
        "repeat": 0,
        "latency_seconds": None,
        "dataset": "default/capitals",
        "model": "default/terse",
        "item": {"id": 0},
        "sample": {"output_text": "Paris"},
        "metrics": {"default/f1": [{"name": "f1", "value": 0.5}]},
        "requests": [],
        "metric_errors": None,
        "failed": False,
        "slices": [],
    }
    assert lines[1]["metrics"] == {"default/f1": [{"name": "f1", "value": None}]}
    assert lines[1]["metric_errors"] == {"default/f1": "no_reference"}


async def test_rows_as_csv_come_page_by_page_and_lose_no_field(capsys: Captured) -> None:
    first, second = a_row(0), a_row(1, item={"id": 1, "hint": "a, b"})

    await write_csv_lines(pages_of([first], [second]))

    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [
        ["dataset", "model", "row", "id", "output_text", "failed", "why", "other fields"],
        ["capitals", "terse", "r0", "0", "Paris", "", "", ""],
        ["capitals", "terse", "r1", "1", "Paris", "", "", '{"hint": "a, b"}'],
    ]


def test_a_field_called_like_a_column_is_told_apart_from_it() -> None:
    table = rows_table([a_row(0, item={"model": "x", "why": "y", "text": "z"})])

    assert table.columns[3:6] == ("item.model", "item.why", "text")
    assert len(set(table.columns)) == len(table.columns)


def test_fields_that_come_up_late_are_not_lost() -> None:
    columns = RowColumns.of([a_row(0)])

    assert columns.rest(a_row(1)) is None
    assert columns.rest(a_row(2, item={"id": 2, "note": "new"})) == '{"note": "new"}'


async def test_whoever_stops_at_a_limit_is_told_where_to_go_on(capsys: Captured) -> None:
    async def cut() -> AsyncIterator[RowPage]:
        yield RowPage(rows=(a_row(0),), next="0.0.0.0", partial=True)

    await write_rows_table(cut(), Style.MARKDOWN)

    shown = capsys.readouterr()
    assert "| capitals | terse | r0 | 0 | Paris |" in shown.out
    assert shown.err.splitlines() == [
        "there are more rows: --after 0.0.0.0",
        "partial: the job has not completed",
    ]


def test_models_of_one_result_are_compared_by_their_names() -> None:
    table = comparison_table(a_comparison())

    assert as_markdown(table).splitlines() == [
        "| dataset | metric | ↑↓ | terse (baseline) | chatty | Δ | better/worse/equal | n | failed |",
        "| --- | --- | --- | ---: | ---: | ---: | --- | ---: | ---: |",
        "| capitals | exact-match | ↑ | 0.5000 | 0.7500 | +0.2500 | 3/1/6 | 10 | 0 |",
    ]


@pytest.mark.parametrize(
    ("columns", "titles"),
    [
        ([("a", "terse"), ("b", "terse")], ["a", "b"]),
        ([("a", "terse"), ("b", "chatty")], ["a:terse", "b:chatty"]),
        ([("a", "terse"), ("a", "chatty"), ("b", "terse")], ["a:terse", "a:chatty", "b:terse"]),
        ([("a", "terse")], ["terse"]),
    ],
)
def test_columns_are_called_as_shortly_as_tells_them_apart(
    columns: list[tuple[str, str]], titles: list[str]
) -> None:
    assert column_titles(a_comparison(*[a_cell()] * len(columns), columns=columns)) == titles


def test_every_column_beside_the_baseline_says_whose_difference_it_shows() -> None:
    columns = (("a", "terse"), ("b", "terse"), ("c", "terse"))
    comparison = a_comparison(
        a_compared_cell(0.75, count=9),
        a_cell(0.5, n_failed=2),
        None,
        columns=columns,
        baseline=1,
    )

    table = comparison_table(comparison)

    assert table.columns == (
        *("dataset", "metric", "↑↓", "a", "b (baseline)", "c"),
        *("Δ a", "better/worse/equal a", "paired a", "Δ c", "better/worse/equal c", "paired c"),
        *("n", "failed"),
    )
    assert table.rows == [
        (
            *("capitals", "exact-match", "↑", 0.75, 0.5, None),
            *(0.25, "3/1/6", 10, None, None, None),
            *("9 / 10 / –", "0 / 2 / –"),
        )
    ]


def test_the_arrow_says_which_way_is_better() -> None:
    score = a_comparison().scores[0]
    directions: list[ScoreDirection] = ["higher", "lower", "none"]

    for direction, arrow in zip(directions, ("↑", "↓", ""), strict=True):
        turned = score.model_copy(update={"direction": direction})
        assert comparison_table(a_comparison(scores=(turned,))).rows[0][2] == arrow


def test_scores_of_one_metric_are_told_apart_in_a_comparison() -> None:
    one = a_comparison().scores[0]
    two = one.model_copy(update={"score": "recall"})

    table = comparison_table(a_comparison(scores=(one, two)))

    assert [row[1] for row in table.rows] == ["exact-match:exact-match", "exact-match:recall"]


def test_a_comparison_as_csv_is_a_line_for_each_cell(capsys: Captured) -> None:
    write_table(comparison_lines(a_comparison(a_cell(), a_compared_cell())), Style.CSV)

    baseline, this = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (baseline["model"], baseline["is_baseline"]) == ("default/terse", "yes")
    assert (baseline["mean"], baseline["delta"]) == ("0.5", "")
    assert (this["model"], this["is_baseline"]) == ("default/chatty", "no")
    assert (this["mean"], this["delta"], this["n_paired"]) == ("0.75", "0.25", "10")
    assert (this["better"], this["worse"], this["equal"]) == ("3", "1", "6")


def test_how_a_job_ended_is_one_sentence() -> None:
    error = JobError(code="source_changed", message="capitals.jsonl has changed")

    assert epilogue(a_job(status=JobStatus.COMPLETED, rows=10, failed_rows=2)) == (
        "job capitals-1 completed: 10 rows, 2 of them failed"
    )
    assert "capitals.jsonl has changed (source_changed)" in epilogue(
        a_job(status=JobStatus.ERROR, error=error)
    )
    assert "was cancelled; 3 scored rows" in epilogue(a_job(status=JobStatus.CANCELLED, rows=3))


def test_progress_without_a_terminal_is_a_line_now_and_then() -> None:
    pace = Pace()

    at_first = pace.line(a_job(rows=0), now=0.0)
    too_early = pace.line(a_job(rows=10), now=LINE_SECONDS / 2)
    later = pace.line(a_job(rows=1000, rows_total=3000, failed_rows=2), now=LINE_SECONDS)
    at_the_end = pace.line(a_job(status=JobStatus.COMPLETED), now=LINE_SECONDS * 3)

    unread = Pace(expected=500)
    unread.line(a_job(), now=0.0)

    assert at_first is None
    assert too_early is None
    assert later == (
        "job capitals-1 active: 1000 of 3000 rows, 2 failed, 100 rows/s, about 20 s left"
    )
    assert at_the_end is None
    assert "100 of 500 rows" in (unread.line(a_job(rows=100), now=LINE_SECONDS) or "")


def test_the_rows_of_a_benchmark_are_estimated_from_its_files(tmp_path: Path) -> None:
    (tmp_path / "capitals.jsonl").write_text("{}\n" * 9 + "{}")
    benchmark = with_absolute_sources(a_benchmark(models=("a", "b")), tmp_path)
    limited = benchmark.model_copy(update={"params": Params(limit_samples=4)})

    assert rows_expected(benchmark) == 20
    assert rows_expected(limited) == 8
    assert rows_expected(with_absolute_sources(a_benchmark(), tmp_path / "elsewhere")) is None
