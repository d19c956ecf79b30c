"""Datasets in each format: what becomes of values, and what is said of files that are damaged or mean harm."""

import base64
import decimal
import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow  # type: ignore[import-untyped]  # it has no types
import pyarrow.feather  # type: ignore[import-untyped]  # it has no types
import pyarrow.orc  # type: ignore[import-untyped]  # it has no types
import pyarrow.parquet  # type: ignore[import-untyped]  # it has no types
import pytest

from evalbus.datasets import DatasetReader, ItemRow, Position, Sources, open_dataset
from evalbus.errors import Invalid, SourceBroken
from evalbus_schemas.benchmark import Dataset
from evalbus_schemas.chunks import RowLimits


def opened(
    path: Path,
    *,
    format: str | None = None,
    row_bytes: int = 100_000,
    unpacked_bytes_max: int = 10**9,
    position: Position | None = None,
) -> DatasetReader:
    return open_dataset(
        Dataset(name="rows", source=path.name, format=format),
        sources=Sources(roots=None, base=path.parent, unpacked_bytes_max=unpacked_bytes_max),
        limits=RowLimits(row_bytes=row_bytes),
        position=position,
    )


def read_all(reader: DatasetReader) -> list[ItemRow]:
    rows: list[ItemRow] = []
    while stretch := reader.read(100, 1_000_000):
        rows += stretch
    return rows


