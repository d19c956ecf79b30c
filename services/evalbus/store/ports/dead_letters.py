"""Messages that nobody could handle."""

from dataclasses import dataclass
from typing import Protocol

from evalbus_schemas.queries import DeadLetterPage, DeadLetterShown, ListDeadLetters


@dataclass(frozen=True, kw_only=True)
class LetterToKeep:
    """A message that was set aside; of a large body the beginning is kept."""

    queue: str
    reason: str
    detail: str
    type: str
    message_id: str
    attempts: int
    headers: dict[str, str]
    body: bytes
    body_bytes: int


class DeadLetterStore(Protocol):
    async def keep(self, letter: LetterToKeep) -> None:
        """Once, however often it is given."""
        ...

    async def list(self, query: ListDeadLetters) -> DeadLetterPage: ...

    async def show(self, id: int) -> DeadLetterShown:
        """Raises NotFound."""
        ...
