"""Between contracts and messages: encoding, and parsing once at the door."""

from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID, uuid4, uuid5

from pydantic import BaseModel, ValidationError

from evalbus.bus.base import Message
from evalbus.errors import Malformed
from evalbus.validation import describe
from evalbus_schemas import cloudevents

T = TypeVar("T", bound=BaseModel)

NAMESPACE = UUID("5f3f8f0e-3c0a-4b6e-9c57-6f1d1c0e7a11")


def stable_id(*parts: object) -> str:
    """The same id for the same thing, however often it is sent."""
    return str(uuid5(NAMESPACE, "/".join(str(part) for part in parts)))


def encode(
    contract: BaseModel,
    type: str,
    *,
    source: str,
    id: str | None = None,
    subject: str | None = None,
    lines: bytes | None = None,
    correlation_id: str | None = None,
    traceparent: str | None = None,
    expires_seconds: float | None = None,
    is_persistent: bool = True,
) -> Message:
    """A JSON message; with `lines` an NDJSON one whose first line is the contract."""
    head = contract.model_dump_json().encode()
    return Message(
        body=head if lines is None else head + b"\n" + lines,
        id=id or str(uuid4()),
        type=type,
        content_type=cloudevents.JSON if lines is None else cloudevents.NDJSON,
        source=source,
        subject=subject,
        time=datetime.now(UTC),
        correlation_id=correlation_id,
        traceparent=traceparent,
        expires_seconds=expires_seconds,
        is_persistent=is_persistent,
    )


def parse(message: Message, contract: type[T], *, type: str) -> T:
    """The message as its contract; raises Malformed with the reason that the dead letter will carry."""
    check_envelope(message, type)
    return parse_json(message.body, contract)


def parse_lines(message: Message, contract: type[T], *, type: str) -> tuple[T, bytes]:
    """The first line as its contract, and the lines after it as they came."""
    check_envelope(message, type)
    head, _, lines = message.body.partition(b"\n")
    return parse_json(head, contract), lines


def parse_json(body: bytes, contract: type[T]) -> T:
    try:
        return contract.model_validate_json(body)
    except ValidationError as error:
        kind = error.errors(include_input=False, include_url=False)[0]["type"]
        reason = "not_json" if kind == "json_invalid" else "invalid"
        raise Malformed(reason, "; ".join(describe(error, contract))) from None


def check_envelope(message: Message, type: str) -> None:
    """Raises Malformed for a body over the limit, another version, or another type altogether."""
    if message.body_bytes > len(message.body):
        raise Malformed("too_large", f"{message.body_bytes} bytes")
    if message.type == type:
        return
    wanted, found = type.rpartition(".v")[0], message.type.rpartition(".v")[0]
    if wanted == found:
        raise Malformed("wrong_version", f"wanted {type}, found {message.type}")
    raise Malformed("wrong_type", f"wanted {type}, found {message.type!r}")
