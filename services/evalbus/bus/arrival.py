"""What every adapter does to a message at the door, before a handler sees it."""

from dataclasses import replace

from evalbus.bus import headers
from evalbus.bus.base import Message
from evalbus.bus.topology import RPC_COMMANDS, RPC_QUERIES, START_QUEUE, Queue
from evalbus_schemas import cloudevents

BODY_BYTES_KEPT = 64 * 1024
"""What is kept of a body over the limit, for the person who looks at the dead letter."""

IMPLIED_TYPES = {
    START_QUEUE.name: cloudevents.START_BENCHMARK,
    RPC_COMMANDS.name: cloudevents.RPC_REQUEST,
    RPC_QUERIES.name: cloudevents.RPC_REQUEST,
}
"""Where the address alone says what a message is, whoever sends it may leave out the CloudEvents headers."""


def arrived(message: Message, queue: Queue, *, key: str, body_bytes_max: int) -> Message:
    """The message as its handler gets it: typed, addressed as at first, its body cut if over the limit."""
    others = dict(message.headers)
    size = max(len(message.body), _number(others.pop(headers.BODY_BYTES, "")))
    return replace(
        message,
        type=message.type or IMPLIED_TYPES.get(queue.name, ""),
        routing_key=others.pop(headers.KEY, key),
        body=message.body
        if len(message.body) <= body_bytes_max
        else message.body[:BODY_BYTES_KEPT],
        body_bytes=size,
        headers=others,
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0
