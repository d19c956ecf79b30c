"""What a judge is asked: its prompt about item and sample, the schema of its answer, and what is refused beforehand."""

import math
from typing import Any

import orjson
import pytest

from evalbus.errors import Invalid, NotAllowed
from evalbus.metrics import Batch, LiveMetric, build_metric
from evalbus.metrics.judges.default_prompt import as_template
from evalbus.templates import RowsFailed, compile_template
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.asking import HttpReach, QueueReach, QueueRequest, a_call, http_with
from tests.scoring import a_plugin, signature_of
from tests.servers.openai_endpoint import OpenAIEndpoint, says

JUDGE: dict[str, Any] = {"type": "openai", "url": "http://127.0.0.1:8000/v1", "model": "small"}
STARS: dict[str, Any] = {"name": "stars", "minimum": 1, "maximum": 5}
TONE: dict[str, Any] = {
    "name": "tone",
    "description": "Is it polite?",
    "rubric": [
        {"label": "good", "value": 1, "description": "Polite throughout."},
        {"label": "bad", "value": 0},
    ],
}


def written(**parameters: Any) -> dict[str, Any]:
    several = {} if "models" in parameters else {"model": JUDGE}
    return {**several, "scores": [STARS], **parameters}


def a_judge(**parameters: Any) -> LiveMetric:
    metric = build_metric(a_plugin("llm-judge", **written(**parameters)), RowLimits())
    assert isinstance(metric, LiveMetric)
    return metric


def asked(metric: LiveMetric, *rows: tuple[JsonObject, JsonObject]) -> list[list[Any]]:
    batch = Batch([item for item, _ in rows], [sample for _, sample in rows])
    return [list(of_row) for of_row in metric.questions(batch)]


def inference(metric: LiveMetric) -> Any:
    return metric.respondents[0].identity()["inference"]


ROW: tuple[JsonObject, JsonObject] = (
    {"question": "Capital of France?"},
    {"output_text": "Paris {{ item }}", "response": {"id": 1}},
)


def test_a_prompt_has_item_and_sample_in_reach() -> None:
    # given
    metric = a_judge(
        prompt="{{ item.question }} {{ sample.output_text }} {{ sample.response.id }}",
        system_prompt="Judge {{ item.question }}",
    )

    # then
    assert asked(metric, ROW) == [
        [
            {
                "messages": [
                    {"role": "system", "content": "Judge Capital of France?"},
                    {"role": "user", "content": "Capital of France? Paris {{ item }} 1"},
                ]
            }
        ]
    ]
    assert set(metric.templates()) == {"prompt", "system_prompt"}


def test_a_prompt_may_be_a_conversation() -> None:
    # given
    metric = a_judge(
        prompt=[
            {"role": "user", "content": "{{ item.question }}"},
            {"role": "assistant", "content": "{{ sample.output_text }}"},
        ]
    )

    # then
    ((question,),) = asked(metric, ROW)
    assert [message["role"] for message in question["messages"]] == ["user", "assistant"]
    assert set(metric.templates()) == {"prompt.0.content", "prompt.1.content"}


def test_the_default_prompt_tells_scores_item_and_answer() -> None:
    # given
    metric = a_judge(scores=[STARS, TONE])

    # when
    ((question,),) = asked(metric, ROW)

    # then
    (message,) = question["messages"]
    for part in (
        "- stars\n  A number from 1 to 5.",
        '- tone: Is it polite?\n  One of these labels:\n  - "good": Polite throughout.\n  - "bad"',
        '{"question":"Capital of France?"}',
        "\nParis {{ item }}\n",
        '{"explanation": "…", "stars": …, "tone": …}',
    ):
        assert part in message["content"]


@pytest.mark.parametrize("text", ["{{ item.q }}", "{%", "{#", "{{{", "a {", "{% raw %}", "}}", "{"])
def test_a_description_is_no_template(text: str) -> None:
    # given
    metric = a_judge(scores=[STARS | {"description": text}])

    # when
    ((question,),) = asked(metric, ROW)

    # then
    assert f"- stars: {text}\n" in question["messages"][0]["content"]
    assert compile_template(f"-{as_template(text)}-").render({}) == f"-{text}-"


def test_every_judge_is_asked_the_same() -> None:
    # given
    metric = a_judge(
        models=[JUDGE, {"type": "amqp", "queue": "models.house"}], prompt="{{ item.question }}"
    )

    # then
    assert asked(metric, ROW) == [
        [
            {"messages": [{"role": "user", "content": "Capital of France?"}]},
            {"prompt": "Capital of France?"},
        ]
    ]


