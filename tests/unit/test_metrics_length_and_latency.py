"""length in its units, and latency where a call was measured."""

import math

import pytest

from evalbus.metrics import Batch, build_metric
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.scoring import REFERENCE, a_plugin, one_score


@pytest.mark.parametrize(
    ("text", "characters", "words", "lines", "size"),
    [
        ("", 0, 0, 0, 0),
        ("Paris", 5, 1, 1, 5),
        ("It  is\nParis.\n", 14, 3, 2, 14),
        ("a\r\nb", 4, 2, 2, 4),
        ("\n", 1, 0, 1, 1),
        ("é", 1, 1, 1, 2),
        ("👩‍👧", 3, 1, 1, 11),
        ("東京", 2, 1, 1, 6),
        ("\ud800", 1, 1, 1, 3),
        (12.5, 4, 1, 1, 4),
    ],
)
def test_a_text_is_measured_in_the_unit_asked_for(
    text: object, characters: int, words: int, lines: int, size: int
) -> None:
    wanted = {"characters": characters, "words": words, "lines": lines, "bytes": size}
    for unit, length in wanted.items():
        # given
        metric = build_metric(a_plugin("length", unit=unit), RowLimits())
        sample: JsonObject = {"output_text": text}  # type: ignore[dict-item]  # it is JSON

        # when
        columns = metric.score(Batch([{}], [sample]))

        # then
        assert list(columns.values[0]) == [length], unit
        assert metric.scores[0].unit == unit


@pytest.mark.parametrize(
    ("sample", "value", "code"),
    [
        ({"latency_seconds": 0.25}, 0.25, ""),
        ({"latency_seconds": 0}, 0.0, ""),
        ({"latency_seconds": "1.5"}, 1.5, ""),
        ({"latency_seconds": None}, math.nan, "not_measured"),
        ({}, math.nan, "not_measured"),
        ({"latency_seconds": -1}, math.nan, "unparsable"),
        ({"latency_seconds": True}, math.nan, "unparsable"),
        ({"latency_seconds": "soon"}, math.nan, "unparsable"),
        ({"latency_seconds": "inf"}, math.nan, "unparsable"),
    ],
)
def test_only_a_measured_call_has_a_latency(sample: JsonObject, value: float, code: str) -> None:
    # given
    metric = build_metric(a_plugin("latency"), RowLimits())

    # when
    columns = metric.score(Batch([{}], [sample]))

    # then
    assert columns.values[0][0] == pytest.approx(value, nan_ok=True)
    assert [note.code for note in columns.notes.values()] == ([code] if code else [])


def test_a_recorded_latency_can_be_looked_up_in_the_item() -> None:
    assert one_score("latency", {"reference": 2.5}, candidate=REFERENCE) == (2.5, "")
    assert one_score("latency", {"reference": None}, candidate=REFERENCE)[1] == "not_measured"
