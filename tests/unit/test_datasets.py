"""Datasets as they lie on disks: what is read of them, from where, and what is said when it cannot be."""

import os
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
import pytest

from evalbus.datasets import (
    DatasetReader,
    Fingerprint,
    ItemRow,
    Position,
    TemplateUse,
    check_first_rows,
    open_dataset,
)
from evalbus.errors import Invalid, NotAllowed, NotFound, SourceBroken
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import Benchmark, Dataset
from evalbus_schemas.chunks import RowLimits
from tests.scoring import OUTPUT, a_plugin, exact_match


def open_source(
    source: str,
    *,
    base: Path | None = None,
    roots: tuple[Path, ...] | None = None,
    id: str | None = None,
    row_bytes: int = 1000,
    position: Position | None = None,
) -> DatasetReader:
    return open_dataset(
        Dataset(name="rows", source=source, id=id),
        roots=roots,
        base=base,
        limits=RowLimits(row_bytes=row_bytes),
        position=position,
    )


def read_all(
    reader: DatasetReader, *, rows_max: int = 100, bytes_max: int = 1_000_000
) -> list[ItemRow]:
    rows: list[ItemRow] = []
    while stretch := reader.read(rows_max, bytes_max):
        rows += stretch
    return rows


def items(reader: DatasetReader) -> list[JsonObject | None]:
    return [orjson.loads(row.item) if row.item else None for row in read_all(reader)]


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_an_item_is_the_line_as_it_was_written(tmp_path: Path) -> None:
    # given
    path = write(tmp_path / "a.jsonl", b'\xef\xbb\xbf{ "b":1.0, "a":"\\u00e9" }\r\n\n  \n{"a":2}')

    # when
    rows = read_all(open_source(str(path)))

    # then
    assert [row.item for row in rows] == [b'{ "b":1.0, "a":"\\u00e9" }', b'{"a":2}']


def test_the_id_of_a_row_is_what_its_template_says(tmp_path: Path) -> None:
    # given
    lines = ['{"id":"a"}', '{"id":7}', '{"id":null}', '{"no":1}', '{"id":"%s"}' % ("x" * 300)]
    path = write(tmp_path / "a.jsonl", "\n".join(lines))

    # when
    ids = [row.row_id for row in read_all(open_source(str(path), id="{{ item.id }}"))]

    # then
    assert ids[:2] == ["a", "7"]
    assert all(len(row_id) == 16 for row_id in ids[2:])
    assert len(set(ids)) == 5


@pytest.mark.parametrize("text", ["{{ 'a' * 10**12 }}", "{% for _ in range(9) %}x{% endfor %}"])
def test_the_id_template_may_only_look_up(tmp_path: Path, text: str) -> None:
    write(tmp_path / "a.jsonl", "{}")

    with pytest.raises(Invalid, match=r"dataset 'rows', id: only text and look-ups"):
        open_source("a.jsonl", base=tmp_path, id=text)


def test_without_a_template_equal_rows_have_equal_ids(tmp_path: Path) -> None:
    # given
    path = write(tmp_path / "a.jsonl", '{"a":1,"b":"é"}\n{ "b" : "\\u00e9", "a" : 1 }\n{"a":2}\n')

    # when
    first, second, third = (row.row_id for row in read_all(open_source(str(path))))

    # then
    assert first == second != third


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"a":', "a.jsonl:2: "),
        (b"[1]", "a.jsonl:2: a row must be a JSON object"),
        (b'{"a":NaN}', "a.jsonl:2: "),
        (b'{"a":"\xff"}', "a.jsonl:2: "),
    ],
)
def test_a_line_that_is_no_json_object_is_named_after_the_rows_before_it(
    tmp_path: Path, line: bytes, words: str
) -> None:
    # given
    write(tmp_path / "a.jsonl", b'{"a":1}\n' + line + b'\n{"a":3}\n')
    reader = open_source("a.jsonl", base=tmp_path)

    # when
    rows = reader.read(100, 1000)

    # then
    assert [row.item for row in rows] == [b'{"a":1}']
    for _ in range(2):
        with pytest.raises(SourceBroken, match=words) as raised:
            reader.read(100, 1000)
        assert raised.value.code == "undecodable"


