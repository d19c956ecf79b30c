"""What a live model is asked for an item."""

from typing import Any

import pytest

from evalbus.errors import Invalid
from evalbus.templates import RowsFailed
from evalbus_schemas.base import JsonObject
from tests.asking import a_live_model


def requests(*items: JsonObject, **parameters: Any) -> list[JsonObject]:
    model = a_live_model("openai", url="http://127.0.0.1:1/v1", model="m", **parameters)
    return model.requests(items)


def messages(item: JsonObject, **parameters: Any) -> object:
    return requests(item, **parameters)[0]["messages"]


def test_a_text_is_what_the_user_says() -> None:
    assert messages({"q": "Who?"}, prompt="Answer: {{ item.q }}") == [
        {"role": "user", "content": "Answer: Who?"}
    ]


def test_a_system_prompt_comes_first_and_may_look_into_the_item() -> None:
    assert messages(
        {"q": "Who?", "n": 3}, prompt="{{ item.q }}", system_prompt="{{ n }} words"
    ) == [
        {"role": "system", "content": "3 words"},
        {"role": "user", "content": "Who?"},
    ]


def test_a_conversation_keeps_its_roles_and_order() -> None:
    # given
    prompt = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "{{ item.q }}"},
    ]

    # when, then
    assert messages({"q": "Who?"}, prompt=prompt, system_prompt="Be brief.") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "Who?"},
    ]


def test_a_conversation_may_lie_in_the_item() -> None:
    # given
    conversation = [{"role": "user", "content": "Hello", "name": "Ann"}]
    item: JsonObject = {"talk": conversation}  # type: ignore[dict-item]  # it is JSON

    # when, then
    assert messages(item, prompt="{{ item.talk }}") == conversation


def test_the_parts_of_a_message_may_lie_in_the_item() -> None:
    # given
    parts = [{"type": "text", "text": "Who?"}, {"type": "image_url", "image_url": {"url": "x:"}}]
    item: JsonObject = {"parts": parts}  # type: ignore[dict-item]  # it is JSON

    # when, then
    prompt = [{"role": "user", "content": "{{ item.parts }}"}]
    assert messages(item, prompt=prompt) == [{"role": "user", "content": parts}]


@pytest.mark.parametrize(
    ("value", "text"), [(4, "4"), (True, "true"), ([1, "a"], '[1,"a"]'), ([], "[]")]
)
def test_a_value_that_is_no_text_is_asked_as_its_json(value: Any, text: str) -> None:
    assert messages({"q": value}, prompt="{{ item.q }}") == [{"role": "user", "content": text}]


def test_plain_completions_take_the_text_alone() -> None:
    assert requests({"q": "Who?"}, prompt="{{ item.q }}", api="completions") == [{"prompt": "Who?"}]


def test_plain_completions_of_a_conversation_fail_the_row() -> None:
    # given
    talk: JsonObject = {"q": [{"role": "user", "content": "Who?"}]}

    # when
    with pytest.raises(RowsFailed) as raised:
        requests({"q": "Who?"}, talk, prompt="{{ item.q }}", api="completions")

    # then
    assert {row: error.code for row, error in raised.value.errors.items()} == {1: "wrong_prompt"}


def test_rows_without_something_to_ask_are_named_each_with_its_own_reason() -> None:
    # when
    with pytest.raises(RowsFailed) as raised:
        requests(
            {"q": "a", "s": "b"},
            {"q": None, "s": "b"},
            {"s": "b"},
            {"q": "a"},
            {"q": "a", "s": "b"},
            prompt="{{ item.q }}",
            system_prompt="Be {{ item.s | upper }}",
        )

    # then
    codes = {row: error.code for row, error in raised.value.errors.items()}
    assert codes == {1: "no_prompt", 2: "missing_field", 3: "missing_field"}


def test_the_templates_are_known_by_where_they_are_written() -> None:
    # when
    model = a_live_model(
        "openai",
        url="http://127.0.0.1:1",
        model="m",
        prompt=[{"role": "user", "content": "a"}, {"role": "user", "content": "{{ item.q }}"}],
        system_prompt="{{ item.s }}",
    )

    # then
    assert {place: template.text for place, template in model.templates().items()} == {
        "system_prompt": "{{ item.s }}",
        "prompt.0.content": "a",
        "prompt.1.content": "{{ item.q }}",
    }


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"prompt": "{{ item.q"}, "not a template"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [{"role": "user"}]}, r"prompt\.messages\.0\.content: Field required"),
        ({"prompt": [{"role": "", "content": "a"}]}, "role"),
        ({"prompt": "a", "api": "completions", "system_prompt": "b"}, "without roles"),
        ({"prompt": [{"role": "user", "content": "a"}], "api": "completions"}, "without roles"),
        ({"prompt": "a", "api": "responses"}, "api: "),
        ({}, "prompt: Field required"),
        ({"prompt": "a", "inference": {"stream": True}}, "stream is no matter of inference"),
        ({"prompt": "a", "inference": {"temperature": -1}}, r"inference\.temperature"),
        ({"prompt": "a", "inference": {"temperature": "0"}}, r"inference\.temperature"),
        (
            {"prompt": "a", "inference": {"max_tokens": 1, "max_completion_tokens": 1}},
            "either max_tokens or max_completion_tokens",
        ),
        ({"prompt": "a", "price": {"input_per_million": 1}}, r"price\.output_per_million"),
        (
            {"prompt": "a", "price": {"input_per_million": -1, "output_per_million": 1}},
            r"price\.input_per_million",
        ),
        (
            {"prompt": "a", "price": {"input_per_million": 1, "output_per_million": 1e308}},
            r"price\.output_per_million",
        ),
        ({"prompt": "a", "cache": "sometimes"}, "cache"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(
    parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(Invalid, match=f"model 'live': .*{said}"):
        a_live_model("openai", url="http://127.0.0.1:1/v1", model="m", **parameters)
