"""How alike two texts are to an embedding model: what it is asked, and what is made of its answer."""

import json
import math
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from evalbus.errors import Invalid, NotAllowed
from evalbus.metrics import Batch
from evalbus.metrics.vectors.embedding_similarity import EmbeddingSimilarity
from evalbus.models.base import Price
from evalbus.templates import RowsFailed
from evalbus_schemas.base import JsonObject
from tests.asking import HttpReach, http_with
from tests.metric_asking import failure, made, question, reply, scored, scored_once
from tests.servers.metric_services import embeds
from tests.servers.openai_endpoint import (
    Act,
    OpenAIEndpoint,
    fails,
    html,
    returns,
    throttles,
    unpacks_to,
)

ITEM: JsonObject = {"answer": "Paris"}
SAMPLE: JsonObject = {"output_text": "It is Paris."}


@pytest.fixture
def endpoint() -> Iterator[OpenAIEndpoint]:
    with OpenAIEndpoint() as started:
        yield started


@pytest.fixture
async def reach() -> AsyncGenerator[HttpReach]:
    async with http_with("key") as http:
        yield HttpReach(http)


def a_metric(endpoint: OpenAIEndpoint | None = None, **model: Any) -> EmbeddingSimilarity:
    url = "https://models.example/v1" if endpoint is None else endpoint.url
    parameters: dict[str, Any] = {"url": url, "model": "small-embedding"}
    return made(EmbeddingSimilarity, model=parameters | model, reference="{{ item.answer }}")


async def test_both_texts_are_asked_about_at_once_and_compared(
    endpoint: OpenAIEndpoint, reach: HttpReach
) -> None:
    # given
    endpoint.behaviour = lambda _: embeds([1, 1], [2, 0], tokens=9)
    metric = a_metric(endpoint, api_key_secret="API_KEY")

    # when
    answer = await reply(metric, reach, ITEM, SAMPLE)
    row = scored(metric, ITEM, SAMPLE, answer=answer.sample)

    # then
    assert row.values[0] == pytest.approx(math.sqrt(0.5), abs=1e-15)
    assert (answer.input_tokens, answer.output_tokens) == (9, None)
    (asked,) = endpoint.asked
    assert asked.path == "/v1/embeddings"
    assert asked.headers["authorization"] == "Bearer key"
    assert asked.body == {
        "model": "small-embedding",
        "input": ["It is Paris.", "Paris"],
        "encoding_format": "float",
    }


async def test_the_similarity_is_kept_and_not_the_vectors(
    endpoint: OpenAIEndpoint, reach: HttpReach
) -> None:
    # given
    endpoint.behaviour = lambda _: embeds([0.123456789] * 3072, [0.123456789] * 3072)

    # when
    answer = await reply(a_metric(endpoint), reach, ITEM, SAMPLE)

    # then
    assert answer.sample == {"similarity": 1.0}
    assert answer.log["status"] == 200
    assert len(json.dumps(answer.log)) < 1000


@pytest.mark.parametrize(
    ("item", "sample", "reason"),
    [
        ({"answer": None}, {"output_text": "a"}, "no_reference"),
        ({"answer": "a"}, {"output_text": None}, "no_candidate"),
        ({"answer": ""}, {"output_text": "a"}, "empty_text"),
        ({"answer": "a"}, {"output_text": " \n\u3000"}, "empty_text"),
    ],
)
def test_what_has_no_embedding_is_not_asked_about(
    item: JsonObject, sample: JsonObject, reason: str
) -> None:
    # given
    metric = a_metric()

    # then
    assert question(metric, item, sample) is None
    row = scored(metric, item, sample, answer=None)
    assert math.isnan(row.values[0])
    assert row.code == reason


def test_what_is_no_text_is_its_json() -> None:
    assert question(a_metric(), {"answer": {"b": 1, "a": [2]}}, {"output_text": 4}) == {
        "input": ["4", '{"a":[2],"b":1}']
    }


