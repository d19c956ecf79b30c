"""What a job looks like as JSON, JSONL, CSV and Parquet."""

import csv
import io
import json
from typing import Any

import pandas as pd
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it has no types
import pytest

from evalbus.exporting import (
    CsvExportConfig,
    ExportConfig,
    JsonExportConfig,
    JsonlExportConfig,
    ParquetExportConfig,
    WrongExport,
)
from evalbus.exporting.columns import FIELDS_MAX
from evalbus_schemas.exports import ExportHead
from tests.exporting import SLICES, a_datapoint, a_file, a_head, a_sample, a_score, an_entry

JUDGED = a_score(1, "judge.tone", has_ground_truth=True)
PLAIN = a_score(2, "f1")
OF_THE_WHOLE = a_score(3, "bleu", scope="corpus")
HEAD = a_head(JUDGED, PLAIN, OF_THE_WHOLE)

ANSWERED = a_datapoint(
    0,
    {"question": "Where?", "n": 2**60 + 1, "tags": ["a", None]},
    samples=[
        a_sample(latency_seconds=0.25),
        a_sample(repeat=1, failed=True, output={}),
        a_sample(model="default/chatty", output={"output_text": ""}),
    ],
    scores=[
        an_entry(value=2.0, label="good", truth=2.0),
        an_entry("RATIONALE", "It is polite."),
        an_entry("AGREEMENT", 1.0, truth=2.0),
        an_entry(value=0.5, criteria_uid=2),
        an_entry(value=None, repeat=1, error="timeout: no answer"),
        an_entry(value=None, repeat=1, criteria_uid=2, error="no_sample: none"),
        an_entry(value=1.0, model="default/chatty", label="bad"),
        an_entry(value=0.0, model="default/chatty", criteria_uid=2),
    ],
    slices=["hard", "long"],
)
UNASKED = a_datapoint(1, {"question": None, "new": ""}, samples=[])
POINTS = (ANSWERED, UNASKED)

COLUMNS = [
    *("x_uid", "dataset", "row_index", "row_id", "question", "n", "tags", "new"),
    *("model", "repeat", "failed", "latency_seconds", "output_text"),
    *("judge.tone", "judge.tone_label", "judge.tone_rationale", "judge.tone_agreement"),
    *("judge.tone_truth", "judge.tone_error", "f1", "f1_error", "slices"),
]


async def cells_of(points: Any, *, head: ExportHead = HEAD) -> list[dict[str, str]]:
    text = await a_file(CsvExportConfig(), points, head=head)
    return list(csv.DictReader(io.StringIO(text.decode(), newline=""), escapechar="\\"))


async def test_jsonl_is_the_lines_as_they_came() -> None:
    odd = json.dumps(a_datapoint(5)).replace('{"x_uid"', '{ "x_uid"')

    file = await a_file(JsonlExportConfig(), [ANSWERED, odd, UNASKED])

    assert file.decode() == f"{json.dumps(ANSWERED)}\n{odd}\n{json.dumps(UNASKED)}\n"


@pytest.mark.parametrize("count", [0, 1, 2, 5])
async def test_json_is_one_document(count: int) -> None:
    points = [a_datapoint(number, {"text": "a,\n\u2028"}) for number in range(count)]

    document = json.loads(await a_file(JsonExportConfig(), points, head=HEAD))

    assert list(document) == ["benchmark_metadata", "execution_metadata", "data", "slices"]
    assert document["data"] == points
    assert document["slices"] == [each.model_dump() for each in SLICES]


async def test_json_says_what_was_run_and_when() -> None:
    document = json.loads(await a_file(JsonExportConfig(), [], head=HEAD))

    assert document["benchmark_metadata"] == {
        "uid": 7,
        "name": "capitals",
        "description": "",
        "created_at": "2026-03-01T12:00:00Z",
        "created_by": "ada",
    }
    execution = document["execution_metadata"]
    assert list(execution)[:4] == ["uid", "name", "created_at", "created_by"]
    assert (execution["uid"], execution["name"]) == (12, "capitals-1")
    assert (execution["duration_seconds"], execution["partial"]) == (0.0, False)
    assert execution["definition"] == {"name": "capitals"}
    assert [score["criteria_name"] for score in execution["scores"]] == ["judge.tone", "f1", "bleu"]


