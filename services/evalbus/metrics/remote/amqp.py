"""A metric that is somebody else's service behind a queue."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import orjson
from pydantic import Field, JsonValue

from evalbus.metrics.base import (
    UNPARSABLE,
    Batch,
    Columns,
    LiveMetric,
    Note,
    Remark,
)
from evalbus.metrics.remote.declared_scores import DeclaredScore, DeclaredScores, columns_of
from evalbus.models.answers import Garbage, beginning
from evalbus.models.base import CacheMode, Call, Reach, Reply, Respondent
from evalbus.models.call_logs import logged_call, logged_object
from evalbus.models.queue_service import QueueName, QueueService
from evalbus.templates import Template
from evalbus_schemas import cloudevents
from evalbus_schemas.base import Closed, JsonObject
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.metric_service import MetricRequest

SCORES: Final = "scores"
"""The field of the reply, and of a respondent's sample, that has them."""


class Amqp(LiveMetric):
    """Sends each row to a queue as `{version, item, sample, params}` and takes `{scores}` or `{error}` in reply.

    Each of the scores is `{name, value, label?, rationale?}`; label and rationale are kept with the row. Those that
    the benchmark does not declare are ignored. True counts as 1 and false as 0. A declared one that is missing or null
    (`no_value`), given more than once or no number (`unparsable`), the text NaN or Infinity (`non_finite`) or outside
    of its range (`out_of_range`) is not a number, and the row's other scores stand. An error says whether asking again
    may help; after the job's `max_retries` the row has failed.

    The message id is that of the call, the same at every attempt, so that the service may recognise a repeat; the
    message expires with its row.

    >>> from evalbus.testing import score_row
    >>> plugin = {"type": "amqp", "queue": "metrics.house", "scores": [{"name": "polite"}]}
    >>> score_row(plugin, item={}, answers=[{"scores": [{"name": "polite", "value": 0.5}]}])
    {'polite': 0.5}
    """

    formula = "The value that the service gives for each declared score; true is 1, false is 0."
    source = "The service behind `queue`."

    class Parameters(Closed):
        queue: Annotated[QueueName, Field(examples=["metrics.house"])]
        params: Annotated[
            JsonObject, Field(description="What is sent as `params`, the same with every row.")
        ] = {}
        scores: DeclaredScores[DeclaredScore]
        cache: Annotated[
            CacheMode,
            Field(
                exclude=True,
                description="Whether replies are kept for other jobs and taken from them; a service may change at any time.",
            ),
        ] = "off"

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        self._scores = parameters.scores
        self.scores = tuple(score.declaration for score in parameters.scores)
        self.respondents = (ScoringQueue(parameters),)

    def templates(self) -> Mapping[str, Template]:
        return {}

    def questions(self, batch: Batch) -> Sequence[Sequence[JsonObject | None]]:
        return [
            ({"item": item, "sample": sample},)
            for item, sample in zip(batch.items, batch.samples, strict=True)
        ]

    def score(self, batch: Batch) -> Columns:
        replies = [_by_name(answer) for (answer,) in batch.answers]
        columns = [
            [_value(score, reply.get(score.name, ())) for reply in replies]
            for score in self._scores
        ]
        remarks = {
            (row, place): remark
            for row, reply in enumerate(replies)
            for place, score in enumerate(self._scores)
            if (remark := _remark(reply.get(score.name, ()))) is not None
        }
        return columns_of(columns, remarks)


class ScoringQueue(Respondent):
    """The queue of an `amqp` metric; its sample is `{"scores": […]}`, as they were given."""

    needs_broker = True
    price = None

    def __init__(self, parameters: Amqp.Parameters) -> None:
        self._service = QueueService(
            queue=parameters.queue, request_type=cloudevents.METRIC_REQUEST
        )
        self._params = parameters.params
        self.endpoint = self._service.endpoint
        self.cache = parameters.cache

    def identity(self) -> JsonObject:
        return {"type": "amqp-metric", "queue": self._service.queue, "params": self._params}

    async def ask(self, request: JsonObject, call: Call, reach: Reach) -> Reply:
        asked = MetricRequest.model_validate(request | {"params": self._params})
        body: JsonObject = asked.model_dump(mode="json")
        with logged_call(queue=self._service.queue, body=logged_object(body)) as log:
            response = await self._service.ask(body, call, reach, log)
            scores = response.get(SCORES)
            if not isinstance(scores, list):
                said = beginning(orjson.dumps(response))
                raise Garbage(
                    f"{self._service.place} answered with neither scores nor error: {said!r}"
                )
            return Reply(sample={SCORES: scores}, log=log)


def _by_name(answer: JsonObject | None) -> dict[str, list[JsonObject]]:
    """What the service gave for each name, in its order; what has no name is left out."""
    given: dict[str, list[JsonObject]] = {}
    scores: JsonValue = None if answer is None else answer.get(SCORES)
    for score in scores if isinstance(scores, list) else ():
        if isinstance(score, dict) and isinstance(name := score.get("name"), str):
            given.setdefault(name, []).append(score)
    return given


def _value(score: DeclaredScore, given: Sequence[JsonObject]) -> float | Note:
    if len(given) > 1:
        return Note(code=UNPARSABLE, message=f"{score.name}: the answer has it {len(given)} times")
    return score.read(given[0].get("value") if given else None)


def _remark(given: Sequence[JsonObject]) -> Remark | None:
    if len(given) != 1:
        return None
    label = _text(given[0].get("label"))
    rationale = _text(given[0].get("rationale"))
    if label is None and rationale is None:
        return None
    return Remark(label=label, rationale=rationale)


def _text(said: JsonValue) -> str | None:
    """None for what is no text; how much of it is kept is decided where rows are scored."""
    return said if isinstance(said, str) else None
