"""A model that is itself a service behind a queue: it takes requests off it, and replies to whoever asked."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import orjson
from pydantic import Field

from evalbus.models.answers import Garbage, beginning, tokens
from evalbus.models.base import OUTPUT_TEXT, Call, LiveModel, Reach, Reply
from evalbus.models.call_logs import logged_call, logged_object
from evalbus.models.parameters import LiveParameters
from evalbus.models.prompts import Prompt, as_request
from evalbus.models.queue_service import QueueName, QueueService
from evalbus.templates import Template
from evalbus_schemas import cloudevents
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.model_service import ModelRequest


class Amqp(LiveModel):
    """Sends `{version, model, prompt | messages, inference}` and takes `{output_text, usage?}` or `{error}`.

    The message id is that of the call, the same at every attempt, so that the service may recognise a repeat; the
    message expires with its row. Its samples are `{"output_text": …, "response": …}`.
    """

    needs_broker = True

    class Parameters(LiveParameters):
        queue: Annotated[QueueName, Field(examples=["models.house"])]
        model: Annotated[
            Annotated[str, Field(min_length=1, max_length=255)] | None,
            Field(description="What is sent as `model`; by default the name of the queue."),
        ] = None

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        self._prompt = Prompt(parameters, limits)
        self._service = QueueService(queue=parameters.queue, request_type=cloudevents.MODEL_REQUEST)
        self._model = parameters.model or parameters.queue
        self._inference = parameters.inference.fields
        self.endpoint = self._service.endpoint
        self.price = None if parameters.price is None else parameters.price.price
        self.cache = parameters.cache_mode

    def templates(self) -> Mapping[str, Template]:
        return self._prompt.templates()

    def requests(
        self, items: Sequence[JsonObject], samples: Sequence[JsonObject] | None = None
    ) -> list[JsonObject]:
        return [as_request(prompt) for prompt in self._prompt.render_all(items, samples)]

    def identity(self) -> JsonObject:
        return {
            "type": "amqp",
            "queue": self._service.queue,
            "model": self._model,
            "inference": self._inference,
        }

    async def ask(self, request: JsonObject, call: Call, reach: Reach) -> Reply:
        asked = ModelRequest.model_validate_json(
            orjson.dumps({"model": self._model, "inference": self._inference} | request)
        )
        body: JsonObject = asked.model_dump(mode="json", exclude_none=True)
        with logged_call(queue=self._service.queue, body=logged_object(body)) as log:
            response = await self._service.ask(body, call, reach, log)
            text = response.get("output_text")
            if not isinstance(text, str):
                said = beginning(orjson.dumps(response))
                raise Garbage(
                    f"{self._service.place} answered with neither output_text nor error: {said!r}"
                )
            usage = response.get("usage")
            return Reply(
                sample={OUTPUT_TEXT: text, "response": response},
                input_tokens=tokens(usage, "input_tokens"),
                output_tokens=tokens(usage, "output_tokens"),
                log=log,
            )
