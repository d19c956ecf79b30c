"""A model that is itself a service behind a queue: it takes requests off it, and replies to whoever asked."""

import time
from collections.abc import Mapping, Sequence
from typing import Annotated

import orjson
from pydantic import AfterValidator, Field, ValidationError

from evalbus.models.answers import (
    Garbage,
    beginning,
    json_object,
    logged_object,
    logged_text,
    tokens,
)
from evalbus.models.base import OUTPUT_TEXT, Call, CallFailed, LiveModel, Reach, Reply
from evalbus.models.parameters import LiveParameters
from evalbus.models.prompts import Prompt, as_request
from evalbus.models.statuses import bounded_pause, one_line
from evalbus.templates import Template
from evalbus.validation import describe
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from evalbus_schemas.model_service import ModelError, ModelRequest

JOB_HEADER = "evalbus-job"
ROW_HEADER = "evalbus-row"

RESERVED_PREFIXES = ("evalbus.", "amq.")


def _not_reserved(queue: str) -> str:
    if queue.startswith(RESERVED_PREFIXES):
        raise ValueError(
            f"queues that begin with {' or '.join(RESERVED_PREFIXES)} belong to the system"
        )
    if len(queue.encode()) > 255:
        raise ValueError("a queue's name has at most 255 bytes")
    return queue


class Amqp(LiveModel):
    """Sends `{version, model, prompt | messages, inference}` and takes `{output_text, usage?}` or `{error}`.

    The message id is that of the call, the same at every attempt, so that the service may recognise a repeat; the
    message expires with its row. Its samples are `{"output_text": …, "response": …}`.
    """

    needs_broker = True

    class Parameters(LiveParameters):
        queue: Annotated[
            str,
            Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["models.house"]),
            AfterValidator(_not_reserved),
        ]
        model: Annotated[
            Annotated[str, Field(min_length=1, max_length=255)] | None,
            Field(description="What is sent as `model`; by default the name of the queue."),
        ] = None

    def __init__(self, parameters: Parameters, limits: RowLimits) -> None:
        self._prompt = Prompt(parameters, limits)
        self._queue = parameters.queue
        self._model = parameters.model or parameters.queue
        self._inference = parameters.inference.fields
        self.endpoint = f"amqp:{parameters.queue}"
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
            "queue": self._queue,
            "model": self._model,
            "inference": self._inference,
        }

    async def ask(self, request: JsonObject, call: Call, reach: Reach) -> Reply:
        asked = ModelRequest.model_validate_json(
            orjson.dumps({"model": self._model, "inference": self._inference} | request)
        )
        body: JsonObject = asked.model_dump(mode="json", exclude_none=True)
        log: JsonObject = {"queue": self._queue, "body": logged_object(body)}
        started = time.perf_counter()
        try:
            answer = await reach.ask_queue(
                self._queue,
                body,
                message_id=call.id,
                headers={JOB_HEADER: call.job, ROW_HEADER: str(call.row)},
                traceparent=call.traceparent,
                expires_seconds=call.expires_seconds,
                timeout_seconds=call.timeout_seconds,
            )
            log |= {"response": logged_text(answer.body)}
            return self._reply(answer.body, log)
        except CallFailed as failure:
            log |= {"error": failure.message}
            failure.log = log
            raise
        finally:
            log |= {"seconds": round(time.perf_counter() - started, 6)}

    def _reply(self, body: bytes, log: JsonObject) -> Reply:
        place = f"queue {self._queue}"
        match json_object(body, place=place):
            case {"error": dict(error)}:
                raise _failure(error, place)
            case {"output_text": str(text)} as response:
                usage = response.get("usage")
                return Reply(
                    sample={OUTPUT_TEXT: text, "response": response},
                    input_tokens=tokens(usage, "input_tokens"),
                    output_tokens=tokens(usage, "output_tokens"),
                    log=log,
                )
            case _:
                raise Garbage(
                    f"{place} answered with neither output_text nor error: {beginning(body)!r}"
                )


def _failure(error: JsonObject, place: str) -> CallFailed:
    try:
        found = ModelError.model_validate(error)
    except ValidationError as problem:
        said = "; ".join(describe(problem, ModelError))
        return Garbage(f"{place} answered with an error that makes no sense: {said}")
    pause = found.retry_after_s
    return CallFailed(
        found.code,
        one_line(f"{place} answered with an error: {found.message or found.code}"),
        is_retryable=found.retryable,
        retry_after_seconds=None if pause is None else bounded_pause(pause),
    )
