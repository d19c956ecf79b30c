"""What a recorded model makes of an item."""

import pytest

from evalbus.errors import Invalid
from evalbus.models import RecordedModel, build_model
from evalbus.templates import RowsFailed
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.scoring import a_plugin


def recorded(output: str) -> RecordedModel:
    model = build_model(a_plugin("recorded", name="baseline", output=output), RowLimits())
    assert isinstance(model, RecordedModel)
    return model


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("Paris", "Paris"),
        ("", ""),
        (4, "4"),
        (True, "true"),
        ({"b": 1, "a": [2]}, '{"a":[2],"b":1}'),
    ],
)
def test_an_answer_becomes_the_output_text(answer: object, text: str) -> None:
    # given
    model = recorded("{{ item.output }}")
    item: JsonObject = {"output": answer}  # type: ignore[dict-item]  # the cases are JSON

    # when
    samples = model.answer([item])

    # then
    assert samples == [{"output_text": text}]


def test_a_row_without_an_answer_is_named_and_the_others_are_not() -> None:
    # given
    model = recorded("{{ item.output }}")

    # when
    with pytest.raises(RowsFailed) as raised:
        model.answer([{"output": "a"}, {"output": None}, {"output": "c"}])

    # then
    assert {row: error.code for row, error in raised.value.errors.items()} == {1: "no_output"}


def test_a_parameter_that_is_not_known_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(Invalid, match=r"model 'baseline': .*'outptu'; did you mean 'output'"):
        build_model(a_plugin("recorded", name="baseline", outptu="x"), RowLimits())


def test_a_broken_template_is_refused_with_the_model_that_it_is_in() -> None:
    with pytest.raises(Invalid, match=r"model 'baseline': not a template"):
        recorded("{{ item.output")
