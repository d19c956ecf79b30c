"""Between our messages and AMQP's: CloudEvents in binary mode, and whatever strangers put into a header."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from pamqp.common import FieldTable

from evalbus.bus import headers
from evalbus.bus.arrival import arrived
from evalbus.bus.base import Message
from evalbus.bus.rabbitmq.guard import UNREADABLE
from evalbus.bus.topology import DEAD_QUEUE, Queue
from evalbus.errors import Malformed
from evalbus_schemas import cloudevents

PERSISTENT = 2
TRANSIENT = 1

SHORT_BYTES_MAX = 255
"""What AMQP calls a short string: message id, correlation id, routing key."""
HEADER_BYTES_MAX = 4096
HEADERS_BYTES_MAX = 32 * 1024
"""All headers of a message share one frame of 128 KiB, and a larger frame costs the whole connection."""
ATTEMPT_MAX = 1_000_000
TRACEPARENT = "traceparent"

Headers = Mapping[str, Any]


def properties_of(message: Message, *, sender: str | None = None) -> Basic.Properties:
    """`sender` is the user of the connection; the broker refuses any other, so it is not taken from the message."""
    table: FieldTable = {
        **message.headers,
        f"{cloudevents.PREFIX}specversion": cloudevents.SPECVERSION,
        f"{cloudevents.PREFIX}id": message.id,
        f"{cloudevents.PREFIX}source": message.source,
        f"{cloudevents.PREFIX}type": message.type,
        headers.ATTEMPT: message.attempt,
    }
    if message.subject is not None:
        table[f"{cloudevents.PREFIX}subject"] = message.subject
    if message.time is not None:
        table[f"{cloudevents.PREFIX}time"] = message.time.isoformat()
    if message.traceparent is not None:
        table[TRACEPARENT] = message.traceparent
    expires = message.expires_seconds
    return Basic.Properties(
        headers=table,
        content_type=message.content_type,
        message_id=message.id,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        expiration=None if expires is None else str(max(1, int(expires * 1000))),
        delivery_mode=PERSISTENT if message.is_persistent else TRANSIENT,
        user_id=sender,
    )


def from_queue(delivered: DeliveredMessage, queue: Queue, *, body_bytes_max: int) -> Message:
    """The message as the queue's handler gets it. Never raises: what a header cannot tell is left out."""
    message = read(delivered)
    if queue == DEAD_QUEUE:
        note = _brokers_note(_table(delivered))
        message = replace(message, headers=note | message.headers)
    return arrived(message, queue, key=delivered.routing_key or "", body_bytes_max=body_bytes_max)


def read(delivered: DeliveredMessage) -> Message:
    """The message as it stands on the wire."""
    table = _table(delivered)
    properties = delivered.header.properties
    return Message(
        body=delivered.body,
        id=_attribute(table, "id", SHORT_BYTES_MAX) or properties.message_id or str(uuid4()),
        type=_attribute(table, "type", SHORT_BYTES_MAX) or "",
        content_type=properties.content_type or "",
        source=_attribute(table, "source") or "",
        subject=_attribute(table, "subject"),
        time=_moment(_attribute(table, "time")),
        correlation_id=properties.correlation_id,
        reply_to=properties.reply_to,
        traceparent=_text(table.get(TRACEPARENT)),
        sender=properties.user_id,
        attempt=_attempt(table.get(headers.ATTEMPT)),
        is_persistent=properties.delivery_mode == PERSISTENT,
        routing_key=delivered.routing_key or "",
        body_bytes=len(delivered.body),
        headers=_others(table),
    )


def fault_of(delivered: DeliveredMessage) -> Malformed | None:
    """Why no handler can be given the message, if none can."""
    if UNREADABLE in _table(delivered):
        return Malformed("unreadable_headers", "its headers or properties cannot be decoded")
    return None


def _table(delivered: DeliveredMessage) -> Headers:
    return delivered.header.properties.headers or {}


# The broker's own notes about delays and deliveries mean nothing any more once a message is sent anew.
_NOT_KEPT = (*cloudevents.ACCEPTED_PREFIXES, "x-")
_READ_ELSEWHERE = frozenset({headers.ATTEMPT, TRACEPARENT, UNREADABLE})


def _others(table: Headers) -> dict[str, str]:
    """Text headers of no meaning to us, as far as there is room to send them on."""
    kept: dict[str, str] = {}
    room = HEADERS_BYTES_MAX
    for name, value in table.items():
        if name in _READ_ELSEWHERE or name.startswith(_NOT_KEPT):
            continue
        text = _text(value)
        if text is None:
            continue
        room -= len(name.encode()) + len(text.encode())
        if room >= 0:
            kept[name] = text
    return kept


def _attribute(table: Headers, name: str, bytes_max: int = HEADER_BYTES_MAX) -> str | None:
    for prefix in cloudevents.ACCEPTED_PREFIXES:
        text = _text(table.get(f"{prefix}{name}"), bytes_max)
        if text is not None:
            return text
    return None


def _text(value: object, bytes_max: int = HEADER_BYTES_MAX) -> str | None:
    """A header's text; None for a nested or a binary one, and for one that is too long to mean anything."""
    match value:
        case str():
            return value if len(value.encode()) <= bytes_max else None
        case bool() | int() | float():
            return str(value)
        case _:
            return None


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _attempt(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return min(max(value, 1), ATTEMPT_MAX)
    return 1


def _brokers_note(table: Headers) -> dict[str, str]:
    """Why a message lies among the dead letters that none of us put there."""
    deaths = table.get("x-death")
    match deaths:
        case [{"queue": str(queue), "reason": str(reason)}, *_]:
            return {
                headers.QUEUE: queue,
                headers.REASON: reason,
                headers.DETAIL: "set aside by the broker",
            }
        case _:
            return {}
