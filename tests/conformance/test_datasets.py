"""What every dataset promises, whatever it is read from; a new format adds its row to FORMATS_WRITTEN."""

import csv
import gzip
from collections.abc import Callable, Sequence
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pyarrow  # type: ignore[import-untyped]  # it has no types
import pyarrow.feather  # type: ignore[import-untyped]  # it has no types
import pyarrow.orc  # type: ignore[import-untyped]  # it has no types
import pyarrow.parquet  # type: ignore[import-untyped]  # it has no types
import pytest

from evalbus.datasets import FORMATS, DatasetReader, Fingerprint, ItemRow, Position, open_dataset
from evalbus.errors import SourceBroken
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import Dataset
from evalbus_schemas.chunks import RowLimits

Rows = Sequence[dict[str, str]]
Describe = Callable[[Path, Rows], Dataset]

ROW_BYTES = 2_000

ROWS: Rows = [
    {"id": f"r{number}", "text": text}
    for number, text in enumerate(
        ["plain", "", 'quoted "text"', "comma, and\nline", "ünïcode ✓", " spaces ", "null", "5"] * 3
    )
]
TOO_LARGE: dict[str, str] = {"id": "large", "text": "x" * 3 * ROW_BYTES}


def written(folder: Path, name: str, content: bytes) -> Dataset:
    if name.endswith(".gz"):
        content = gzip.compress(content, mtime=0)
    (folder / name).write_bytes(content)
    return Dataset(name="rows", source=str(folder / name))


def jsonl(folder: Path, rows: Rows, *, name: str = "rows.jsonl") -> Dataset:
    return written(folder, name, b"\n".join(orjson.dumps(row) for row in rows))


def json_array(folder: Path, rows: Rows, *, name: str = "rows.json") -> Dataset:
    return written(folder, name, orjson.dumps(rows))


def json_array_on_many_lines(folder: Path, rows: Rows) -> Dataset:
    return written(folder, "rows.json", orjson.dumps(rows, option=orjson.OPT_INDENT_2))


