"""What a report says in Markdown, of which jobs, and that it stays Markdown whoever wrote its texts."""

import math
from collections.abc import Iterator

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from evalbus.reporting import Material, as_markdown, report_of
from evalbus.reporting.parts import LINES_MAX
from evalbus_schemas.jobs import JobError, JobStatus
from evalbus_schemas.queries import SliceScores
from evalbus_schemas.scores import Histogram, HistogramBin
from tests.answers import a_job, a_result
from tests.reports import HOSTILE, a_material, a_score, scored, some_explanations

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def written(material: Material) -> str:
    return as_markdown(report_of(material))


def tokens(text: str) -> Iterator[Token]:
    for token in READER.parse(text):
        yield token
        yield from token.children or []


def lines_with(text: str, *words: str) -> list[str]:
    return [line for line in text.splitlines() if all(word in line for word in words)]


def headings(text: str) -> list[str]:
    return [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]


def test_a_whole_report_has_every_section_in_order() -> None:
    text = written(a_material())

    assert text.startswith("# capitals-1\n")
    assert headings(text) == [
        "Summary",
        "Scores",
        "Distributions",
        "Slices",
        "Agreement",
        "What stands out",
        "Errors",
        "The data",
        "What it took",
        "What was run",
    ]
    assert "PARTIAL" not in text


def test_the_summary_says_who_is_ahead_and_how_long_it_took() -> None:
    text = written(a_material())

    assert "exact-match is best for terse with 0.9000 (others: 0.6000 for chatty)" in text
    assert "| took | 3 min 20 s |" in text
    assert "| rows | 200, counted once for each model |" in text


def test_the_smallest_value_is_the_best_where_lower_is_better() -> None:
    text = written(a_material(explanations=some_explanations(direction="lower")))

    assert "exact-match is best for chatty with 0.6000" in text
    assert lines_with(text, "| exact-match ↓ | chatty | 0.6000 |")


def test_a_mean_has_its_standard_error_and_a_score_of_all_rows_has_none() -> None:
    text = written(a_material())

    error = math.sqrt(0.9 * 0.1 / 99)
    assert lines_with(
        text, f"| exact-match ↑ | terse | 0.9000 | {error:.4f} | {'█' * 18}░░ | 100 | 0 |"
    )
    assert lines_with(text, "| bleu (of all rows) | chatty | 30.0000 |  |")
    assert "not a mean" in text


def test_missing_values_and_failed_rows_have_columns_where_there_are_some() -> None:
    score = a_score(count=90, nan_count=10, n_failed=4, mean_failures_as_worst=0.72)
    text = written(a_material(result=a_result(results=(scored(score),))))

    (header,) = lines_with(text, "failed as worst")
    (line,) = lines_with(text, "| exact-match ↑ | terse | 0.7500 |")
    assert header.endswith("| failed as worst | n | failed | no value |")
    assert line.endswith("| 0.7200 | 90 | 4 | 6 |")


def test_a_histogram_is_bars_and_one_of_two_values_has_two() -> None:
    bins = [HistogramBin(lower_bound=i, upper_bound=i + 1, count=i * 10) for i in range(10)]
    spread = a_score("length", histogram=Histogram(bins=tuple(bins)))
    text = written(a_material(result=a_result(results=(scored(), scored(spread, metric="length")))))

    assert lines_with(text, "| 0 – 1 | ░░░░░░░░░░░░░░░░░░░░ | 0 |")
    assert lines_with(text, "| 9 – 10 | ████████████████████ | 90 |")
    assert [line[:12] for line in lines_with(text, "| 25 |") + lines_with(text, "| 75 |")] == [
        "| 0 – 0.1 | ",
        "| 0.9 – 1 | ",
    ]


def test_slices_and_agreement_have_a_line_for_each_model_and_score() -> None:
    text = written(a_material())

    assert lines_with(text, "| hard | what people get wrong | 40 | 0 |")
    assert lines_with(text, "| exact-match ↑ | chatty | no-slice | 100 | 0.0000 | 0.6000 |")
    assert lines_with(text, "| judge | terse | hard | 90 | 0.9000 | 0.8000 | 0.7900 | -0.0500 |")
    assert not lines_with(text, "weighted kappa", "|")


