"""New names for fields, and cells that are read as JSON."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from evalbus.datasets import check_first_rows, open_dataset
from evalbus.errors import Invalid, SourceBroken
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import Benchmark, Dataset
from evalbus_schemas.chunks import RowLimits
from tests.scoring import OUTPUT, a_plugin, exact_match


def lines(path: Path, content: str, *, row_bytes: int = 100_000, **options: Any) -> list[bytes]:
    path.write_text(content)
    dataset = Dataset(name="rows", source=str(path), **options)
    limits = RowLimits(row_bytes=row_bytes)
    with closing(open_dataset(dataset, roots=None, limits=limits)) as reader:
        return [row.item for row in reader.read(1000, 1_000_000)]


CELLS = {
    "4": b"4",
    "-0.5": b"-0.5",
    " 4 ": b"4",
    "1e3": b"1000.0",
    "true": b"true",
    "null": b"null",
    "[1]": b"[1]",
    '{"x":1}': b'{"x":1}',
    '"4"': b'"4"',
    "123456789012345678901234567890": b"123456789012345678901234567890",
    "[18446744073709551616]": b"[18446744073709551616]",
    "": b'""',
    "007": b'"007"',
    "+1": b'"+1"',
    "NaN": b'"NaN"',
    "[NaN]": b'"[NaN]"',
    "Infinity": b'"Infinity"',
    "1e999": b'"1e999"',
    "True": b'"True"',
    "no": b'"no"',
    "{not json": b'"{not json"',
    '"\\ud800"': b'"\\"\\\\ud800\\""',
    "9" * 5_000: b'"' + b"9" * 5_000 + b'"',
    "[" * 3_000 + "]" * 3_000: b'"' + b"[" * 3_000 + b"]" * 3_000 + b'"',
}


@pytest.mark.parametrize(("cell", "value"), CELLS.items(), ids=[cell[:20] for cell in CELLS])
def test_a_typed_cell_is_what_it_says_if_it_is_json(
    tmp_path: Path, cell: str, value: bytes
) -> None:
    # given
    quoted = cell.replace('"', '""')

    # when
    items = lines(tmp_path / "a.csv", f'a,b\n"{quoted}",x\n', typed=True)
    plain = lines(tmp_path / "a.csv", f'a,b\n"{quoted}",x\n')

    # then
    assert items == [b'{"a":' + value + b',"b":"x"}']
    assert plain == [orjson.dumps({"a": cell, "b": "x"})]


def test_texts_of_formats_that_know_types_stay_texts(tmp_path: Path) -> None:
    assert lines(tmp_path / "a.jsonl", '{"a": "4"}', typed=True) == [b'{"a": "4"}']


def test_renamed_fields_keep_their_places_and_the_others_their_names(tmp_path: Path) -> None:
    # given
    content = '{"id":1,"Frage":"?","Antwort":"!","n":123456789012345678901234567890}'

    # when
    found = lines(
        tmp_path / "a.jsonl", content, fields={"reference": "Antwort", "question": "Frage"}
    )

    # then
    assert found == [b'{"id":1,"question":"?","reference":"!","n":123456789012345678901234567890}']


def test_two_fields_may_change_names(tmp_path: Path) -> None:
    found = lines(tmp_path / "a.jsonl", '{"a":1,"b":2}', fields={"a": "b", "b": "a"})

    assert found == [b'{"b":1,"a":2}']


def test_a_row_without_the_field_stays_as_it_is(tmp_path: Path) -> None:
    found = lines(tmp_path / "a.jsonl", '{"a":1}\n{"x":1}', fields={"b": "a"})

    assert found == [b'{"b":1}', b'{"x":1}']


def test_rows_of_the_benchmark_itself_are_renamed_as_well() -> None:
    # given
    rows: tuple[JsonObject, ...] = ({"Frage": "?", "n": 1},)
    dataset = Dataset(name="rows", rows=rows, fields={"question": "Frage"})

    # when
    found = open_dataset(dataset).read(10, 1000)

    # then
    assert [row.item for row in found] == [b'{"question":"?","n":1}']


def test_a_name_that_another_field_has_is_refused_with_the_row(tmp_path: Path) -> None:
    # given
    path = tmp_path / "a.jsonl"
    path.write_text('{"a":1}\n{"a":1,"b":2}')
    reader = open_dataset(Dataset(name="rows", source=str(path), fields={"b": "a"}), roots=None)

    # when
    rows = reader.read(10, 1000)

    # then
    assert [row.item for row in rows] == [b'{"b":1}']
    with pytest.raises(SourceBroken, match=r"a\.jsonl:2: fields: .* 'b' of its own"):
        reader.read(10, 1000)


def test_one_field_cannot_have_two_new_names() -> None:
    rows: tuple[JsonObject, ...] = ({"a": 1},)

    with pytest.raises(Invalid, match=r"dataset 'rows': fields: 'a' cannot be called both"):
        open_dataset(Dataset(name="rows", rows=rows, fields={"b": "a", "c": "a"}))


def test_a_row_that_grows_over_the_limit_loses_its_item(tmp_path: Path) -> None:
    # given
    content = '{"a":"%s"}\n{"a":1}' % ("x" * 90)

    # when
    found = lines(tmp_path / "a.jsonl", content, row_bytes=100, fields={"a_longer_name": "a"})

    # then
    assert found == [b"", b'{"a_longer_name":1}']


def test_a_row_that_is_nested_too_deeply_breaks_the_dataset_and_nothing_else(
    tmp_path: Path,
) -> None:
    content = '{"a":' + "[" * 1_000 + "]" * 1_000 + "}"

    with pytest.raises(SourceBroken, match=r"a\.jsonl: a row is nested too deeply"):
        lines(tmp_path / "a.jsonl", content, fields={"b": "a"})


def check(fields: dict[str, str], rows: Sequence[JsonObject]) -> None:
    """As the producer does it: with rows that have their new names."""
    dataset = Dataset(name="rows", rows=tuple(rows), fields=fields)
    benchmark = Benchmark(
        name="b",
        datasets=(dataset,),
        models=(a_plugin("recorded", output=OUTPUT),),
        metrics=(exact_match(),),
    )
    items = [row.item for row in open_dataset(dataset).read(100, 100_000)]
    check_first_rows(benchmark, [items], [])


def test_a_field_of_the_source_that_no_row_has_is_refused_with_a_guess() -> None:
    # given
    rows: list[JsonObject] = [{"Frage": 1, "Antwort": 2}, {"Frage": 1}]

    # when, then
    check({"question": "Frage", "reference": "Antwort"}, rows)
    with pytest.raises(
        Invalid,
        match=r"dataset 'rows', fields: none of the first 2 rows has 'Frge'; did you mean 'Frage'\? \(there are: Frage, Antwort\)",
    ):
        check({"question": "Frge", "reference": "Antwort"}, rows)
