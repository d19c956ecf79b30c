"""What evalbus needs of a message bus: confirmed publishing, at-least-once delivery, and asking for a reply.

The promises, kept by every adapter and tested in tests/conformance:

- `publish` returns when every message is safe in every queue it is routed to, and raises otherwise; a message may
  then have been delivered all the same, so whoever receives it must bear to see it twice.
- A handler takes a message and returns messages. They are published first, then the message is acknowledged; a
  handler that is cut off anywhere sees its message again.
- What a handler raises is answered in one place (policy.py): again later, or set aside with its reason.
- At most `prefetch` messages of one subscription are in hand at once.
- Nothing is lost when the connection is; a subscription goes on by itself once the bus is back.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, Self

from evalbus.bus.topology import Queue


@dataclass(frozen=True, kw_only=True)
class Message:
    """Bytes with the CloudEvents attributes that describe them, as they arrived or are to be sent."""

    body: bytes
    id: str
    type: str
    content_type: str
    source: str = ""
    subject: str | None = None
    time: datetime | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    traceparent: str | None = None
    attempt: int = 1
    """1 at the first delivery; grows each time the message comes back after a failure."""
    expires_seconds: float | None = None
    is_persistent: bool = True
    sender: str | None = None
    """Who sent it, as the broker has checked it; None if it was not said."""
    routing_key: str = ""
    """How an arrived message was addressed."""
    body_bytes: int = 0
    """Its size as it arrived: more than `len(body)` if the body was cut for being over the limit."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    """Whatever other text headers there were."""


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A message and where it goes: an exchange and a key, or back to whoever asked."""

    message: Message
    exchange: str
    key: str
    is_mandatory: bool = True
    """True: nobody there to receive it is an error (Unroutable). Events and replies are not mandatory."""


Handler = Callable[[Message], Awaitable[Sequence[Outgoing]]]


@dataclass(frozen=True, kw_only=True)
class BusHealth:
    """What readiness needs to know."""

    is_connected: bool
    idle_subscriptions: tuple[str, ...]
    """Queues that should be consumed and are not."""
    detail: str = ""

    @property
    def is_ready(self) -> bool:
        return self.is_connected and not self.idle_subscriptions


class Subscription(Protocol):
    """Messages of one queue are handled as long as this is open."""

    async def drain(self, timeout_seconds: float) -> None:
        """Take no more, and wait so long for what is in hand. Safe twice."""
        ...


class Bus(Protocol):
    async def __aenter__(self) -> Self:
        """Connect and declare the topology; raises Unavailable when the time for it is over."""
        ...

    async def __aexit__(self, *_: object) -> None: ...

    async def publish(self, *outgoing: Outgoing) -> None:
        """Return when all are confirmed; raises Unroutable, or Unavailable when it could not be known in time."""
        ...

    def subscribe(
        self, queue: Queue, handler: Handler, *, prefetch: int
    ) -> AbstractAsyncContextManager[Subscription]: ...

    async def ask(self, request: Outgoing, *, timeout_seconds: float) -> Message:
        """Publish with an address for the reply and return the reply; raises Unavailable after the timeout.

        A request that does not say when it expires does so then.
        """
        ...

    def listen(self, pattern: str) -> AbstractAsyncContextManager[AsyncIterator[Message]]:
        """Lifecycle events whose key matches (`*` one word, `#` any), from the moment of entering.

        Nobody keeps them for a listener that is away or too slow: what it missed stands in Postgres.
        """
        ...

    @property
    def health(self) -> BusHealth: ...


DataLost = Callable[[], Awaitable[None]]
"""Called when the bus comes up without its marker queue: whatever was on it is gone (or this is its first start).

It runs before anything can be published, so it must not publish itself; when it raises, it is called again.
"""
