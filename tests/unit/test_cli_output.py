"""What a table, a progress line and an exit code say."""

import csv
import io
import json
from pathlib import Path

import pytest
import typer

from evalbus.cli.estimate import rows_expected
from evalbus.cli.exits import Exit, exit_of_error, exit_of_job
from evalbus.cli.output import Style, Table, as_markdown, chosen, printable, write_table
from evalbus.cli.progress import LINE_SECONDS, Pace
from evalbus.cli.row_table import RowColumns, rows_table
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
from evalbus_schemas.benchmark import Params
from evalbus_schemas.jobs import JobError, JobStatus
from evalbus_schemas.queries import NamedScore
from tests.answers import a_job, a_metric_result, a_row
from tests.builders import a_benchmark

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

    assert table.columns == (
        *("dataset", "model", "row", "id", "output_text", "f1", "failed", "why"),
    )
    assert table.rows == [
        ("capitals", "terse", "r0", "0", "Paris", 0.5, "", ""),
        ("capitals", "terse", "r1", "1", None, None, "yes", "f1: no sample"),
    ]


def test_a_field_called_like_a_column_is_told_apart_from_it() -> None:
    table = rows_table([a_row(0, item={"model": "x", "why": "y", "text": "z"})])

    assert table.columns[3:6] == ("item.model", "item.why", "text")
    assert len(set(table.columns)) == len(table.columns)


def test_fields_that_come_up_late_are_not_lost() -> None:
    columns = RowColumns.of([a_row(0)])

    assert columns.rest(a_row(1)) is None
    assert columns.rest(a_row(2, item={"id": 2, "note": "new"})) == '{"note": "new"}'


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
