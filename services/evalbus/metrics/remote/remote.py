"""A metric that is somebody else's service behind an HTTP endpoint."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

from pydantic import Field

from evalbus.metrics.base import Batch, Columns, LiveMetric
from evalbus.metrics.json_path import JsonPath, JsonPathText
from evalbus.metrics.remote.body import Body
from evalbus.metrics.remote.declared_scores import DeclaredScore, DeclaredScores, columns_of
from evalbus.metrics.remote.requests import sendable
from evalbus.models.base import CacheMode, Call, Reach, Reply, Respondent
from evalbus.models.call_logs import logged_call, logged_object
from evalbus.models.http_service import HttpService, UrlText
from evalbus.outside.secret_names import SecretName
from evalbus.templates import Template
from evalbus_schemas.base import Closed, JsonObject
from evalbus_schemas.chunks import RowLimits

RESPONSE: Final = "response"
"""The field of a respondent's sample that has its whole answer."""


class ScoreParser(Closed):
    """How a score is found in the answer."""

    type: Literal["json"] = "json"
    json_path: JsonPathText


class RemoteScore(DeclaredScore):
    """A score, and where in the answer it stands."""

    parser: ScoreParser


class Remote(LiveMetric):
    """Posts each row to a service and takes the scores out of its JSON answer.

    The request is `body` with every text in it filled as a template; null is sent as null. True in an answer counts
    as 1 and false as 0. A score that the answer lacks (`no_value`), that is no number (`unparsable`), that is the text
    NaN or Infinity (`non_finite`) or lies outside of its range (`out_of_range`) is not a number, and the row's other
    scores stand. A bare NaN is no JSON: what is no JSON object, a status of 500 and more, or 408, 425 and 429 is asked
    again as often as the job's `max_retries` says, each time for `request_timeout` at most; after that, and at once
    with any other status, the row has failed.

    Evaluators of NeMo Agent Toolkit are asked with `body: {evaluator_name: …, item: "{{ item }}"}` and answer at
    `$.result.score`.

    >>> from evalbus.testing import score_row
    >>> plugin = {
    ...     "type": "remote",
    ...     "url": "https://scores.example/evaluate",
    ...     "body": {"answer": "{{ sample.output_text }}", "wanted": "{{ item.answer }}"},
    ...     "scores": [{"name": "helpful", "parser": {"json_path": "$.result.score"}}],
    ... }
    >>> score_row(plugin, item={"answer": "Paris"}, answers=[{"response": {"result": {"score": 0.75}}}])
    {'helpful': 0.75}
    """

    formula = (
        "The value at each score's `json_path` in the service's answer; true is 1, false is 0."
    )
    source = "The service at `url`; paths are singular queries of RFC 9535 (section 2.3.5.1)."

    class Parameters(Closed):
        url: Annotated[
            UrlText,
            Field(
                description="Where rows are posted to.",
                examples=["http://127.0.0.1:9000/evaluate"],
            ),
        ]
        body: Annotated[
            JsonObject,
            Field(
                description="What is posted; every text in it is a template, and a lone {{ item.field }} keeps its type.",
                examples=[{"answer": "{{ sample.output_text }}"}],
            ),
        ]
        scores: DeclaredScores[RemoteScore]
        api_key_secret: Annotated[SecretName | None, Field(exclude=True)] = None
        cache: Annotated[
            CacheMode,
            Field(
                exclude=True,
                description="Whether answers are kept for other jobs and taken from them; a service may change at any time.",
            ),
        ] = "off"

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        self._body = Body(parameters.body, limits)
        self._scores = parameters.scores
        self._paths = [JsonPath.parse(score.parser.json_path) for score in parameters.scores]
        self.scores = tuple(score.declaration for score in parameters.scores)
        self.respondents = (RemoteService(parameters),)

    def templates(self) -> Mapping[str, Template]:
        return self._body.templates()

    def questions(self, batch: Batch) -> Sequence[Sequence[JsonObject | None]]:
        return [(body,) for body in sendable(self._body.render_all(batch))]

    def score(self, batch: Batch) -> Columns:
        responses = [None if answer is None else answer[RESPONSE] for (answer,) in batch.answers]
        return columns_of(
            [
                [score.read(path.find(said), where=f" at {path.text}") for said in responses]
                for score, path in zip(self._scores, self._paths, strict=True)
            ]
        )


class RemoteService(Respondent):
    """The endpoint of a `remote` metric; its sample is `{"response": …}`."""

    price = None

    def __init__(self, parameters: Remote.Parameters) -> None:
        """Raises Invalid for a URL that cannot be."""
        self._service = HttpService.at(parameters.url, secret=parameters.api_key_secret)
        self.endpoint = self._service.endpoint
        self.cache = parameters.cache

    def check(self, *, allow_private: bool) -> None:
        self._service.check(allow_private=allow_private)

    def identity(self) -> JsonObject:
        return {"type": "remote", "url": self._service.url}

    async def ask(self, request: JsonObject, call: Call, reach: Reach) -> Reply:
        with logged_call(url=self._service.url, body=logged_object(request)) as log:
            response = await self._service.ask(request, call, reach, log)
            return Reply(sample={RESPONSE: response}, log=log)
