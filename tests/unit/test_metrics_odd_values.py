"""Every check gives a value or a reason, whatever stands in a row."""

import math

import pytest

from evalbus.metrics import Batch, build_metric
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.metric_cases.case import Case
from tests.metric_cases.checks import CHECKS
from tests.scoring import a_plugin

A_MEGABYTE = 1024 * 1024

ODD: list[object] = [
    "",
    " \t\n\u2028",
    None,
    True,
    0,
    -1,
    10**30,
    0.1,
    1e300,
    [],
    {},
    [[["deep", {"a": [None, True]}]]],
    {"choices": [{"message": {"tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}}]},
    "שלום עולם",
    "مرحبا ١٢٣",
    "👩‍👩‍👧 e\u0301 ｆｕｌｌ",
    "\ud800 half a character",
    ["\udfff"],
    "\x00\x19\x7f",
    "{{ item.reference }}",
    "[" * 100_000,
    '{"a":' * 100_000,
    "9" * 5_000,
    "-1e999999999",
    "NaN",
]

LONG = [
    "a" * A_MEGABYTE,
    " " * A_MEGABYTE,
    "\n" * A_MEGABYTE,
    "answer " * (A_MEGABYTE // 7),
    "answer is (" * (A_MEGABYTE // 11),
    "A) " * (A_MEGABYTE // 3),
    "```\n" * (A_MEGABYTE // 4),
    "1.111" * (A_MEGABYTE // 5),
    "1,111" * (A_MEGABYTE // 5),
    "9" * A_MEGABYTE,
    "[" + "1," * (A_MEGABYTE // 2) + "1]",
    "é" * (A_MEGABYTE // 2),
]


def assert_scored_or_explained(case: Case, reference: object, answer: object) -> None:
    metric = build_metric(a_plugin(case.type, **case.parameters), RowLimits())
    item: JsonObject = {"reference": reference}  # type: ignore[dict-item]  # it is JSON
    sample: JsonObject = {"output_text": answer}  # type: ignore[dict-item]

    columns = metric.score(Batch([item], [sample]))

    for (value,), score in zip(columns.values, metric.scores, strict=True):
        assert math.isnan(value) == (0 in columns.notes)
        assert math.isnan(value) or score.minimum is None or value >= score.minimum
        assert math.isnan(value) or score.maximum is None or value <= score.maximum


every_check = pytest.mark.parametrize("case", CHECKS, ids=lambda case: case.type)


@every_check
def test_odd_values_are_scored_or_explained_on_either_side(case: Case) -> None:
    for odd in ODD:
        assert_scored_or_explained(case, odd, "1")
        assert_scored_or_explained(case, "1", odd)
        assert_scored_or_explained(case, odd, odd)


@every_check
def test_long_texts_are_scored_in_reasonable_time(case: Case) -> None:
    # Whatever took time that grows with the square of the length would never end here.
    for text in LONG:
        assert_scored_or_explained(case, "1", text)
        assert_scored_or_explained(case, text, "1")
