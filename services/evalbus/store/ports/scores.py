"""Keeping what evaluators made of chunks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from evalbus_schemas.chunks import ChunkProgress, ChunkScored


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What became of a scored chunk."""

    is_new: bool
    """False: it was there already, or its job has ended; nothing was changed."""
    is_last: bool = False
    rows_failed: int = 0
    rows_done: int = 0
    rows_total: int | None = None
    max_row_error_ratio: float | None = None


class ScoreStore(Protocol):
    async def keep(self, chunk: ChunkScored, samples: Sequence[bytes]) -> Kept:
        """Store every row of a chunk. Raises UnknownJob, or Malformed if it does not fit its job."""
        ...

    async def set_aside(self, job_id: UUID, chunk: int) -> int:
        """A message of the chunk could not be handled: it is sent again. How often that was so; 0 if it is scored."""
        ...

    async def note_progress(self, progress: ChunkProgress) -> None:
        """A sign of life; nothing if the chunk is not in flight."""
        ...