def items(reader: DatasetReader) -> list[Any]:
    return [orjson.loads(row.item) if row.item else None for row in read_all(reader)]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_an_element_of_an_array_goes_on_as_it_was_written_but_on_one_line(tmp_path: Path) -> None:
    # given
    content = b'\xef\xbb\xbf [ {"b" : 1.0,\r\n "a":"\\n\\"]}"} ,\n{"n":123456789012345678901234567890}\n]\n'
    path = write(tmp_path / "a.json", content)

    # when
    rows = read_all(opened(path))

    # then
    assert [row.item for row in rows] == [
        b'{"b" : 1.0,   "a":"\\n\\"]}"}',
        b'{"n":123456789012345678901234567890}',
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"a\.json:1: wanted an array of objects, found nothing .*\(byte 0\)"),
        (b'{"a":1}\n{"a":2}', r"a\.json:1: wanted an array .* found an object .*jsonl"),
        (b"7", r"a\.json:1: wanted an array"),
        (b'[\n{"a":1},\n7]', r"a\.json:3: a row must be a JSON object \(byte 11\)"),
        (b'[{"a":1},\n[1]]', r"a\.json:2: a row must be a JSON object"),
        (b'[{"a":1}\n{"a":2}]', r"a\.json:2: wanted a comma or the end of the array"),
        (b'[{"a":1},\n]', r"a\.json:2: a row must be a JSON object"),
        (b'[{"a":1}', r"a\.json:1: the array is never closed \(byte 8\)"),
        (b"[", r"a\.json:1: the array is never closed"),
        (b'[{"a":1},\n{"a":"\n', r"a\.json:2: .* does not end \(byte 10\)"),
        (b'[{"a":1},\n{"a":\nNaN}]', r"a\.json:3: .* \(byte 16\)"),
        (b'[{"a":1},\n{"a":\n"\xff"}]', r"a\.json:3: not UTF-8 .*\(byte 17\)"),
        (b'[{"a":1}]\nx', r"a\.json:2: there is more behind the array \(byte 10\)"),
        ("[]".encode("utf-16"), r"a\.json:1: "),
    ],
)
def test_what_is_no_array_of_objects_is_named_with_line_and_byte(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = write(tmp_path / "a.json", content)

    with pytest.raises(SourceBroken, match=words) as raised:
        read_all(opened(path))
    assert raised.value.code == "undecodable"


@pytest.mark.parametrize("content", ["[]", " [\n] \n"])
def test_an_empty_array_has_no_rows(tmp_path: Path, content: str) -> None:
    assert read_all(opened(write(tmp_path / "a.json", content))) == []


@pytest.mark.parametrize("padding", range(6))
def test_an_element_may_be_cut_anywhere_by_the_pieces_it_is_read_in(
    tmp_path: Path, padding: int
) -> None:
    # given: quotes, escapes and brackets around the end of the first 256 KiB
    row = {"a": "x" * (256 * 1024 - 20 - padding), "b": '\\"]}' * 8, "c": {"d": [1, "]"]}}
    path = write(tmp_path / "a.json", orjson.dumps([row, {"a": "last"}]))

    # when
    rows = items(opened(path, row_bytes=1_000_000))
    without = items(opened(path, row_bytes=1_000))

    # then
    assert rows == [row, {"a": "last"}]
    assert without == [None, {"a": "last"}]


def test_wrong_encodings_are_named_with_line_and_byte(tmp_path: Path) -> None:
    # given
    jsonl = write(tmp_path / "a.jsonl", '{"a":"x"}\n{"a":"é"}\n'.encode("latin-1"))
    table = write(tmp_path / "a.csv", "a,b\n1,2\n3,é\n".encode("latin-1"))
    wide = write(tmp_path / "b.csv", "a,b\n1,2\n".encode("utf-16"))

    # when, then
    with pytest.raises(SourceBroken, match=r"a\.jsonl:2: not UTF-8 \(.*\) \(byte 16\)"):
        read_all(opened(jsonl))
    with pytest.raises(SourceBroken, match=r"a\.jsonl:2: not UTF-8 \(.*\) \(byte 16\)"):
        read_all(opened(jsonl, position=Position(offset=10, line=1)))
    with pytest.raises(SourceBroken, match=r"a\.csv:3: not UTF-8 \(.*\) \(byte 10\)"):
        read_all(opened(table))
    with pytest.raises(SourceBroken, match=r"b\.csv:1: not UTF-8 .*is it UTF-16\?"):
        read_all(opened(wide))


def test_a_cell_with_tabs_and_commas_is_one_cell(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", 'a\tb\n1,5\t"x\ty"\n')

    assert items(opened(path)) == [{"a": "1,5", "b": "x\ty"}]


def test_the_stated_format_counts_and_not_the_name(tmp_path: Path) -> None:
    # given
    plain = write(tmp_path / "rows.txt", '{"a":1}')
    packed = write(tmp_path / "rows.bin", gzip.compress(b'{"a":2}'))
    upper = write(tmp_path / "ROWS.JSONL.GZ", gzip.compress(b'{"a":3}'))

    # when
    found = [
        items(opened(plain, format="jsonl")),
        items(opened(packed, format="jsonl.gz")),
        items(opened(upper)),
    ]

    # then
    assert found == [[{"a": 1}], [{"a": 2}], [{"a": 3}]]


@pytest.mark.parametrize(
    ("name", "format", "words"),
    [
        ("rows", None, "rows: the name does not say"),
        ("rows.gz", None, "rows.gz: the name does not say"),
        ("rows.jsonl", "jsnl", "unknown dataset format 'jsnl'; did you mean 'jsonl'"),
        ("rows.parquet.gz", None, "parquet is compressed by itself"),
    ],
)
def test_a_format_that_is_not_known_is_refused(
    tmp_path: Path, name: str, format: str | None, words: str
) -> None:
    with pytest.raises(Invalid, match=words):
        opened(write(tmp_path / name, b""), format=format)


def test_several_gzip_members_are_one_file(tmp_path: Path) -> None:
    content = gzip.compress(b'{"a":1}\n{"a"') + gzip.compress(b":2}\n")

    assert items(opened(write(tmp_path / "a.jsonl.gz", content))) == [{"a": 1}, {"a": 2}]


def damaged(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda content: content[:-20], "cut off"),
        (damaged, r"a\.jsonl\.gz: .*\(unpacked byte \d+\)"),
        (lambda _: b"not packed at all", "Not a gzipped file"),
    ],
    ids=["cut off", "damaged", "plain"],
)
def test_damaged_gzip_data_is_named(
    tmp_path: Path, break_it: Callable[[bytes], bytes], words: str
) -> None:
    # given
    lines = b"".join(b'{"a":%d}\n' % (number * 7919) for number in range(50_000))
    path = write(tmp_path / "a.jsonl.gz", break_it(gzip.compress(lines)))

    # when, then
    with pytest.raises(SourceBroken, match=words) as raised:
        read_all(opened(path))
    assert raised.value.code == "undecodable"


