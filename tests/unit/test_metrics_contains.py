"""contains-any and contains-all: which texts count, and what is ignored."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbus.errors import Invalid
from evalbus.metrics import build_metric
from evalbus_schemas.chunks import RowLimits
from tests.scoring import a_plugin, one_score


@pytest.mark.parametrize(
    ("expected", "output", "any_of", "all_of"),
    [
        (["Paris", "Rome"], "Paris and Rome", 1.0, 1.0),
        (["Paris", "Rome"], "Paris", 1.0, 0.0),
        (["Paris", "Rome"], "Oslo", 0.0, 0.0),
        (["cat"], "concatenate", 1.0, 1.0),
        (["STRASSE"], "Straße", 1.0, 1.0),
        ([4, True], "4 is true", 1.0, 1.0),
        (["Paris", None, "", " "], "Paris", 1.0, 1.0),
        (["مرحبا"], "مرحبا بالعالم", 1.0, 1.0),
    ],
)
def test_expected_texts_are_looked_for_without_case(
    expected: list[object], output: str, any_of: float, all_of: float
) -> None:
    # given
    item = {"expected": expected, "output": output}
    template = ["{{ item.expected }}"]

    # when
    found = [one_score(kind, item, expected=template) for kind in ("contains-any", "contains-all")]

    # then
    assert found == [(any_of, ""), (all_of, "")]


@pytest.mark.parametrize(
    ("normalize", "value"), [("none", 0.0), ("strip", 0.0), ("casefold", 0.0), ("squad", 1.0)]
)
def test_what_is_ignored_is_what_normalize_says(normalize: str, value: float) -> None:
    # given
    item = {"expected": "the U.S.A.", "output": "It is in USA"}

    # when
    found = one_score("contains-any", item, expected=["{{ item.expected }}"], normalize=normalize)

    # then
    assert found == (value, "")


def test_single_texts_and_lists_stand_beside_each_other() -> None:
    # given
    item = {"cities": ["Paris", "Rome"], "country": "France", "output": "Paris, Rome"}
    expected = ["{{ item.cities }}", "{{ item.country }}", "o"]

    # then
    assert one_score("contains-any", item, expected=expected) == (1.0, "")
    assert one_score("contains-all", item, expected=expected) == (0.0, "")


@pytest.mark.parametrize("type", ["contains-any", "contains-all"])
@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"expected": [], "output": "Paris"}, "no_reference"),
        ({"expected": None, "output": "Paris"}, "no_reference"),
        ({"expected": [None, ""], "output": "Paris"}, "no_reference"),
        ({"expected": ["Paris"], "output": None}, "no_candidate"),
    ],
)
def test_nothing_to_look_for_or_in_gives_no_score(
    type: str, item: dict[str, object], code: str
) -> None:
    # when
    value, reason = one_score(type, item, expected=["{{ item.expected }}"])

    # then
    assert math.isnan(value)
    assert reason == code


@given(
    expected=st.lists(st.text(alphabet="ab c", max_size=3), min_size=1, max_size=4),
    output=st.text(alphabet="ab c", max_size=8),
)
def test_any_and_all_are_those_of_python(expected: list[str], output: str) -> None:
    # given
    item = {"expected": expected, "output": output}
    parameters = {"expected": ["{{ item.expected }}"], "normalize": "none"}
    present = [text in output for text in expected if text]

    # when
    any_of, _ = one_score("contains-any", item, **parameters)
    all_of, _ = one_score("contains-all", item, **parameters)

    # then
    if present:
        assert (any_of, all_of) == (float(any(present)), float(all(present)))
    else:
        assert math.isnan(any_of)
        assert math.isnan(all_of)


@pytest.mark.parametrize("expected", [[], ["x"] * 33, "x"])
def test_no_text_too_many_or_no_list_are_refused(expected: object) -> None:
    with pytest.raises(Invalid, match="expected"):
        build_metric(a_plugin("contains-any", expected=expected), RowLimits())