async def test_a_table_has_a_line_for_each_answer_and_one_for_a_row_without() -> None:
    first, repeated, other, unasked = await cells_of(POINTS)

    assert list(first) == COLUMNS
    assert list(first.values()) == [
        *("capitals::0", "default/capitals", "0", "r0", "Where?", str(2**60 + 1), '["a", null]'),
        *("", "default/terse", "0", "False", "0.25", "Paris"),
        *("2.0", "good", "It is polite.", "1.0", "2.0", "", "0.5", "", "hard|long"),
    ]
    assert (repeated["repeat"], repeated["failed"], repeated["judge.tone"]) == ("1", "True", "")
    assert repeated["judge.tone_error"] == "timeout: no answer"
    assert (other["model"], other["judge.tone"], other["f1"]) == ("default/chatty", "1.0", "0.0")
    assert (unasked["x_uid"], unasked["model"], unasked["f1"]) == ("capitals::1", "", "")


async def test_what_is_missing_can_be_told_from_what_is_empty() -> None:
    lines = (await a_file(CsvExportConfig(), POINTS, head=HEAD)).decode().splitlines()

    assert lines[3].startswith('"capitals::0","default/capitals",0,"r0","Where?"')
    assert '"default/chatty",0,False,,"",1.0,"bad",,,,,0.0,,' in lines[3]
    assert lines[4] == '"capitals::1","default/capitals",1,"r1",,,,"",,,,,,,,,,,,,,""'


async def test_columns_of_the_same_name_are_told_apart() -> None:
    fields = {"model": 1, "slices": 2, "f1": 3, "item.f1": 4, "f1_error": 5, "plain": 6}
    head = a_head(a_score(1, "f1"), a_score(2, "model"), a_score(3, "f1_error"))

    (cells,) = await cells_of([a_datapoint(0, fields, scores=[an_entry(value=9.0)])], head=head)

    assert list(cells) == [
        *("x_uid", "dataset", "row_index", "row_id"),
        *("item.model", "item.slices", "item.f1", "item.item.f1", "item.f1_error", "plain"),
        *("model", "repeat", "failed", "latency_seconds", "output_text"),
        *("f1", "score.f1_error", "score.model", "score.model_error"),
        *("f1_error", "f1_error_error", "slices"),
    ]
    assert (cells["f1"], cells["item.f1"], cells["item.item.f1"]) == ("9.0", "3", "4")


async def test_parquet_has_the_columns_of_the_csv_with_their_types() -> None:
    file = await a_file(ParquetExportConfig(), POINTS, head=HEAD)

    table = pq.read_table(io.BytesIO(file))
    assert table.column_names == COLUMNS
    types = {field.name: str(field.type) for field in table.schema}
    assert types | {} == dict.fromkeys(COLUMNS, "string") | {
        **dict.fromkeys(("row_index", "repeat", "n"), "int64"),
        **dict.fromkeys(("judge.tone", "judge.tone_agreement", "f1", "latency_seconds"), "double"),
        "judge.tone_truth": "double",
        "failed": "bool",
        "slices": "list<element: string>",
    }
    first, _, other, unasked = table.to_pylist()
    assert (first["n"], first["tags"], first["slices"]) == (
        2**60 + 1,
        '["a", null]',
        ["hard", "long"],
    )
    assert (other["output_text"], other["judge.tone_truth"]) == ("", None)
    assert (unasked["question"], unasked["new"], unasked["failed"]) == (None, "", None)
    said = json.loads(table.schema.metadata[b"evalbus"])
    assert said["execution_metadata"]["partial"] is False