MANY = b"x" * 500

BOMBS = {
    "a.jsonl.gz": b'{"a":"%s"}\n' % MANY * 10_000,
    "b.jsonl.gz": b'{"a":"' + b"x" * 8_000_000,
    "a.csv.gz": b"a,b\n" + b"1,%s\n" % MANY * 10_000,
    "b.csv.gz": b'a,b\n"' + b"x" * 8_000_000,
    "a.json.gz": b"[" + b'{"a":"%s"},' % MANY * 10_000,
    "b.json.gz": b"[" + b" " * 8_000_000,
    "c.json.gz": b"[" + b'{"a":' * 1_600_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_packed_file_unpacks_to_no_more_than_the_limit(tmp_path: Path, name: str) -> None:
    # given
    path = write(tmp_path / name, gzip.compress(BOMBS[name], compresslevel=9))
    assert path.stat().st_size < 100_000

    # when, then
    reader = opened(path, unpacked_bytes_max=2_000_000)
    with pytest.raises(SourceBroken, match="more than 2000000 bytes") as raised:
        read_all(reader)
    assert raised.value.code == "source_too_large"


def test_a_parquet_file_unpacks_to_no_more_than_the_limit(tmp_path: Path) -> None:
    # given: a million times the same text
    text = pyarrow.array(["x" * 10_000]).dictionary_encode().dictionary
    column = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 1_000_000), text)
    pyarrow.parquet.write_table(pyarrow.table({"a": column}), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 50_000

    # when, then
    reader = opened(tmp_path / "a.parquet", unpacked_bytes_max=5_000_000)
    with pytest.raises(SourceBroken, match="more than 5000000 bytes"):
        read_all(reader)


MEASURE = """
import resource, sys
from pathlib import Path
from evalbus.datasets import open_dataset
from evalbus_schemas.benchmark import Dataset

reader = open_dataset(Dataset(name="rows", source=sys.argv[1]), roots=None)
rows = reader.read(100, 1_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = len(rows)
while rows := reader.read(500, 262_144):
    count += len(rows)
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def measured(path: Path) -> tuple[int, int]:
    """Rows, and by how many kilobytes the process grew behind the first of them."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    rows, kilobytes = done.stdout.split()
    return int(rows), int(kilobytes)


@pytest.mark.parametrize("format", ["jsonl.gz", "csv.gz", "json.gz", "json"])
def test_a_large_file_is_read_in_constant_memory(tmp_path: Path, format: str) -> None:
    # given
    plain = format.removesuffix(".gz")
    line = {
        "jsonl": b'{"a":"' + b"x" * 200 + b'"}\n',
        "csv": b"y" * 200 + b"\n",
        "json": b'{"a":"' + b"x" * 200 + b'"},\n',
    }[plain]
    first, last = {"csv": (b"a\n", b""), "json": (b"[", b'{"a":""}]')}.get(plain, (b"", b""))
    path = tmp_path / f"a.{format}"
    with gzip.open(path, "wb", 1) if format.endswith(".gz") else path.open("wb") as file:
        file.write(first)
        for _ in range(200):
            file.write(line * 1_000)
        file.write(last)

    # when
    rows, kilobytes = measured(path)

    # then
    assert rows == 200_000 + bool(last)
    assert kilobytes < 12_000


@pytest.mark.parametrize("compression", ["snappy", "none"])
def test_one_large_row_group_is_read_in_constant_memory(tmp_path: Path, compression: str) -> None:
    # given
    schema = pyarrow.schema([("a", pyarrow.string()), ("n", pyarrow.int64())])
    rows = 300_000
    texts = [f"{number:0200d}" for number in range(rows)]
    content = pyarrow.table({"a": texts, "n": list(range(rows))}, schema=schema)
    pyarrow.parquet.write_table(
        content, tmp_path / "a.parquet", row_group_size=rows, compression=compression
    )

    # when
    count, kilobytes = measured(tmp_path / "a.parquet")

    # then: the row group is 60 MB
    assert count == rows
    assert kilobytes < 40_000


def test_the_same_long_text_in_many_rows_is_unfolded_a_few_at_a_time(tmp_path: Path) -> None:
    # given: 200 MB of text in a small file, plain and inside of lists, structs and maps
    texts = pyarrow.DictionaryArray.from_arrays(
        pyarrow.array([0] * 200, pyarrow.int32()), pyarrow.array(["x" * 1_000_000])
    )
    keys = pyarrow.array(["k"] * 200)
    offsets = pyarrow.array(range(201), pyarrow.int32())
    columns = {
        "plain": texts,
        "list": pyarrow.ListArray.from_arrays(offsets, texts),
        "struct": pyarrow.StructArray.from_arrays([texts], ["text"]),
        "map": pyarrow.MapArray.from_arrays(offsets, keys, texts),
    }
    for name, column in columns.items():
        content = pyarrow.table({"a": column})
        pyarrow.feather.write_feather(content, str(tmp_path / f"{name}.feather"))
        pyarrow.parquet.write_table(content, tmp_path / f"{name}.parquet", store_schema=False)

    for path in sorted(tmp_path.iterdir()):
        # when
        rows, kilobytes = measured(path)

        # then
        assert rows == 200
        assert kilobytes < 60_000, path.name


MOMENT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)

