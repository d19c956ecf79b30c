"""Reading a benchmark file: what was written is what is meant, and every mistake has a place."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbus.client import load_benchmark
from evalbus.client.documents import FILE_BYTES_MAX, read_document
from evalbus.errors import Invalid
from tests.builders import a_benchmark

Writer = Callable[[str], Path]

HEAD = """\
name: capitals
models: [{name: m, type: recorded, output: "{{ item.output }}"}]
metrics: [{name: e, type: exact-match, reference: "{{ item.reference }}"}]
"""


@pytest.fixture
def written(tmp_path: Path) -> Writer:
    def write(text: str) -> Path:
        file = tmp_path / "capitals.yaml"
        file.write_text(text, "utf-8")
        return file

    return write


def test_a_relative_source_is_relative_to_its_file(written: Writer, tmp_path: Path) -> None:
    file = written(
        HEAD + "datasets: [{name: a, source: rows/*.jsonl}, {name: b, source: /data/b.csv}]"
    )

    loaded = load_benchmark(str(file))

    assert [dataset.source for dataset in loaded.written_out().datasets] == [
        f"{tmp_path}/rows/*.jsonl",
        "/data/b.csv",
    ]


def test_json_and_a_dict_mean_the_same_as_yaml(written: Writer, tmp_path: Path) -> None:
    benchmark = a_benchmark()
    as_json = tmp_path / "capitals.json"
    as_json.write_text(benchmark.model_dump_json())
    as_yaml = written(json.dumps(benchmark.model_dump(mode="json")))

    assert load_benchmark(as_json) == load_benchmark(as_yaml)
    loaded = load_benchmark(benchmark.model_dump())
    assert loaded == load_benchmark(benchmark)
    assert loaded.written_out() == benchmark
    assert load_benchmark(loaded) is loaded


def test_dates_and_words_like_yes_stay_the_text_that_was_written(written: Writer) -> None:
    file = written(HEAD + "datasets: [{name: a, rows: [{on: 2001-01-01, off: no, n: 1.5}]}]")

    rows = load_benchmark(file).written_out().datasets[0].rows

    assert rows == ({"on": "2001-01-01", "off": "no", "n": 1.5},)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEAD + "datasets: [{name: a, sorce: b}]", "datasets.0.sorce: unknown key; did you mean 'source'? (known: connector, fields, format, id, name, rows, source, typed)"),
        (HEAD + "datasets: [{name: a}]", "datasets.0: give either source or rows"),
        (HEAD + "datasets: [{name: A, source: b}]", "datasets.0.name: String should match"),
        (HEAD, "datasets: is missing"),
        (HEAD + "datasets: [{name: a, source: b}, {name: a, source: c}]", "two datasets are called 'a'"),
        (HEAD + "name: again", "capitals.yaml:4:1: found duplicate key"),
        (HEAD + "datasets: [", "capitals.yaml:4:"),
        (HEAD + "datasets: [{name: a, rows: [{n: .nan}]}]", "datasets.0.rows.0.n: nan is not a number"),
        (HEAD + "datasets: [{name: a, rows: [{1: a}]}]", "datasets.0.rows.0: the key 1 is not text"),
        (HEAD + "datasets: !!set {a, b}", "datasets"),
        (HEAD + "datasets: !!python/object/apply:os.system [ls]", "capitals.yaml:4:"),
        ("- a", "a benchmark is a mapping"),
        ("", "a benchmark is a mapping"),
        ("a: &a [*a]", "alias"),
        ("a: " + "[" * 3000, "capitals.yaml"),
    ],
)  # fmt: skip
def test_a_mistake_is_an_error_that_names_the_file_and_the_place(
    written: Writer, text: str, says: str
) -> None:
    with pytest.raises(Invalid) as raised:
        load_benchmark(written(text))

    assert raised.value.message.startswith("capitals.yaml")
    assert says in raised.value.message


def test_aliases_that_multiply_are_refused_in_time(written: Writer) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]

    with pytest.raises(Invalid, match="too large, or an alias"):
        load_benchmark(written("\n".join(lines)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"name": "a", "name": "b"}', "the key 'name' is there twice"),
        ('{"name": \n  }', r"capitals\.json:2:3: Expecting value"),
        ('{"params": {"limit_samples": NaN}}', r"params\.limit_samples: nan is not a number"),
        ("[" * 100_000, "nested too deep"),
    ],
)
def test_json_is_as_strict_as_yaml(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "capitals.json"
    file.write_text(text)

    with pytest.raises(Invalid, match=says):
        load_benchmark(file)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    not_text, too_large = tmp_path / "a.yaml", tmp_path / "b.yaml"
    not_text.write_bytes(b"name: \xff")
    with too_large.open("wb") as sparse:
        sparse.truncate(FILE_BYTES_MAX + 1)

    with pytest.raises(Invalid, match=r"nowhere\.yaml: there is no such file"):
        load_benchmark(tmp_path / "nowhere.yaml")
    with pytest.raises(Invalid, match=r"a\.yaml: not UTF-8 at byte 6"):
        load_benchmark(not_text)
    with pytest.raises(Invalid, match="more than the"):
        load_benchmark(too_large)
    with pytest.raises(Invalid, match="directory"):
        load_benchmark(tmp_path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values)
def test_whatever_is_json_is_read_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    file = tmp_path_factory.mktemp("any") / "any.json"
    file.write_text(json.dumps(value), "utf-8")

    assert read_document(file) == value


def test_text_that_no_json_can_hold_is_refused_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "half.yaml"
    file.write_text('name: half\ndatasets: [{name: a, rows: [{output: "\\ud800"}]}]\n', "utf-8")

    with pytest.raises(Invalid, match=r"half\.yaml: .*surrogates"):
        load_benchmark(file)