@pytest.mark.parametrize(
    ("values", "type", "read"),
    [
        ([1, None, 2], "int64", [1, None, 2]),
        ([1, 0.5], "double", [1.0, 0.5]),
        ([2**63 - 1, -(2**63)], "int64", [2**63 - 1, -(2**63)]),
        ([2**53 + 1, 0.5], "string", [str(2**53 + 1), "0.5"]),
        ([2**63], "string", [str(2**63)]),
        ([10**40, 1], "string", ["1" + "0" * 40, "1"]),
        ([True, None], "bool", [True, None]),
        ([True, 1], "string", ["true", "1"]),
        (["a", None, ""], "string", ["a", None, ""]),
        (["a", 1, None], "string", ['"a"', "1", None]),
        ([{"a": 1}, [1]], "string", ['{"a": 1}', "[1]"]),
        ([None, None], "string", [None, None]),
    ],
)
async def test_a_field_has_the_narrowest_type_for_all_of_its_values(
    values: list[object], type: str, read: list[object]
) -> None:
    points = [a_datapoint(number, {"x": value}) for number, value in enumerate(values)]

    table = pq.read_table(io.BytesIO(await a_file(ParquetExportConfig(), points)))

    assert str(table.schema.field("x").type) == type
    assert table["x"].to_pylist() == read


@pytest.mark.parametrize("points", [[], POINTS])
async def test_pandas_reads_the_parquet(points: Any) -> None:
    file = await a_file(ParquetExportConfig(), points, head=HEAD)

    frame = pd.read_parquet(io.BytesIO(file))
    assert len(frame) == (4 if points else 0)
    assert list(frame)[:4] == COLUMNS[:4]


async def test_a_job_without_rows_is_a_file_without_rows() -> None:
    assert await a_file(JsonlExportConfig(), []) == b""
    assert (await a_file(CsvExportConfig(), [])).count(b"\n") == 1


HOSTILE = (
    '{"x_uid":"d::0","dataset":"w/d","row_index":0,"row_id":"r","item":{"half":"a\\ud800","large":1e999,'
    f'"digits":{"9" * 5000},"nul":"a\\u0000b","deep":{"[" * 90 + "]" * 90}}},'
    '"samples":[],"scores":[],"slice_membership":[]}'
)


async def test_what_json_allows_and_few_readers_bear_is_written_all_the_same() -> None:
    (cells,) = await cells_of([HOSTILE])
    table = pq.read_table(io.BytesIO(await a_file(ParquetExportConfig(), [HOSTILE])))

    (line,) = table.to_pylist()
    for found in (cells, line):
        assert found["half"] == "a\ufffd"
        assert found["digits"] == "9" * 5000
        assert found["nul"] == "a\0b"
    assert (cells["large"], line["large"]) == ("inf", float("inf"))
    assert HOSTILE in (await a_file(JsonExportConfig(), [HOSTILE])).decode()


@pytest.mark.parametrize("config", [CsvExportConfig(), ParquetExportConfig()])
async def test_items_that_have_hardly_a_field_in_common_are_no_table(config: ExportConfig) -> None:
    points = [a_datapoint(number, {f"f{number}": 1}) for number in range(FIELDS_MAX + 1)]

    with pytest.raises(WrongExport, match="too many for a table"):
        await a_file(config, points)


async def test_short_lines_of_a_wide_table_all_come() -> None:
    points = [a_datapoint(number, {f"f{number % 1000}": number}) for number in range(1200)]

    lines = (await a_file(CsvExportConfig(), points)).decode().splitlines()

    assert [line.partition(",")[0] for line in lines[1:]] == [
        f'"capitals::{number}"' for number in range(1200)
    ]


@pytest.mark.parametrize("config", [CsvExportConfig(), ParquetExportConfig()])
async def test_a_carriage_return_between_words_of_json_ends_no_line(config: ExportConfig) -> None:
    odd = json.dumps(a_datapoint(5, {"n": 3})).replace('"n": 3', '"n":\r3')

    file = await a_file(config, [odd])

    table = (
        pd.read_csv(io.BytesIO(file))
        if isinstance(config, CsvExportConfig)
        else pq.read_table(io.BytesIO(file)).to_pandas()
    )
    assert list(table["n"]) == [3]