def test_a_model_that_said_nothing_is_not_judged() -> None:
    # given
    metric = a_judge(prompt="{{ item.question }}", models=[JUDGE, JUDGE])
    silent: tuple[JsonObject, JsonObject] = ({}, {"output_text": None})
    answers: list[JsonObject] = [{"output_text": '{"stars": 4}'}] * 2

    # when
    questions = asked(metric, silent, ROW)
    columns = metric.score(Batch([silent[0], ROW[0]], [silent[1], ROW[1]], [[None, None], answers]))

    # then
    assert questions[0] == [None, None]
    assert all(questions[1])
    assert math.isnan(columns.values[0][0])
    assert columns.values[0][1] == 4
    assert {row: note.code for row, note in columns.notes.items()} == {0: "no_candidate"}


def test_rows_that_cannot_be_asked_about_are_named_by_their_place_in_the_batch() -> None:
    # given
    metric = a_judge(prompt="{{ item.question }}")
    silent: tuple[JsonObject, JsonObject] = ({}, {"output_text": None})

    # when
    with pytest.raises(RowsFailed) as raised:
        asked(metric, silent, ROW, ({}, {"output_text": ""}))

    # then
    assert set(raised.value.errors) == {2}
    assert "'question'" in raised.value.errors[2].message


def test_the_answer_has_a_schema_with_the_explanation_first() -> None:
    # given
    nested = {"type": "json", "json_path": "result.stars"}
    metric = a_judge(scores=[STARS | {"parser": nested}, TONE], prompt="?")

    # when
    wanted = inference(metric)["response_format"]["json_schema"]

    # then
    assert wanted["strict"] is True
    assert list(wanted["schema"]["properties"]) == ["explanation", "result", "tone"]
    assert wanted["schema"]["properties"]["result"] == {
        "type": "object",
        "properties": {"stars": {"type": "number", "minimum": 1, "maximum": 5}},
        "required": ["stars"],
        "additionalProperties": False,
    }
    assert wanted["schema"]["properties"]["tone"] == {"type": "string", "enum": ["good", "bad"]}
    assert wanted["schema"]["required"] == ["explanation", "result", "tone"]


def test_a_score_called_explanation_is_not_overwritten() -> None:
    metric = a_judge(scores=[STARS | {"name": "explanation"}])

    properties = inference(metric)["response_format"]["json_schema"]["schema"]["properties"]
    assert properties == {"explanation": {"type": "number", "minimum": 1, "maximum": 5}}


@pytest.mark.parametrize(
    "parameters",
    [
        {"structured_output": False},
        {"scores": [STARS | {"parser": {"type": "regex", "pattern": r"(\d)"}}], "prompt": "?"},
        {"scores": [STARS | {"parser": {"type": "json", "json_path": "a[0]"}}], "prompt": "?"},
        {"scores": [STARS | {"parser": {"type": "json", "json_path": "$"}}], "prompt": "?"},
    ],
)
def test_no_schema_is_sent_where_none_is_wanted_or_none_can_be_said(
    parameters: dict[str, Any],
) -> None:
    assert inference(a_judge(**parameters)) == {"temperature": 0.0}


@pytest.mark.parametrize(
    ("given", "temperature", "cache"),
    [
        ({}, 0.0, "on"),
        ({"inference": {"max_tokens": 100}}, 0.0, "on"),
        ({"inference": {"temperature": 0.7}}, 0.7, "off"),
        ({"inference": {"temperature": None}}, None, "off"),
        ({"cache": "off"}, 0.0, "off"),
    ],
)
def test_judges_are_cold_unless_told_otherwise_so_that_their_answers_are_kept(
    given: dict[str, Any], temperature: float | None, cache: str
) -> None:
    # when
    metric = a_judge(model=JUDGE | given)

    # then
    assert inference(metric).get("temperature") == temperature
    assert metric.respondents[0].cache == cache


def test_what_was_written_about_the_form_of_the_answer_stands() -> None:
    own = {"type": "json_object"}

    metric = a_judge(model=JUDGE | {"inference": {"response_format": own, "seed": 1}})

    assert inference(metric) == {"temperature": 0.0, "response_format": own, "seed": 1}


def test_prices_are_those_of_its_model() -> None:
    metric = a_judge(model=JUDGE | {"price": {"input_per_million": 2, "output_per_million": 4}})

    price = metric.respondents[0].price
    assert price is not None
    assert price.of(1_000_000, 500_000) == 4


def test_the_signature_has_what_values_depend_on_and_no_more() -> None:
    # given
    plain = a_plugin("llm-judge", **written())
    dear = {
        "name": "dear",
        "cache": "off",
        "price": {"input_per_million": 2, "output_per_million": 4},
        "inference": {"temperature": 0.0},
    }

    # when
    parameters = signature_of(plain).parameters

    # then
    assert parameters["model"] == JUDGE | {
        "inference": {
            "temperature": 0.0,
            "max_tokens": None,
            "max_completion_tokens": None,
            "top_p": None,
        }
    }
    assert signature_of(a_plugin("llm-judge", **written(model=JUDGE | dear))) == signature_of(plain)
    warm = JUDGE | {"inference": {"temperature": 1.0}}
    assert signature_of(a_plugin("llm-judge", **written(model=warm))) != signature_of(plain)