def test_csv_cells_are_texts_under_their_columns(tmp_path: Path) -> None:
    # given
    content = '\ufeffid,text\r\n007,"two\nlines, ""quoted"""\r\n\r\n,5" pipe\r\n'
    path = write(tmp_path / "a.csv", content)

    # when
    rows = items(open_source(str(path)))

    # then
    assert rows == [
        {"id": "007", "text": 'two\nlines, "quoted"'},
        {"id": "", "text": '5" pipe'},
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b,a\n1,2,3\n", "a.csv:1: two columns are called 'a'"),
        ('a,b\n"1\n1",2\n3\n', "a.csv:4: 1 cells, but the header has 2 columns"),
        ("a,b\n1,2,3\n", "a.csv:2: 3 cells, but the header has 2 columns"),
        ('a,b\n1,2\n3,"4\n5,6\n', "a.csv:3: "),
        ("a,b\n1,2\n3,é\n".encode("latin-1"), "a.csv:3: not UTF-8"),
    ],
)
def test_a_csv_file_that_is_not_in_order_is_named_with_its_line(
    tmp_path: Path, content: str | bytes, words: str
) -> None:
    # given
    write(tmp_path / "a.csv", content)

    # when, then
    with pytest.raises(SourceBroken, match=words):
        read_all(open_source("a.csv", base=tmp_path))


def test_a_header_alone_is_no_row(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "a,b\n")
    write(tmp_path / "b.csv", "")

    assert read_all(open_source("*.csv", base=tmp_path)) == []


LARGE = "x" * 200

TOO_LARGE = [
    ("a.jsonl", f'{{"a":1}}\n{{"a":"{LARGE}"}}\n{{"a":3}}\n'),
    ("a.jsonl", f'{{"a":1}}\r\n{{"a":"{LARGE}"}}\r\n{{"a":3}}'),
    ("a.csv", f"a\n1\n{LARGE}\n3\n"),
    ("a.csv", f'a\n1\n"{LARGE}\n,""\n{LARGE}"\n3\n'),
]


@pytest.mark.parametrize(("name", "content"), TOO_LARGE)
def test_a_row_over_the_limit_is_an_empty_item_between_the_others(
    tmp_path: Path, name: str, content: str
) -> None:
    # given
    write(tmp_path / name, content)

    # when
    rows = read_all(open_source(name, base=tmp_path, row_bytes=100))
    again = read_all(open_source(name, base=tmp_path, row_bytes=100))

    # then
    assert [bool(row.item) for row in rows] == [True, False, True]
    assert orjson.loads(rows[2].item)["a"] in (3, "3")
    assert len(rows[1].row_id) == 16
    assert rows == again


@pytest.mark.parametrize(("name", "content"), TOO_LARGE)
def test_a_row_exactly_at_the_limit_is_a_row_like_others(
    tmp_path: Path, name: str, content: str
) -> None:
    # given
    write(tmp_path / name, content)
    sizes = [len(row.item) for row in read_all(open_source(name, base=tmp_path))]

    # when
    rows = read_all(open_source(name, base=tmp_path, row_bytes=max(sizes)))

    # then
    assert [len(row.item) for row in rows] == sizes


def test_a_quote_that_is_never_closed_is_named_even_if_it_takes_up_the_file(tmp_path: Path) -> None:
    # given
    write(tmp_path / "a.csv", 'a,b\n1,2\n3,"' + "x\n" * 1000)

    # when, then
    with pytest.raises(SourceBroken, match=r"a\.csv:3: a quote .* never closed"):
        read_all(open_source("a.csv", base=tmp_path, row_bytes=100))


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [("a.jsonl", '{"a":"', '"}\n{"a":2}\n'), ("a.csv", 'a\n"', '"\n2\n')],
)
def test_a_line_of_200_mb_is_passed_over_in_constant_memory(
    tmp_path: Path, name: str, before: str, after: str
) -> None:
    # given
    with (tmp_path / name).open("wb") as file:
        file.write(before.encode())
        for _ in range(200):
            file.write(b"x" * 1_000_000)
        file.write(after.encode())
    tracemalloc.start()

    # when
    try:
        rows = read_all(open_source(name, base=tmp_path, row_bytes=1_000_000))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    # then
    assert [bool(row.item) for row in rows] == [False, True]
    assert peak_bytes < 8_000_000