def test_a_benchmark_without_slices_and_people_tells_of_neither() -> None:
    results = (scored(),)
    every = SliceScores(slice="all", rows=100, failed_rows=0, results=results)
    text = written(a_material(result=a_result(results=results), slices=(every,)))

    assert {"Slices", "Agreement"}.isdisjoint(headings(text))


def test_findings_errors_and_what_was_run_are_told() -> None:
    text = written(a_material())

    assert "- Longer Paris? go with lower values." in text
    assert lines_with(
        text, "| item.Paris?:characters | terse | 0.5000 | 30 | 0.9000 | 30 | -0.4000 |"
    )
    assert lines_with(text, "| exact-match | chatty | metric | no_reference | 2 | 2.0000 |")
    assert lines_with(text, "| exact-match | exact-match | 1 |", "item.reference", "| words 1.0 |")
    assert lines_with(text, "| capitals | 100 | sha256:0123 |")
    assert lines_with(text, "| parallelism | 8 |")
    assert not lines_with(text, "limit_samples")
    assert lines_with(text, "| terse | 101 | 1 | 0 | 5000 | 400 | 0.2500 | 0.4000 | 1.5000 |")


def test_what_there_was_no_room_for_is_told() -> None:
    explanations = some_explanations()
    (score,) = explanations.metric_dependent
    drivers = score.drivers.model_copy(update={"left_out": 3})
    shortened = explanations.model_copy(
        update={
            "left_out": 12,
            "metric_dependent": (score.model_copy(update={"drivers": drivers}),),
        }
    )

    text = written(a_material(explanations=shortened))

    assert "There was no room for 12 more datasets or scores." in text
    assert "Weaker ones are left out: 3." in text


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (
            JobStatus.ERROR,
            JobError(code="model", message="the first 50 rows <all> failed"),
            "PARTIAL: the job ended in error: the first 50 rows \\<all> failed (model). It has no result; 50 of 200 rows"
            " were scored.",
        ),
        (
            JobStatus.CANCELLED,
            None,
            "PARTIAL: the job was cancelled. It has no result; 50 of 200 rows",
        ),
        (
            JobStatus.ACTIVE,
            None,
            "PARTIAL: the job is active. It has no result yet; 50 of 200 rows",
        ),
        (JobStatus.COMPLETED, None, "its result was deleted"),
    ],
)
def test_a_job_without_a_result_says_so_first_and_tells_what_there_is(
    status: JobStatus, error: JobError | None, said: str
) -> None:
    job = a_job(status=status, rows=50, rows_total=200, error=error)
    text = written(a_material(job=job, result=None, slices=()))

    assert said in text.splitlines()[2]
    assert "| rows | 50 of 200, counted once for each model |" in text
    assert lines_with(text, "| exact-match ↑ | terse | 0.9000 |", "| 100 | 0 |")


def test_a_result_that_outlived_its_job_is_told_as_that() -> None:
    text = written(Material(name="capitals-1", job=None, result=a_material().result))

    assert "> **The job was deleted with its rows: this is what its result says.**" in text
    assert "| exact-match | terse | 0.9000 |" in text


def test_a_job_of_which_nothing_is_known_yet_is_still_a_report() -> None:
    text = written(Material(name="capitals-1", job=a_job(), result=None))

    assert "PARTIAL: the job is active. It has no result yet; 0 rows were scored so far." in text
    assert headings(text) == ["Summary", "What was run"]


def test_a_table_that_is_too_long_says_how_much_is_missing() -> None:
    results = tuple(scored(model=f"m{number}") for number in range(LINES_MAX + 5))
    text = written(a_material(result=a_result(results=results)))

    assert "5 more lines had no room." in text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_text_becomes_markup(hostile: str) -> None:
    ours = {token.type for token in tokens(written(a_material()))}

    text = written(a_material(explanations=some_explanations(hostile)))

    assert {token.type for token in tokens(text)} - {"text_special"} <= ours
    assert headings(text) == headings(written(a_material()))
    assert max(map(len, text.splitlines())) < 25_000


def test_the_same_material_gives_the_same_report() -> None:
    assert written(a_material()) == written(a_material())
