"""What every recorded model promises; a new one adds its row to CASES."""

from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from evalbus.errors import Invalid
from evalbus.models import MODELS, OUTPUT_TEXT, RecordedModel, build_model
from evalbus.templates import RowsFailed
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.scoring import a_plugin


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model with parameters, items that it answers, and one that it cannot answer."""

    type: str
    parameters: dict[str, Any]
    answered: tuple[JsonObject, ...]
    unanswered: JsonObject


CASES = [
    Case(
        type="recorded",
        parameters={"output": "{{ item.output }}"},
        answered=({"output": "Paris"}, {"output": ""}, {"output": 4}, {"output": ["é", None]}),
        unanswered={"no_output": 1},
    ),
]

every_model = pytest.mark.parametrize("case", CASES, ids=lambda case: case.type)


def built(case: Case, **changes: Any) -> RecordedModel:
    model = build_model(a_plugin(case.type, **case.parameters | changes), RowLimits())
    assert isinstance(model, RecordedModel)
    return model


def test_every_recorded_model_there_is_has_a_case() -> None:
    recorded = {name for name, model in MODELS.builtin.items() if issubclass(model, RecordedModel)}
    assert {case.type for case in CASES} == recorded


@every_model
def test_every_item_gets_a_sample_with_text_in_it(case: Case) -> None:
    # when
    samples = built(case).answer(case.answered)

    # then
    assert len(samples) == len(case.answered)
    for sample in samples:
        assert isinstance(sample[OUTPUT_TEXT], str)
        assert orjson.loads(orjson.dumps(sample)) == sample


@every_model
def test_an_answer_depends_on_its_item_alone(case: Case) -> None:
    # given
    model = built(case)

    # when
    together = model.answer(case.answered)

    # then
    assert together == [model.answer([item])[0] for item in case.answered]


@every_model
def test_items_without_an_answer_are_named(case: Case) -> None:
    # when
    with pytest.raises(RowsFailed) as raised:
        built(case).answer([case.answered[0], case.unanswered, case.answered[1]])

    # then
    assert set(raised.value.errors) == {1}


@every_model
def test_no_items_give_no_samples(case: Case) -> None:
    assert built(case).answer([]) == []


@every_model
def test_a_parameter_that_it_does_not_know_is_refused(case: Case) -> None:
    with pytest.raises(Invalid, match="unknown parameter 'surprise'"):
        built(case, surprise=1)


@every_model
def test_its_templates_are_known_by_the_parameter_that_holds_them(case: Case) -> None:
    model = built(case)

    assert set(model.templates()) <= set(type(model).Parameters.model_fields)