def test_stretches_end_at_the_row_or_byte_that_would_be_too_many(tmp_path: Path) -> None:
    # given
    path = write(tmp_path / "a.jsonl", "".join(f'{{"a":{i}}}\n' for i in range(10)))

    # when
    by_rows, by_bytes = open_source(str(path)), open_source(str(path))
    rows = [len(by_rows.read(4, 1_000_000)) for _ in range(4)]
    sizes = [len(by_bytes.read(100, size)) for size in (1, 7, 14, 15, 1_000_000, 1)]

    # then
    assert rows == [4, 4, 2, 0]
    assert sizes == [1, 1, 2, 2, 4, 0]


def test_several_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    # given
    write(tmp_path / "b.jsonl", '{"a":"3"}\n')
    write(tmp_path / "a.csv", "a\n1\n2\n")
    write(tmp_path / "deeper" / "c.jsonl", '{"a":"4"}')

    # when
    flat = items(open_source("[ab].*", base=tmp_path))
    deep = items(open_source("**/*", base=tmp_path))

    # then
    assert flat == [{"a": "1"}, {"a": "2"}, {"a": "3"}]
    assert deep == [*flat, {"a": "4"}]


def test_a_name_that_looks_like_a_pattern_is_a_name_if_there_is_such_a_file(tmp_path: Path) -> None:
    # given
    write(tmp_path / "rows[1].jsonl", '{"a":1}')
    write(tmp_path / "rows1.jsonl", '{"a":2}')

    # when
    rows = items(open_source("rows[1].jsonl", base=tmp_path))

    # then
    assert rows == [{"a": 1}]


def test_the_extension_says_the_format_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.jsom", "[]")

    with pytest.raises(Invalid, match=r"dataset 'rows', a\.jsom: .*'jsom'.*did you mean 'json"):
        open_source("a.jsom", base=tmp_path)


def test_a_source_that_names_nothing_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"dataset 'rows': source 'nothing\.jsonl' names no file"):
        open_source("nothing.jsonl", base=tmp_path)


def test_of_a_folder_every_file_of_a_known_format_is_read(tmp_path: Path) -> None:
    # given
    folder = tmp_path / "folder"
    write(folder / "b" / "c.jsonl", '{"a":"3"}')
    write(folder / "b.csv", "a\n2\n")
    write(folder / "a.json", '[{"a":"1"}]')
    write(folder / "README.md", "not rows")
    write(folder / ".hidden.jsonl", '{"a":"hidden"}')
    write(folder / ".git" / "d.jsonl", '{"a":"hidden"}')

    # when
    rows = items(open_source("folder", base=tmp_path))

    # then
    assert rows == [{"a": "1"}, {"a": "2"}, {"a": "3"}]


def test_a_folder_without_rows_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "folder" / "README.md", "not rows")

    with pytest.raises(NotFound, match=r"'folder' names no file .*none of a known format"):
        open_source("folder", base=tmp_path)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jsonl")

    with pytest.raises(Invalid, match="not a regular file"):
        open_source("a.jsonl", base=tmp_path)


def test_below_the_roots_a_source_is_looked_for_in_each(tmp_path: Path) -> None:
    # given
    roots = (tmp_path / "one", tmp_path / "two")
    write(tmp_path / "one" / "other.jsonl", '{"a":0}')
    path = write(tmp_path / "two" / "in" / "a.jsonl", '{"a":1}')

    # when
    found = [items(open_source(source, roots=roots)) for source in ("in/*.jsonl", str(path))]

    # then
    assert found == [[{"a": 1}], [{"a": 1}]]


