"""score_row and corpus_of: what an author of a metric sees of one row, and of all."""

import math

import pytest

from evalbus.errors import Invalid
from evalbus.templates import RowsFailed
from evalbus.testing import corpus_of, score_row
from evalbus_schemas.base import JsonObject
from tests.scoring import REFERENCE

EXACT = {"type": "exact-match", "reference": REFERENCE}
CALIBRATION = {
    "type": "calibration",
    "probability": "{{ sample.output_text }}",
    "outcome": REFERENCE,
}


def test_a_row_has_its_scores_by_name_and_nan_where_it_has_none() -> None:
    assert score_row(EXACT, item={"reference": "a"}, output_text="a") == {"exact-match": 1.0}
    assert math.isnan(score_row(EXACT, item={"reference": None})["exact-match"])


def test_a_sample_may_have_more_than_a_text() -> None:
    # given
    plugin = EXACT | {"candidate": "{{ sample.said }}"}

    # then
    assert score_row(plugin, item={"reference": "a"}, sample={"said": "a"}) == {"exact-match": 1.0}


def test_all_rows_together_leave_out_those_without_a_score() -> None:
    # given
    rows: list[tuple[JsonObject, str]] = [
        ({"reference": 1}, "0.75"),
        ({"reference": None}, "0.1"),
        ({"reference": 0}, "0.75"),
    ]

    # then
    assert corpus_of(CALIBRATION, rows=rows) == {"ece": 0.25}


def test_what_cannot_be_scored_is_refused_with_a_sentence() -> None:
    with pytest.raises(Invalid, match="exact-match has no score for all rows together"):
        corpus_of(EXACT, rows=[({"reference": "a"}, "a")])
    with pytest.raises(ValueError, match="no row takes part"):
        corpus_of(CALIBRATION, rows=[({"reference": None}, "0.5")])
    with pytest.raises(Invalid, match="did you mean 'exact-match'"):
        score_row({"type": "exact-mach"}, item={})
    with pytest.raises(RowsFailed, match="1 rows"):
        score_row(EXACT, item={"other": 1})
