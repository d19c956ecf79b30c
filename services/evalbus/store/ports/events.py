"""What other services may hear of jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from evalbus_schemas.events import BenchmarkEvent, LifecycleVerb
from evalbus_schemas.queries import EventPage, ListEvents


@dataclass(frozen=True, kw_only=True)
class EventToPublish:
    event_no: int
    id: UUID
    type: str
    routing_key: str
    body: BenchmarkEvent


class EventStore(Protocol):
    async def add(self, verb: LifecycleVerb, event: BenchmarkEvent, *, id: str) -> None:
        """An event that no change of a job goes with: a rejection. The same id is the same event."""
        ...

    async def next_unpublished(self, *, limit: int) -> Sequence[EventToPublish]:
        """In order, each with its sequence, which it keeps when it is asked for again."""
        ...

    async def mark_published(self, events: Sequence[EventToPublish]) -> None: ...

    async def list(self, query: ListEvents) -> EventPage: ...
