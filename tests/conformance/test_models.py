"""What every model promises without a network; a new one adds its row to CASES or LIVE_CASES."""

from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from evalbus.errors import Invalid
from evalbus.models import MODELS, OUTPUT_TEXT, LiveModel, RecordedModel, build_model
from evalbus.templates import RowsFailed
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.asking import a_live_model
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
        parameters={"output": "{{ item.output }}", "fields": {"more": "{{ item.more }}"}},
        answered=(
            {"output": "Paris", "more": [1]},
            {"output": ""},
            {"output": 4},
            {"output": ["é", None]},
        ),
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

    parameters = set(type(model).Parameters.model_fields)
    assert {place.partition(".")[0] for place in model.templates()} <= parameters


@every_model
def test_a_sample_has_the_fields_that_were_announced(case: Case) -> None:
    model = built(case)

    if model.sample_fields is not None:
        assert {frozenset(sample) for sample in model.answer(case.answered)} == {
            model.sample_fields
        }


LIVE_CASES: dict[str, dict[str, Any]] = {
    "amqp": {"queue": "models.house"},
    "openai": {"url": "https://api.example/v1", "model": "small-1"},
}
ASKED: tuple[JsonObject, ...] = ({"q": "Who?"}, {"q": 4}, {"q": ["é", None]}, {"q": ""})
UNASKED: JsonObject = {"q": None}

every_live_model = pytest.mark.parametrize("type", sorted(LIVE_CASES))


def live(type: str, **changes: Any) -> LiveModel:
    return a_live_model(type, **LIVE_CASES[type] | {"prompt": "{{ item.q }}"} | changes)


def test_every_live_model_there_is_has_a_case() -> None:
    found = {name for name, model in MODELS.builtin.items() if issubclass(model, LiveModel)}
    assert set(LIVE_CASES) == found


@every_live_model
def test_every_item_gets_a_request_that_is_json_and_its_own(type: str) -> None:
    # when
    requests = live(type).requests(ASKED)

    # then
    assert len(requests) == len(ASKED)
    assert orjson.loads(orjson.dumps(requests)) == requests
    assert requests == [live(type).requests([item])[0] for item in ASKED]
    assert live(type).requests([]) == []


@every_live_model
def test_a_request_tells_apart_all_that_its_item_changes(type: str) -> None:
    written = {orjson.dumps(request) for request in live(type).requests(ASKED)}

    assert len(written) == len(ASKED)


@every_live_model
def test_items_that_cannot_be_asked_for_are_named(type: str) -> None:
    with pytest.raises(RowsFailed) as raised:
        live(type).requests([ASKED[0], UNASKED, {}, ASKED[1]])

    assert set(raised.value.errors) == {1, 2}


@every_live_model
def test_its_identity_is_json_and_does_not_depend_on_the_process(type: str) -> None:
    identity = live(type).identity()

    assert orjson.loads(orjson.dumps(identity)) == identity
    assert identity == live(type, display_name="M", system_prompt="x").identity()
    assert identity != live(type, inference={"temperature": 0}).identity()


@every_live_model
def test_it_has_a_price_and_a_cache_only_where_that_is_said(type: str) -> None:
    # given
    price = {"input_per_million": 0.15, "output_per_million": 0.6}

    # when
    plain, said = live(type), live(type, price=price, inference={"temperature": 0})

    # then
    assert (plain.price, plain.cache) == (None, "off")
    assert said.price is not None
    assert said.price.of(1_000_000, None) == 0.15
    assert said.cache == "on"


@every_live_model
def test_a_live_model_refuses_what_it_does_not_know(type: str) -> None:
    with pytest.raises(Invalid, match="unknown parameter 'prmpt'; did you mean 'prompt'"):
        live(type, prmpt=1)


@every_live_model
def test_its_templates_are_known_by_the_place_where_they_stand(type: str) -> None:
    # given
    messages = [{"role": "user", "content": "{{ item.q }}"}]

    # when
    places = live(type, prompt=messages, system_prompt="{{ item.s }}").templates()

    # then
    parameters = set(MODELS.find(type).Parameters.model_fields)
    assert {place.partition(".")[0] for place in places} <= parameters
    assert set(places) == {"system_prompt", "prompt.0.content"}