def test_the_signature_names_the_library_of_patterns_where_there_are_any() -> None:
    # given
    by_pattern = STARS | {"parser": {"type": "regex", "pattern": r"(\d)"}}

    # then
    assert not signature_of(a_plugin("llm-judge", **written())).libraries
    plugin = a_plugin("llm-judge", **written(scores=[by_pattern], prompt="?"))
    assert signature_of(plugin).libraries.keys() == {"google-re2"}


def test_its_endpoint_can_be_checked_beforehand() -> None:
    metric = a_judge()

    metric.respondents[0].check(allow_private=True)
    with pytest.raises(NotAllowed):
        metric.respondents[0].check(allow_private=False)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"model": None}, "give either model or models"),
        ({"models": [JUDGE], "model": JUDGE}, "give either model or models"),
        ({"models": []}, "models"),
        ({"model": {"type": "recorded", "output": "x"}}, "unknown parameter"),
        ({"model": {"type": "openai", "url": "http://x", "modle": "small"}}, "modle"),
        ({"model": JUDGE | {"url": "nowhere"}}, "model 'judge-1': url"),
        ({"model": JUDGE | {"prompt": "x"}}, "prompt belongs to the metric"),
        ({"model": JUDGE | {"api_key_secret": "sk-123"}}, "api_key_secret"),
        ({"model": JUDGE | {"inference": {"temperature": 3}}}, "inference.temperature"),
        ({"model": {"type": "opneai"}}, "did you mean 'openai'"),
        ({"scores": []}, "scores"),
        ({"scores": [STARS | {"name": "Stars"}]}, "name"),
        ({"scores": [STARS | {"minimum": 5}]}, "minimum must be less than maximum"),
        ({"scores": [STARS, STARS]}, "two scores have the same name"),
        ({"scores": [TONE | {"rubric": [TONE["rubric"][0]]}]}, "rubric"),
        ({"scores": [TONE | {"rubric": [TONE["rubric"][0]] * 2}]}, "label stands twice"),
        (
            {"scores": [TONE | {"rubric": [{"label": x, "value": 1} for x in "ab"]}]},
            "value stands twice",
        ),
        (
            {"scores": [STARS | {"parser": {"type": "json", "json_path": "a"}}]},
            "needs a prompt",
        ),
        (
            {
                "scores": [
                    STARS | {"parser": {"type": "json", "json_path": "tone.a"}},
                    TONE,
                ],
                "prompt": "?",
            },
            "read from the same place",
        ),
        ({"scores": [STARS | {"parser": {"type": "xml"}}]}, "parser"),
        ({"prompt": "{{ item."}, "not a template"),
    ],
)
def test_what_makes_no_judge_is_refused(parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        a_judge(**parameters)


async def test_an_openai_judge_is_asked_with_its_schema_and_read() -> None:
    # given
    with OpenAIEndpoint() as endpoint:
        endpoint.behaviour = lambda _: says('{"explanation": "Right.", "stars": 5}')
        metric = a_judge(model=JUDGE | {"url": endpoint.url, "api_key_secret": "API_KEY"})
        ((question,),) = asked(metric, ROW)

        # when
        async with http_with("hush") as http:
            reply = await metric.respondents[0].ask(question, a_call(), HttpReach(http))

    # then
    (request,) = endpoint.asked
    assert request.body["response_format"]["type"] == "json_schema"
    assert request.body["temperature"] == 0
    assert request.headers["authorization"] == "Bearer hush"
    assert metric.score(Batch([ROW[0]], [ROW[1]], [[reply.sample]])).values == [[5.0]]


async def test_a_judge_behind_a_queue_is_given_the_schema_as_inference() -> None:
    # given
    metric = a_judge(model={"type": "amqp", "queue": "models.house"})
    ((question,),) = asked(metric, ROW)

    def answer(_: QueueRequest) -> bytes:
        return orjson.dumps({"output_text": 'I say {"stars": 2}'})

    reach = QueueReach(answer)

    # when
    reply = await metric.respondents[0].ask(question, a_call(), reach)

    # then
    sent: Any = reach.asked[0].body["inference"]
    assert sent["response_format"]["type"] == "json_schema"
    assert metric.respondents[0].needs_broker
    assert metric.score(Batch([ROW[0]], [ROW[1]], [[reply.sample]])).values == [[2.0]]
