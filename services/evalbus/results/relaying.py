"""Publishing the outbox: every lifecycle event at least once, in order, always under the same id."""

import asyncio
from dataclasses import dataclass

from evalbus.bus import codec
from evalbus.bus.base import Bus, Outgoing
from evalbus.bus.topology import EVENTS
from evalbus.errors import TransientError
from evalbus.logs import get_logger
from evalbus.store.ports import EventStore, EventToPublish, Watcher

log = get_logger(__name__)

SOURCE = "evalbus/results"

EVENTS_AT_ONCE = 100
PAUSE_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Relaying:
    events: EventStore
    bus: Bus
    waiting: Watcher
    poll_seconds: float

    async def run(self) -> None:
        while True:
            try:
                if not await self._relay():
                    await self.waiting.wait(self.poll_seconds)
            except TransientError as error:
                log.warning("relaying.waits", error=str(error))
                await asyncio.sleep(PAUSE_SECONDS)

    async def _relay(self) -> bool:
        """True if there was something, and perhaps more."""
        events = await self.events.next_unpublished(limit=EVENTS_AT_ONCE)
        for event in events:
            # One after another: whoever listens sees a job start before it ends.
            await self.bus.publish(_outgoing(event))
        if events:
            await self.events.mark_published(events)
        return bool(events)


def _outgoing(event: EventToPublish) -> Outgoing:
    message = codec.encode(
        event.body,
        event.type,
        source=SOURCE,
        id=str(event.id),
        subject=event.body.job,
        correlation_id=event.body.correlation_id,
    )
    return Outgoing(
        message=message, exchange=EVENTS.name, key=event.routing_key, is_mandatory=False
    )