VALUES: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "texts": (pyarrow.large_string(), ["ü", None], ["ü", None]),
    "numbers": (pyarrow.uint64(), [2**64 - 1, None], [2**64 - 1, None]),
    "floats": (pyarrow.float64(), [0.1, float("nan"), float("inf")], [0.1, None, None]),
    "halves": (pyarrow.float32(), [0.5, None], [0.5, None]),
    "truths": (pyarrow.bool_(), [True, None], [True, None]),
    "nothing": (pyarrow.null(), [None, None], [None, None]),
    "small decimals": (
        pyarrow.decimal128(10, 2),
        [decimal.Decimal("12.50"), None],
        [12.5, None],
    ),
    "large decimals": (
        pyarrow.decimal128(38, 2),
        [decimal.Decimal("123456789012345678901234567890.10")],
        ["123456789012345678901234567890.10"],
    ),
    "whole decimals": (
        pyarrow.decimal128(38, 0),
        [decimal.Decimal("123456789012345678901234567890")],
        [123456789012345678901234567890],
    ),
    "moments": (
        pyarrow.timestamp("us", tz="UTC"),
        [MOMENT, None],
        ["2026-01-02T03:04:05.000006+00:00", None],
    ),
    "nanoseconds": (pyarrow.timestamp("ns"), [1], ["1970-01-01T00:00:00.000000001"]),
    "dates": (pyarrow.date32(), [date(2026, 1, 2), None], ["2026-01-02", None]),
    "times": (pyarrow.time64("us"), [time(3, 4, 5)], ["03:04:05"]),
    "durations": (pyarrow.duration("ms"), [timedelta(seconds=1.5)], [1.5]),
    "bytes": (pyarrow.binary(), [b"\x00\xff", None], [base64.b64encode(b"\x00\xff").decode(), None]),
    "lists": (pyarrow.list_(pyarrow.date32()), [[date(2026, 1, 2), None], None], [["2026-01-02", None], None]),
    "structs": (
        pyarrow.struct([("day", pyarrow.date32()), ("n", pyarrow.int8())]),
        [{"day": date(2026, 1, 2), "n": 1}, None],
        [{"day": "2026-01-02", "n": 1}, None],
    ),
    "maps": (
        pyarrow.map_(pyarrow.string(), pyarrow.date32()),
        [[("a", date(2026, 1, 2)), ("b", None)], None],
        [{"a": "2026-01-02", "b": None}, None],
    ),
    "dictionaries": (
        pyarrow.dictionary(pyarrow.int8(), pyarrow.string()),
        ["a", None, "a"],
        ["a", None, "a"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "values", "expected"), VALUES.values(), ids=list(VALUES))
