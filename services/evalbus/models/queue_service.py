"""Whoever takes requests off a queue and replies to their sender, be it a model or a metric."""

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AfterValidator, Field, ValidationError

from evalbus.models.answers import Garbage, json_object
from evalbus.models.base import Call, CallFailed, Reach
from evalbus.models.call_logs import logged_text
from evalbus.models.statuses import bounded_pause, one_line
from evalbus.validation import describe
from evalbus_schemas.base import JsonObject
from evalbus_schemas.model_service import ModelError

JOB_HEADER: Final = "evalbus-job"
ROW_HEADER: Final = "evalbus-row"

RESERVED_PREFIXES: Final = ("evalbus.", "amq.")


def _not_reserved(queue: str) -> str:
    if queue.startswith(RESERVED_PREFIXES):
        raise ValueError(
            f"queues that begin with {' or '.join(RESERVED_PREFIXES)} belong to the system"
        )
    if len(queue.encode()) > 255:
        raise ValueError("a queue's name has at most 255 bytes")
    return queue


QueueName = Annotated[
    str,
    Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f]*$"),
    AfterValidator(_not_reserved),
]


@dataclass(frozen=True, kw_only=True)
class QueueService:
    """One queue that requests are sent to; they have the call's id, and expire with its row."""

    queue: QueueName
    request_type: str
    """Of its messages, as in evalbus_schemas.cloudevents."""

    @property
    def place(self) -> str:
        """For sentences."""
        return f"queue {self.queue}"

    @property
    def endpoint(self) -> str:
        """What limits and outages go by."""
        return f"amqp:{self.queue}"

    async def ask(self, body: JsonObject, call: Call, reach: Reach, log: JsonObject) -> JsonObject:
        """The object that it replies with, which also goes into the log.

        Raises CallFailed for one with an error in it, and Garbage for what is no object.
        """
        answer = await reach.ask_queue(
            self.queue,
            body,
            type=self.request_type,
            message_id=call.id,
            headers={JOB_HEADER: call.job, ROW_HEADER: str(call.row)},
            traceparent=call.traceparent,
            expires_seconds=call.expires_seconds,
            timeout_seconds=call.timeout_seconds,
        )
        log |= {"response": logged_text(answer.body)}
        reply = json_object(answer.body, place=self.place)
        error = reply.get("error")
        if isinstance(error, dict):
            raise self._failure(error)
        return reply

    def _failure(self, error: JsonObject) -> CallFailed:
        try:
            found = ModelError.model_validate(error)
        except ValidationError as problem:
            said = "; ".join(describe(problem, ModelError))
            return Garbage(f"{self.place} answered with an error that makes no sense: {said}")
        pause = found.retry_after_s
        return CallFailed(
            found.code,
            one_line(f"{self.place} answered with an error: {found.message or found.code}"),
            is_retryable=found.retryable,
            retry_after_seconds=None if pause is None else bounded_pause(pause),
        )
