"""What people read of a job: as Markdown, as a page, and by slices; from one folder, while a process works in it."""

import csv
import io
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from evalbus.client import Client
from evalbus.errors import NotFound
from evalbus_schemas.jobs import JobStatus
from tests.pages import Page
from tests.system import clean_environment, ran

SECONDS = 120.0
HOSTILE = "<script>alert(1)</script> ![](http://evil.example/a.png) | \u202e"

ROWS: list[dict[str, Any]] = [
    {
        "id": f"r{number}",
        "question": f"question {number}",
        "level": "hard" if number % 4 == 0 else "easy",
        "answer": str(number),
        "good": str(number) if number % 10 else HOSTILE,
        "bad": str(number if number % 4 else number + 1),
        "people": int(number % 10 != 0 and number % 9 != 0),
    }
    | ({"rare": "only now and then"} if number % 5 == 0 else {})
    for number in range(120)
]
"""The good model is right in 108 rows, the bad one in the 90 easy ones; of the good one people thought so in 96."""

BENCHMARK: dict[str, Any] = {
    "name": "sums",
    "datasets": [{"name": "sums", "rows": ROWS, "id": "{{ item.id }}"}],
    "models": [
        {"name": name, "type": "recorded", "output": f"{{{{ item.{name} }}}}"}
        for name in ("good", "bad")
    ],
    "metrics": [
        {
            "name": "exact",
            "type": "exact-match",
            "reference": "{{ item.answer }}",
            "ground_truth": "{{ item.people }}",
        },
        {"name": "bleu", "type": "bleu", "references": ["{{ item.answer }}"]},
    ],
    "slices": [{"name": "hard", "where": {"level": "hard"}, "description": "of four"}],
}
BROKEN = BENCHMARK | {
    "models": [{"name": "mute", "type": "recorded", "output": "{{ item.rare }}"}],
    "params": {"max_row_error_ratio": 0.1},
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A system in this process with the jobs `sums` and `broken`."""
    folder = tmp_path_factory.mktemp("reports")
    with Client.embedded(folder / "data") as client:
        client.jobs.start(BENCHMARK, job="sums")
        client.jobs.start(BROKEN, job="broken")
        assert client.jobs.wait("sums", timeout_seconds=SECONDS).status is JobStatus.COMPLETED
        assert client.jobs.wait("broken", timeout_seconds=SECONDS).status is JobStatus.ERROR
        yield client


@pytest.fixture(scope="module")
def folder(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return next(tmp_path_factory.getbasetemp().glob("reports*"))


def say(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    environment = clean_environment({"EVALBUS_DATA_DIR": str(folder / "data")})
    return ran(*arguments, environment=environment, folder=folder, code=code, seconds=SECONDS)


def test_a_job_as_markdown_can_be_pasted(client: Client, folder: Path) -> None:
    text = say(folder, "results", "report", "sums").stdout

    assert text == client.results.report("sums")
    assert text.startswith("# sums\n")
    assert "sums: 120 rows for each of 2 models. exact is best for good with 0.9000" in text
    assert "| exact ↑ | good | hard | 30 |" in text
    assert "bleu:corpus (of all rows)" in text
    read = [
        token
        for block in MarkdownIt("commonmark").enable("table").parse(text)
        for token in [block, *(block.children or [])]
    ]
    assert {token.type for token in read}.isdisjoint(
        {"html_block", "html_inline", "image", "link_open", "fence"}
    )
    assert "| slice:hard | bad | 0.0000 | 30 |" in text


def test_a_job_as_a_page_is_one_file_that_is_there_whole(folder: Path) -> None:
    done = say(folder, "results", "report", "sums", "--html", "--output", "out/sums.html")

    assert done.stdout == ""
    assert "sums.html" in done.stderr
    assert [file.name for file in (folder / "out").iterdir()] == ["sums.html"]
    page = Page((folder / "out" / "sums.html").read_text("utf-8"))
    assert "exact is best for good with 0.9000" in page.text
    assert all(reference and reference.startswith("#") for reference in page.references())
    assert "<script" not in page.source
    assert "<script>alert(1)</script>" in page.text
    assert page.attributes_of("svg")


def test_a_job_that_ended_in_error_is_told_as_far_as_it_came(client: Client) -> None:
    text, page = client.results.report("broken"), Page(client.results.report("broken", html=True))

    assert text.splitlines()[2].startswith(
        "> **PARTIAL: the job ended in error: 96 of 120 rows failed"
    )
    assert "It has no result" in text
    assert "| exact ↑ | mute | 0.0000 |" in text
    assert "| exact | mute | sample |" in text.partition("## Errors")[2]
    assert page.attributes_of("p")[0] == {"class": "notice", "role": "note", "dir": "auto"}
    assert "PARTIAL: the job ended in error" in page.text


def test_slices_are_a_table_of_scores_and_of_agreement(client: Client, folder: Path) -> None:
    table = list(
        csv.DictReader(io.StringIO(say(folder, "results", "slices", "sums", "--csv").stdout))
    )

    lines = {(line["score"], line["model"], line["slice"]): line for line in table}
    assert [each["slice"] for each in table[:3]] == ["all", "hard", "no-slice"]
    assert len(table) == len(lines) == 3 * 2 * 3
    hard, everything = lines["exact", "bad", "hard"], lines["exact", "good", "all"]
    assert (hard["rows"], hard["failed %"], hard["mean or value"]) == ("30", "0.0", "0.0")
    told = next(iter(client.results.slices("sums"))).results[0].scores[0].agreement
    assert told
    assert float(everything["agreement"]) == told.raw == pytest.approx(1 - 12 / 120)
    assert float(everything["kappa"]) == told.kappa
    assert lines["bleu:corpus (of all rows)", "good", "all"]["agreement"] == ""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("report", "sums", "--output", "."), 2, "not a file"),
        (("slices", "broken"), 1, "broken"),
    ],
)
def test_what_cannot_be_told_or_written_is_one_sentence(
    client: Client, folder: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = say(folder, "results", *arguments, code=code)

    assert said in done.stderr


def test_a_job_that_nobody_knows_has_no_report(client: Client) -> None:
    with pytest.raises(NotFound, match="nobody"):
        client.results.report("nobody")