def test_a_value_of_a_column_is_what_its_type_means_in_json(
    tmp_path: Path, kind: Any, values: list[Any], expected: list[Any]
) -> None:
    # given
    content = pyarrow.table({"a": pyarrow.array(values, kind)})
    pyarrow.parquet.write_table(content, tmp_path / "a.parquet")
    pyarrow.feather.write_feather(content, str(tmp_path / "a.feather"))

    for name in ("a.parquet", "a.feather"):
        # when
        rows = [row.item for row in read_all(opened(tmp_path / name))]

        # then: exactly, also where a number has more digits than a double
        assert [json.loads(row)["a"] for row in rows] == expected


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (
            pyarrow.array([[(1, "x")]], pyarrow.map_(pyarrow.int8(), pyarrow.string())),
            r"a\.feather: column 'a': the keys of map.* are no texts",
        ),
        (
            pyarrow.array([[("x", 1), ("x", 2)]], pyarrow.map_(pyarrow.string(), pyarrow.int8())),
            r"a\.feather, row 1, column 'a': the key 'x' is there twice",
        ),
        (
            pyarrow.array([0, 2**62], pyarrow.timestamp("s")),
            r"a\.feather, row 2, column 'a': ",
        ),
        (
            pyarrow.array([(1, 2, 3)], pyarrow.month_day_nano_interval()),
            r"a\.feather: column 'a': the type month_day_nano_interval has no meaning in JSON",
        ),
    ],
    ids=["keys", "keys twice", "year", "interval"],
)
def test_a_value_without_meaning_in_json_is_named_with_its_column(
    tmp_path: Path, column: Any, words: str
) -> None:
    # given
    pyarrow.feather.write_feather(pyarrow.table({"a": column}), str(tmp_path / "a.feather"))

    # when, then
    with pytest.raises(SourceBroken, match=words):
        read_all(opened(tmp_path / "a.feather"))


@pytest.mark.parametrize("name", ["a.parquet", "a.orc", "a.feather", "a.arrow"])
@pytest.mark.parametrize("content", [b"", b"no columns at all" * 10, b"PAR1ARROW1ORC"])
def test_a_file_that_has_no_columns_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(SourceBroken, match=name) as raised:
        read_all(opened(write(tmp_path / name, content)))
    assert raised.value.code == "undecodable"


@pytest.mark.parametrize("name", ["a.parquet", "a.orc", "a.feather"])
def test_a_damaged_file_with_columns_is_named(tmp_path: Path, name: str) -> None:
    # given
    rows = pyarrow.table({"a": [f"{number * 7919}" for number in range(20_000)]})
    file = io.BytesIO()
    match name:
        case "a.parquet":
            pyarrow.parquet.write_table(rows, file)
        case "a.orc":
            pyarrow.orc.write_table(rows, file, compression="zlib")
        case _:
            pyarrow.feather.write_feather(rows, file)
    content = file.getvalue()
    begin = len(content) // 4
    path = write(tmp_path / name, content[:begin] + b"\xff" * 2_000 + content[begin + 2_000 :])

    # when, then
    with pytest.raises(SourceBroken, match=name):
        read_all(opened(path))


MISSING = """
import sys
sys.modules["pyarrow"] = None
from evalbus.datasets import open_dataset
from evalbus.errors import EvalbusError
from evalbus_schemas.benchmark import Dataset
try:
    open_dataset(Dataset(name="rows", source=sys.argv[1]), roots=None)
except EvalbusError as error:
    print(type(error).__name__, error)
"""


def test_without_the_library_a_parquet_file_is_refused_with_what_to_install(tmp_path: Path) -> None:
    # given
    pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / "a.parquet")

    # when
    done = subprocess.run(
        [sys.executable, "-c", MISSING, str(tmp_path / "a.parquet")],
        capture_output=True,
        text=True,
        check=True,
    )

    # then
    assert done.stdout.startswith("Invalid dataset 'rows', ")
    assert "a.parquet" in done.stdout
    assert "pip install 'evalbus[parquet]'" in done.stdout


def test_a_row_that_nobody_could_read_again_is_refused_with_its_line(tmp_path: Path) -> None:
    deep = "[" * 120 + "]" * 120
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"a": [[[1]]]}}\n{{"a": {deep}}}\n')
    reader = opened(path)

    first = reader.read(100, 1_000_000)
    with pytest.raises(SourceBroken, match=r"a\.jsonl:2: a row is nested more than 100 levels"):
        reader.read(100, 1_000_000)

    assert len(first) == 1
