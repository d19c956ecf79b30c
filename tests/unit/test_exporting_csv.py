"""What is written as CSV comes back as it was, with every reader that is given the same characters."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalbus.exporting import CsvExportConfig, JsonExportConfig, WrongExport, checked_config
from evalbus.exporting.cells import Cells, neutralised
from tests.exporting import a_datapoint, a_file

HOSTILE = [
    *("", " ", " a ", "a,b", 'a"b', "a'b", "a;b|c\td", '"', '""', "'", "''", '"""', "\\", "\\\\", "a\\"),
    *('\\"', '"\\', "\\n", "a\nb", "a\r\nb", "a\rb", "\n", "\r", "\r\n", "\0", "a\0b", "\ufeffa"),
    *("=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=1", "007", "NA", "nan", "null", "True", "1e5"),
    *("#", "漢字🙂", "\u2028", "\x0b\x0c\x1c\x85", ',"\\\n', "a" * 100_000),
]  # fmt: skip
SEPARATORS = [",", ";", "\t", "|"]
QUOTES = ['"', "'"]

hostile_text = st.text(st.sampled_from("\"'\\,;\t|\r\n\0=+-@ aé🙂\u2028\ufeff")) | st.text(
    st.characters(exclude_categories=["Cs"])
)
dialects = st.builds(
    CsvExportConfig,
    sep=st.sampled_from([*SEPARATORS, "\x01", "§"]),
    quotechar=st.sampled_from(QUOTES),
    escapechar=st.sampled_from(["\\", "^"]),
    neutralise=st.just(False),
)


def as_file(lines: Sequence[Sequence[object]], config: CsvExportConfig) -> io.StringIO:
    cells = Cells(
        sep=config.sep,
        quotechar=config.quotechar,
        escapechar=config.escapechar,
        neutralise=config.neutralise,
    )
    return io.StringIO("".join(cells.line(line) for line in lines), newline="")


def by_csv(file: io.StringIO, config: CsvExportConfig) -> list[list[str]]:
    reader = csv.reader(
        file,
        delimiter=config.sep,
        quotechar=config.quotechar,
        escapechar=config.escapechar,
        strict=True,
    )
    return list(reader)


def by_pandas(file: io.StringIO, config: CsvExportConfig) -> list[list[str]]:
    frame = pd.read_csv(
        file,
        sep=config.sep,
        quotechar=config.quotechar,
        escapechar=config.escapechar,
        dtype=str,
        keep_default_na=False,
        # The quick one reads separators of one byte only.
        engine="c" if config.sep.isascii() else "python",
    )
    return [list(frame), *frame.to_numpy().tolist()]


@given(st.lists(st.tuples(hostile_text, hostile_text), min_size=1, max_size=4), dialects)
@settings(max_examples=300, deadline=None)
def test_any_text_comes_back(lines: list[tuple[str, str]], config: CsvExportConfig) -> None:
    table: list[list[str]] = [["a", "b", "last"], *([*line, "x"] for line in lines)]

    assert by_csv(as_file(table, config), config) == table
    assert by_pandas(as_file(table, config), config) == table


@pytest.mark.parametrize("sep", SEPARATORS)
@pytest.mark.parametrize("quotechar", QUOTES)
async def test_hostile_items_come_back_with_every_separator(sep: str, quotechar: str) -> None:
    config = CsvExportConfig(sep=sep, quotechar=quotechar, neutralise=False)
    item = {f"{text[:20]}#{place}": text for place, text in enumerate(HOSTILE)}

    written = (await a_file(config, [a_datapoint(0, item)])).decode()

    for read in (by_csv, by_pandas):
        header, line = read(io.StringIO(written, newline=""), config)
        found = dict(zip(header, line, strict=True))
        assert {name: found[name] for name in item} == item


@pytest.mark.parametrize("quotechar", QUOTES)
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(quotechar: str) -> None:
    config = CsvExportConfig(quotechar=quotechar)
    texts = ["=1", "+1", "-1", "@x", "\tx", "\rx", "a=1", " =1", "'=1", ""]

    ((*found, whole, decimal, yes),) = by_csv(as_file([[*texts, -1, -0.5, True]], config), config)

    assert found == ["'=1", "'+1", "'-1", "'@x", "'\tx", "'\rx", "a=1", " =1", "'=1", ""]
    assert (whole, decimal, yes) == ("-1", "-0.5", "True")
    assert [neutralised(text) for text in texts] == found


def test_a_spreadsheet_finds_no_formula_behind_a_quote_inside_of_a_cell() -> None:
    # It knows no escape characters: to it, a backslash and a quote are the end of the cell.
    file = as_file([['x",=cmd()', '\\",=cmd()', "\\"]], CsvExportConfig())

    assert list(csv.reader(file)) == [['x",=cmd()', '\\\\",=cmd()', "\\\\"]]


def test_s9_the_characters_of_a_csv_have_defaults() -> None:
    config = CsvExportConfig()

    assert (config.sep, config.quotechar, config.escapechar) == (",", '"', "\\")
    assert (config.format, JsonExportConfig().format) == ("csv", "json")
    assert CsvExportConfig(";", "'", "^") == CsvExportConfig(
        sep=";", quotechar="'", escapechar="^", neutralise=True
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        *[({name: ""}, "one character") for name in ("sep", "quotechar", "escapechar")],
        *[({name: '\\"'}, "one character") for name in ("sep", "quotechar", "escapechar")],
        *[({"sep": each}, "numbers or words") for each in ("1", "a", "-", ".", "+", "é")],
        *[({"sep": each}, "line of text") for each in ("\n", "\r", "\0", "\ud800")],
        *[({"quotechar": each}, "space") for each in (" ", "\t")],
        ({"sep": '"'}, "must differ"),
        ({"sep": "\\"}, "must differ"),
        ({"quotechar": "\\"}, "must differ"),
        ({"sep": 5}, "one character"),
        ({"escapechar": None}, "one character"),
    ],
)
def test_characters_that_could_not_be_read_again_are_refused(
    wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        CsvExportConfig(**wrong)


@pytest.mark.parametrize("wrong", ["csv", {"format": "csv"}, CsvExportConfig, 1])
def test_s10_a_config_of_the_wrong_type_is_a_value_error(wrong: object) -> None:
    with pytest.raises(ValueError, match="Invalid export config"):
        checked_config(wrong)


def test_s10_json_is_the_default() -> None:
    assert checked_config(None) == checked_config(JsonExportConfig()) == JsonExportConfig()


def test_wrong_exports_are_refused_as_any_other_wrong_argument() -> None:
    with pytest.raises(WrongExport) as raised:
        CsvExportConfig(sep="")

    assert raised.value.code == -32602
