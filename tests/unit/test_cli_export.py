"""What `evalbus results export` refuses before it asks anybody."""

import pytest
from typer.testing import CliRunner

from evalbus.cli.main import app
from evalbus.exporting import WrongExport


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run.json", "--sep", ";"], "those of csv, not json"),
        (["run.parquet", "--no-neutralise"], "those of csv, not parquet"),
        (["run.csv", "--format", "jsonl", "--quotechar", "'"], "those of csv, not jsonl"),
        (["-", "--format", "parquet"], "parquet is no text"),
        (["run.csv", "--format", "xml"], "'xml' is not one of"),
    ],
)
def test_arguments_that_do_not_go_together_are_wrong(arguments: list[str], said: str) -> None:
    ended = CliRunner().invoke(app, ["results", "export", "job", *arguments])

    assert ended.exit_code == 2
    assert said in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run.csv", "--sep", ""], "sep must be one character"),
        (["run.csv", "--sep", "ab"], "sep must be one character"),
        (["run.csv", "--quotechar", ","], "must differ"),
        (["run.csv", "--escapechar", "e"], "numbers or words"),
        (["https://example.org/run.json"], "nothing can be written to"),
    ],
)
def test_separators_and_places_that_are_none_are_refused(arguments: list[str], said: str) -> None:
    ended = CliRunner().invoke(app, ["results", "export", "job", *arguments])

    assert isinstance(ended.exception, WrongExport)
    assert said in str(ended.exception)
