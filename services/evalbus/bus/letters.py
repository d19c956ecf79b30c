"""What a message on the dead-letter queue says of how it came there."""

from dataclasses import dataclass

from evalbus.bus import headers
from evalbus.bus.base import Message


@dataclass(frozen=True, kw_only=True)
class Letter:
    queue: str
    reason: str
    detail: str


def dead_letter_of(message: Message) -> Letter:
    """Set aside by us with our reason, or by the broker itself, which only knows that it came back too often."""
    return Letter(
        queue=message.headers.get(headers.QUEUE, "unknown"),
        reason=message.headers.get(headers.REASON, "rejected_by_broker"),
        detail=message.headers.get(headers.DETAIL, ""),
    )
