"""A CSV file as a benchmark."""

import math
from pathlib import Path

import pytest

from evalbus import CSVBenchmark, WrongSamples
from evalbus.errors import EvalbusError


def a_file(folder: Path, text: str | bytes, name: str = "rows.csv") -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_r15_columns_become_inputs_and_extras(tmp_path: Path) -> None:
    text = (
        '\ufeffquestion,answer,note\r\n"Who said ""no""?\r\nAnd when?","a, b",x\r\n\r\nWhy?,c,y\r\n'
    )

    first, second = CSVBenchmark(a_file(tmp_path, text), ["question"], ["answer"])

    assert (first.id, second.id) == ("0", "1")
    assert (first.split, first.serialized_simulation_config) == ("All", {})
    assert first.agent_inputs == {"question": 'Who said "no"?\r\nAnd when?'}
    assert first.extras == {"answer": "a, b"}
    assert (second.agent_inputs, second.extras) == ({"question": "Why?"}, {"answer": "c"})


def test_columns_that_nobody_asks_for_are_left_out(tmp_path: Path) -> None:
    (sample,) = CSVBenchmark(a_file(tmp_path, "a,b\n1,2\n"))

    assert (sample.agent_inputs, sample.extras) == ({}, {})


def test_r16_its_id_is_the_path_as_given_unless_another_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    a_file(tmp_path, "a\n1\n")

    by_path = CSVBenchmark("./rows.csv", ["a"])
    by_name = CSVBenchmark(Path("rows.csv"), ["a"], [], "my-rows")

    assert by_path.id == by_path.benchmark_id == by_path.samples[0].benchmark_id == "./rows.csv"
    assert by_name.id == by_name.samples[0].benchmark_id == "my-rows"


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        *[("4", 4), ("-0.5", -0.5), ("1e3", 1000.0), ("true", True), ("null", None)],
        *[("[1]", [1]), ('"{""x"": 1}"', {"x": 1}), ('"""4"""', "4")],
        *[("007", "007"), ("Paris", "Paris"), ("True", "True"), ("", "")],
        *[("NaN", "NaN"), ("-Infinity", "-Infinity"), ("1e999", "1e999"), ("[1", "[1")],
        ("9" * 30, int("9" * 30)),
        ("9" * 5000, "9" * 5000),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_r17_a_cell_that_is_json_is_what_it_says(tmp_path: Path, cell: str, value: object) -> None:
    (sample,) = CSVBenchmark(a_file(tmp_path, f"cell,last\n{cell},x\n"), ["cell"])

    found = sample.agent_inputs["cell"]
    assert found == value
    assert type(found) is type(value)
    assert not (isinstance(found, float) and math.isnan(found))


@pytest.mark.parametrize("text", ["", "\ufeff", "a,b\n", "a,b"])
def test_a_file_without_records_has_no_samples(tmp_path: Path, text: str) -> None:
    assert len(CSVBenchmark(a_file(tmp_path, text), ["a"])) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('a,b\n"x\ny",1\n2\n', "rows.csv:4: 1 cells, but the header has 2 columns"),
        ("a,b\n1,2,3\n", "rows.csv:2: 3 cells, but the header has 2 columns"),
        ('a,b\n1,2\n3,"open\n\n', "rows.csv:3: "),
        ("a,a\n1,2\n", "rows.csv:1: two columns are called 'a'"),
        ("question,b\n1,2\n", "rows.csv:1: unknown column 'a' (known: b, question)"),
        (b"\xef\xbb\xbfa,b\nx\xe9,1\n", "rows.csv: not UTF-8 at byte 8 "),
    ],
    ids=["short", "long", "open", "double", "unknown", "latin"],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    with pytest.raises(ValueError, match="rows") as raised:
        CSVBenchmark(a_file(tmp_path, text), ["a"])

    assert said in str(raised.value)
    assert isinstance(raised.value, WrongSamples)
    assert isinstance(raised.value, EvalbusError)


def test_a_file_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        CSVBenchmark(str(tmp_path / "none.csv"))


def test_fetching_samples_reads_the_file_again(tmp_path: Path) -> None:
    path = a_file(tmp_path, "a\n1\n")
    benchmark = CSVBenchmark(path, ["a"])
    a_file(tmp_path, "a\n1\n2\n")

    fetched = benchmark.fetch_samples()

    assert [sample.agent_inputs["a"] for sample in fetched] == [1, 2]
    assert benchmark.samples == fetched