def comma_separated(folder: Path, rows: Rows, *, name: str = "rows.csv") -> Dataset:
    file = StringIO(newline="")
    delimiter = "\t" if "tsv" in name else ","
    writer = csv.DictWriter(file, fieldnames=list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return written(folder, name, file.getvalue().encode("utf-8-sig"))


def table(rows: Rows) -> Any:
    return pyarrow.Table.from_pylist([dict(row) for row in rows])


def parquet(folder: Path, rows: Rows) -> Dataset:
    pyarrow.parquet.write_table(table(rows), folder / "rows.parquet", row_group_size=5)
    return Dataset(name="rows", source=str(folder / "rows.parquet"))


def orc(folder: Path, rows: Rows) -> Dataset:
    pyarrow.orc.write_table(table(rows), str(folder / "rows.orc"))
    return Dataset(name="rows", source=str(folder / "rows.orc"))


def feather(folder: Path, rows: Rows) -> Dataset:
    pyarrow.feather.write_feather(table(rows), str(folder / "rows.feather"), chunksize=5)
    return Dataset(name="rows", source=str(folder / "rows.feather"))


def arrow_stream(folder: Path, rows: Rows) -> Dataset:
    content = table(rows)
    with pyarrow.ipc.new_stream(folder / "rows.arrow", content.schema) as stream:
        stream.write_table(content, max_chunksize=5)
    return Dataset(name="rows", source=str(folder / "rows.arrow"))


FORMATS_WRITTEN: dict[str, Describe] = {
    "arrow": arrow_stream,
    "csv": comma_separated,
    "feather": feather,
    "json": json_array,
    "jsonl": jsonl,
    "ndjson": partial(jsonl, name="rows.ndjson"),
    "orc": orc,
    "parquet": parquet,
    "tsv": partial(comma_separated, name="rows.tsv"),
}

PACKED: dict[str, Describe] = {
    "csv.gz": partial(comma_separated, name="rows.csv.gz"),
    "json.gz": partial(json_array, name="rows.json.gz"),
    "jsonl.gz": partial(jsonl, name="rows.jsonl.gz"),
    "tsv.gz": partial(comma_separated, name="rows.tsv.gz"),
}


def several_files(folder: Path, rows: Rows) -> Dataset:
    middle = len(rows) // 2
    jsonl(folder, rows[:middle], name="1.jsonl")
    jsonl(folder, rows[middle:], name="2.jsonl")
    return Dataset(name="rows", source=str(folder / "*.jsonl"))


def inline(_: Path, rows: Rows) -> Dataset:
    written: list[JsonObject] = [dict(row) for row in rows]
    return Dataset(name="rows", rows=tuple(written))


def renamed(folder: Path, rows: Rows) -> Dataset:
    dataset = jsonl(folder, [{"key": row["id"], "text": row["text"]} for row in rows])
    return dataset.model_copy(update={"fields": {"id": "key"}})


SOURCES = (
    FORMATS_WRITTEN
    | PACKED
    | {
        "indented json": json_array_on_many_lines,
        "several files": several_files,
        "renamed fields": renamed,
        "inline": inline,
    }
)

every_source = pytest.mark.parametrize("describe", SOURCES.values(), ids=list(SOURCES))


def opened(dataset: Dataset, *, position: Position | None = None) -> DatasetReader:
    return open_dataset(
        dataset, roots=None, limits=RowLimits(row_bytes=ROW_BYTES), position=position
    )


def read_all(reader: DatasetReader, *, rows_max: int = 1000) -> list[ItemRow]:
    rows: list[ItemRow] = []
    while stretch := reader.read(rows_max, 1_000_000):
        rows += stretch
    return rows


def test_every_format_there_is_has_a_row() -> None:
    assert set(FORMATS_WRITTEN) == set(FORMATS.builtin)


@every_source
def test_rows_come_out_as_they_were_written_and_in_order(
    tmp_path: Path, describe: Describe
) -> None:
    # given
    dataset = describe(tmp_path, ROWS)

    # when
    items = [orjson.loads(row.item) for row in read_all(opened(dataset))]

    # then
    assert items == list(ROWS)


@every_source
def test_an_item_is_one_line_of_json(tmp_path: Path, describe: Describe) -> None:
    for row in read_all(opened(describe(tmp_path, ROWS))):
        assert b"\n" not in row.item


@every_source
def test_row_ids_depend_on_the_row_alone(tmp_path: Path, describe: Describe) -> None:
    # given
    dataset = describe(tmp_path, ROWS)

    # when
    ids = [row.row_id for row in read_all(opened(dataset), rows_max=1)]

    # then
    assert ids == [row.row_id for row in read_all(opened(dataset), rows_max=7)]
    assert len(set(ids)) == len(ROWS)


@every_source
def test_reading_goes_on_after_any_position(tmp_path: Path, describe: Describe) -> None:
    # given
    dataset = describe(tmp_path, [*ROWS[:5], TOO_LARGE, *ROWS[5:]])
    whole = read_all(opened(dataset))

    for done in range(len(whole) + 1):
        # when
        first = opened(dataset)
        before = [row for _ in range(done) for row in first.read(1, 1_000_000)]
        stored = first.position.model_dump_json()
        first.close()
        second = opened(dataset, position=Position.model_validate_json(stored))

        # then
        assert before + read_all(second, rows_max=3) == whole


@every_source
def test_a_row_that_found_no_room_is_the_first_of_the_next_stretch(
    tmp_path: Path, describe: Describe
) -> None:
    # given
    dataset = describe(tmp_path, ROWS)
    whole = read_all(opened(dataset))
    room = sum(len(row.item) for row in whole[:3]) + 1
    reader = opened(dataset)

    # when
    stretch = reader.read(1000, room)
    position = reader.position

    # then
    assert stretch == whole[:3]
    assert read_all(reader) == whole[3:]
    assert read_all(opened(dataset, position=position)) == whole[3:]


@every_source
def test_a_row_over_the_limit_is_an_empty_item_with_an_id_of_its_own(
    tmp_path: Path, describe: Describe
) -> None:
    # given
    dataset = describe(tmp_path, [ROWS[0], TOO_LARGE, ROWS[1]])

    # when
    rows = read_all(opened(dataset))

    # then
    assert [bool(row.item) for row in rows] == [True, False, True]
    assert len({row.row_id for row in rows}) == 3


@every_source
def test_after_the_end_there_is_nothing_however_often_it_is_asked(
    tmp_path: Path, describe: Describe
) -> None:
    # given
    reader = opened(describe(tmp_path, ROWS))
    read_all(reader)

    # when
    again = [reader.read(10, 10) for _ in range(2)]

    # then
    assert again == [[], []]


@every_source
def test_the_same_source_has_the_same_fingerprint_and_another_one_not(
    tmp_path: Path, describe: Describe
) -> None:
    # given
    dataset = describe(tmp_path, ROWS)
    accepted = opened(dataset).fingerprint()
    opened(dataset).verify(Fingerprint.model_validate_json(accepted.model_dump_json()))

    # when
    changed = describe(tmp_path, [*ROWS, ROWS[0]])

    # then
    with pytest.raises(SourceBroken) as raised:
        opened(changed).verify(accepted)
    assert raised.value.code == "source_changed"


@every_source
def test_closing_is_safe_twice_and_before_the_end(tmp_path: Path, describe: Describe) -> None:
    # given
    reader = opened(describe(tmp_path, ROWS))
    reader.read(1, 1)

    # when, then
    reader.close()
    reader.close()
