"""What has to be looked after when nobody asks for it."""

from typing import Protocol
from uuid import UUID

UNCONFIRMED_SECONDS = 90.0
"""The bus gives up publishing before that, so a producer that took a chunk and is silent about it is dead."""


class UpkeepStore(Protocol):
    async def overdue_to_pending(
        self, *, overdue_seconds: float, unconfirmed_seconds: float = UNCONFIRMED_SECONDS
    ) -> int:
        """Chunks in flight without a sign of life wait for a place again; the delay doubles with each sending.

        Those that the bus never confirmed were lost with the producer that took them, and wait for less.
        """
        ...

    async def in_flight_to_pending(self) -> int:
        """The bus lost what was on it: every chunk in flight waits for a place again."""
        ...

    async def free_leases(self) -> None:
        """Whoever held one is known to be gone: jobs are read on at once, and exports begun anew."""
        ...

    async def reclaim(self, *, rows_max: int) -> bool:
        """Free the space of deleted jobs, so many rows at a time; False when there is nothing left to free."""
        ...

    async def forget(self, *, event_days: int, answer_days: int) -> None:
        """Drop what retention no longer keeps, and prepare the partitions of the coming month."""
        ...

    async def broker_away(self, service: UUID) -> None:
        """This service cannot reach the broker; to be said again every few seconds, as long as it is so."""
        ...

    async def broker_back(self, service: UUID) -> None:
        """It can again, or has stopped looking."""
        ...

    async def settle(self) -> None:
        """Jobs that pause or end gently stand still or end once nothing of them is in flight."""
        ...

    async def end_overdue(self) -> None:
        """Jobs beyond their deadline end in error."""
        ...
