"""What a recorded model makes of an item."""

import pytest

from evalbus.errors import Invalid
from evalbus.models import RecordedModel, build_model
from evalbus.templates import RowsFailed
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.scoring import a_plugin


def recorded(output: str, **parameters: object) -> RecordedModel:
    plugin = a_plugin("recorded", name="baseline", output=output, **parameters)
    model = build_model(plugin, RowLimits())
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


def test_further_fields_stand_beside_the_text_and_keep_their_type() -> None:
    # given
    model = recorded(
        "{{ item.a.text }}",
        fields={
            "is_correct": "{{ item.a.right }}",
            "twice": "{{ item.n * 2 }}",
            "all": "{{ item.a }}",
        },
    )

    # when
    samples = model.answer(
        [{"a": {"text": "x", "right": True}, "n": 2}, {"a": {"text": "y", "right": None}, "n": 3}]
    )

    # then
    assert samples == [
        {"output_text": "x", "is_correct": True, "twice": "4", "all": {"text": "x", "right": True}},
        {"output_text": "y", "is_correct": None, "twice": "6", "all": {"text": "y", "right": None}},
    ]


def test_a_field_that_a_row_does_not_have_is_null_there_and_nowhere_else() -> None:
    # given
    model = recorded("{{ item.output }}", fields={"label": "{{ item.label.x }}"})

    # when
    samples = model.answer(
        [{"output": "a"}, {"output": "b", "label": {"x": 1}}, {"output": "c", "label": None}]
    )

    # then
    assert [sample["label"] for sample in samples] == [None, 1, None]


def test_a_field_that_fails_otherwise_fails_its_row() -> None:
    # given
    model = recorded("{{ item.output }}", fields={"share": "{{ 1 / item.n }}"})

    # when
    with pytest.raises(RowsFailed) as raised:
        model.answer([{"output": "a"}, {"output": "b", "n": 0}, {"output": "c", "n": 1}])

    # then
    assert {row: error.code for row, error in raised.value.errors.items()} == {1: "template_failed"}


def test_a_field_may_not_take_the_place_of_the_text() -> None:
    with pytest.raises(Invalid, match=r"model 'baseline': fields: output_text is in every sample"):
        recorded("{{ item.output }}", fields={"output_text": "{{ item.other }}"})