def test_half_a_surrogate_pair_fails_its_row_alone() -> None:
    with pytest.raises(RowsFailed) as raised:
        a_metric().questions(Batch([{"answer": "\ud800"}, ITEM], [SAMPLE] * 2))

    assert {row: error.code for row, error in raised.value.errors.items()} == {0: "unsendable"}


@pytest.mark.parametrize(
    ("vectors", "reason"),
    [(([1, 2], [1, 2, 3]), "unparsable"), (([0, 0], [1, 2]), "zero_vector")],
)
async def test_vectors_that_cannot_be_compared_are_no_score(
    endpoint: OpenAIEndpoint, reach: HttpReach, vectors: tuple[list[int], ...], reason: str
) -> None:
    # given
    endpoint.behaviour = lambda _: embeds(*vectors)

    # when
    row = await scored_once(a_metric(endpoint), reach, ITEM, SAMPLE)

    # then
    assert math.isnan(row.values[0])
    assert row.code == reason


@pytest.mark.parametrize(
    ("act", "code", "is_retryable"),
    [
        (embeds([1, 2]), "garbage", True),
        (embeds([1, 2], [1, 2], [1, 2]), "garbage", True),
        (embeds([1, 2], None), "garbage", True),
        (embeds([1, 2], [1, "2"]), "garbage", True),
        (embeds([1, 2], "AAAAAA=="), "garbage", True),
        (returns({"data": "none"}), "garbage", True),
        (returns({}), "garbage", True),
        (html(), "garbage", True),
        (Act(body=b'{"data": [{"embedding": [NaN]}, {"embedding": [1]}]}'), "garbage", True),
        (fails(500), "http_500", True),
        (throttles(), "http_429", True),
        (fails(400, "input is too long"), "http_400", False),
        (unpacks_to(10_000_000), "answer_too_large", False),
    ],
)
async def test_an_answer_that_is_none_says_whether_asking_again_may_help(
    endpoint: OpenAIEndpoint, reach: HttpReach, act: Act, code: str, is_retryable: bool
) -> None:
    # given
    endpoint.behaviour = lambda _: act

    # when
    failed = await failure(a_metric(endpoint), reach, ITEM, SAMPLE)

    # then
    assert (failed.code, failed.is_retryable) == (code, is_retryable)
    assert failed.log["error"] == failed.message


def test_answers_are_shared_and_depend_on_endpoint_and_model() -> None:
    # given
    models: list[dict[str, Any]] = [
        {},
        {"model": "large-embedding"},
        {"url": "https://models.example/v2"},
        {"price": {"input_per_million": 0.5}, "cache": "off"},
    ]

    # when
    respondents = [a_metric(**model).respondents[0] for model in models]

    # then
    identities = [json.dumps(respondent.identity()) for respondent in respondents]
    assert len(set(identities)) == 3
    assert identities[0] == identities[3]
    assert [respondent.cache for respondent in respondents] == ["on", "on", "on", "off"]
    assert respondents[0].price is None
    assert respondents[3].price == Price(input_per_million=0.5, output_per_million=0.0)


def test_an_endpoint_that_cannot_or_may_not_be_is_refused() -> None:
    with pytest.raises(Invalid, match=r"model\.url: wanted a base URL without"):
        a_metric(url="https://models.example/v1?key=1")
    with pytest.raises(ValidationError, match="modle"):
        made(EmbeddingSimilarity, modle={}, reference="a")
    with pytest.raises(NotAllowed):
        a_metric(url="http://169.254.169.254/v1").respondents[0].check(allow_private=False)


def test_rows_score_alone_as_in_company() -> None:
    # given
    metric = a_metric()
    items: list[JsonObject] = [ITEM, {"answer": None}, ITEM]
    answers: list[list[JsonObject | None]] = [
        [{"similarity": 1}],
        [None],
        [{"similarity": -0.25}],
    ]

    # when
    columns = metric.score(Batch(items, [SAMPLE] * 3, answers))

    # then
    assert [str(value) for value in columns.values[0]] == ["1.0", "nan", "-0.25"]
    assert {row: note.code for row, note in columns.notes.items()} == {1: "no_reference"}
    assert [list(column) for column in metric.score(Batch([], [])).values] == [[]]