@pytest.mark.parametrize(
    "source",
    ["../secret.jsonl", "in/../../secret.jsonl", "{tmp}/secret.jsonl", "link.jsonl", "*k.jsonl"],
)
def test_outside_the_roots_nothing_is_read(tmp_path: Path, source: str) -> None:
    # given
    root = tmp_path / "root"
    write(tmp_path / "secret.jsonl", '{"a":1}')
    (root / "in").mkdir(parents=True)
    (root / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")

    # when, then
    with pytest.raises(NotAllowed, match="EVALBUS_DATASET_ROOTS"):
        open_source(source.format(tmp=tmp_path), roots=(root,))


def test_without_any_root_the_refusal_says_that_the_setting_is_empty() -> None:
    with pytest.raises(NotAllowed, match="EVALBUS_DATASET_ROOTS is empty"):
        open_source("a.jsonl", roots=())


def touched(path: Path) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def grown(path: Path) -> None:
    with path.open("a") as file:
        file.write('{"a":3}\n')


def replaced(path: Path) -> None:
    path.unlink()
    write(path.with_name("c.jsonl"), '{"a":2}\n')


def joined(path: Path) -> None:
    write(path.with_name("c.jsonl"), '{"a":2}\n')


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (touched, "b.jsonl has changed"),
        (grown, "b.jsonl has changed .* it had 8 bytes, now 16"),
        (replaced, "b.jsonl is gone"),
        (joined, "c.jsonl"),
    ],
)
def test_a_source_that_is_no_longer_the_accepted_one_is_named(
    tmp_path: Path, change: Callable[[Path], None], words: str
) -> None:
    # given
    write(tmp_path / "a.jsonl", '{"a":1}\n')
    path = write(tmp_path / "b.jsonl", '{"a":2}\n')
    accepted = open_source("*.jsonl", base=tmp_path).fingerprint()
    stored = Fingerprint.model_validate_json(accepted.model_dump_json())
    open_source("*.jsonl", base=tmp_path).verify(stored)

    # when
    change(path)

    # then
    with pytest.raises(SourceBroken, match=words) as raised:
        open_source("*.jsonl", base=tmp_path).verify(stored)
    assert raised.value.code == "source_changed"


def a_benchmark(*, id: str | None = None) -> Benchmark:
    return Benchmark(
        name="b",
        datasets=(Dataset(name="rows", rows=(), id=id),),
        models=(a_plugin("recorded", output=OUTPUT),),
        metrics=(exact_match(),),
    )


def check(text: str, rows: Sequence[JsonObject], *, id: str | None = None) -> None:
    use = TemplateUse(where="metric 'exact-match', reference", text=text)
    check_first_rows(a_benchmark(id=id), [[orjson.dumps(row) for row in rows]], [use])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "{{ item.refrence }}",
            r"metric 'exact-match', reference: none of the first 2 rows of dataset 'rows' has 'refrence' in item; did you mean 'reference'\? \(there are: reference, more\)",
        ),
        ("{{ item.more.wrong }}", r"'wrong' in item\.more .*\(there are: inner\)"),
        ("{{ reference }} {{ bare }}", r"'bare' in item"),
    ],
)
def test_a_field_that_no_row_has_is_refused_with_those_there_are(text: str, words: str) -> None:
    # given
    rows: list[JsonObject] = [{"reference": "a"}, {"reference": "b", "more": {"inner": 1}}]

    # when, then
    with pytest.raises(Invalid, match=words):
        check(text, rows)


def test_a_field_that_one_row_has_is_enough() -> None:
    check("{{ item.more.inner }}", [{"reference": "a"}, {"more": {"inner": None}}])


def test_the_row_id_is_checked_like_every_template() -> None:
    with pytest.raises(Invalid, match=r"dataset 'rows', id: .*'key'"):
        check("x", [{"id": 1}], id="{{ item.key }}")


def test_an_empty_dataset_is_refused_by_its_name() -> None:
    with pytest.raises(Invalid, match="dataset 'rows' has no rows"):
        check("x", [])
