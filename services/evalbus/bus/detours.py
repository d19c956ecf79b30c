"""The messages that a failed one turns into: one that comes back later, or a dead letter that says why."""

from dataclasses import dataclass, replace

from evalbus.bus import headers
from evalbus.bus.base import Message, Outgoing
from evalbus.bus.policy import SetAside
from evalbus.bus.topology import DEAD, DelayTier, Queue


@dataclass(frozen=True, kw_only=True)
class DeadLetterNote:
    """Where a dead letter came from, and why it was set aside."""

    queue: str
    reason: str
    detail: str


def come_back(message: Message, queue: Queue, tier: DelayTier, *, attempt: int) -> Outgoing:
    """The same message, to be delivered to the same queue after the tier's delay."""
    return Outgoing(
        message=_marked(message, attempt=attempt, **{headers.KEY: message.routing_key}),
        exchange=tier.name,
        key=queue.name,
    )


def dead_letter(message: Message, queue: Queue, why: SetAside) -> Outgoing:
    """The same message with the note that `note_of` reads."""
    note = {
        headers.QUEUE: queue.name,
        headers.REASON: why.reason,
        headers.DETAIL: why.detail,
        headers.KEY: message.routing_key,
    }
    return Outgoing(
        message=_marked(message, attempt=message.attempt, **note),
        exchange=DEAD.name,
        key=queue.name,
    )


def note_of(message: Message) -> DeadLetterNote:
    """The note on a message of the dead-letter queue; words for what it does not say."""
    return DeadLetterNote(
        queue=message.headers.get(headers.QUEUE, ""),
        reason=message.headers.get(headers.REASON, "unknown"),
        detail=message.headers.get(headers.DETAIL, ""),
    )


def _marked(message: Message, *, attempt: int, **marks: str) -> Message:
    kept = message.headers | marks
    if message.body_bytes > len(message.body):
        kept[headers.BODY_BYTES] = str(message.body_bytes)
    # An expiry would let the message out of its delay early, and out of the dead letters for ever.
    return replace(message, attempt=attempt, headers=kept, expires_seconds=None, is_persistent=True)
