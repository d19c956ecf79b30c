"""What arrives from evaluators and from the dead-letter queue, and how it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from evalbus.bus import codec
from evalbus.bus.base import Message, Outgoing
from evalbus.bus.detours import DeadLetterNote, note_of
from evalbus.errors import Malformed
from evalbus.logs import get_logger
from evalbus.store.ports import (
    DeadLetterStore,
    JobStore,
    Kept,
    LetterToKeep,
    ScoreStore,
)
from evalbus.store.tolerance import too_many_failed
from evalbus.telemetry import CHUNKS_KEPT, DEAD_LETTERS, ROWS_KEPT
from evalbus_schemas import cloudevents
from evalbus_schemas.base import Open
from evalbus_schemas.chunks import ChunkProgress, ChunkScored
from evalbus_schemas.scores import Count

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class KeepChunk:
    """A scored chunk counts once, however often it arrives; one of a job that has ended is let go."""

    scores: ScoreStore
    jobs: JobStore

    async def __call__(self, message: Message) -> Sequence[Outgoing]:
        chunk, lines = codec.parse_lines(message, ChunkScored, type=cloudevents.CHUNK_SCORED)
        kept = await self.scores.keep(chunk, lines.split(b"\n"))
        CHUNKS_KEPT.labels("kept" if kept.is_new else "absorbed").inc()
        if not kept.is_new:
            log.info("chunk.absorbed", job_id=str(chunk.job_id), chunk=chunk.chunk)
            return []
        ROWS_KEPT.inc(chunk.n_rows)
        if (reason := hopeless(kept)) is not None:
            await self.jobs.fail(chunk.job_id, code="too_many_failed_rows", message=reason)
        return []


def hopeless(kept: Kept) -> str | None:
    """Even if every row to come is scored, more rows have failed than the benchmark bears."""
    if kept.rows_total is None:
        return None
    return too_many_failed(
        failed=kept.rows_failed, of=kept.rows_total, ratio=kept.max_row_error_ratio
    )


@dataclass(frozen=True, kw_only=True)
class NoteProgress:
    scores: ScoreStore

    async def __call__(self, message: Message) -> Sequence[Outgoing]:
        progress = codec.parse(message, ChunkProgress, type=cloudevents.CHUNK_PROGRESS)
        await self.scores.note_progress(progress)
        return []


SET_ASIDE_MAX = 3
"""A chunk that could not be handled so often never will be: its job ends instead of being sent for ever."""


class _NamedChunk(Open):
    """What the first line of every message about a chunk says."""

    job_id: UUID
    chunk: Count


@dataclass(frozen=True, kw_only=True)
class KeepDeadLetter:
    """Every message that was set aside is kept; one about a chunk concerns its job as well."""

    dead_letters: DeadLetterStore
    scores: ScoreStore
    jobs: JobStore

    async def __call__(self, message: Message) -> Sequence[Outgoing]:
        note = note_of(message)
        await self.dead_letters.keep(
            LetterToKeep(
                queue=note.queue,
                reason=note.reason,
                detail=note.detail,
                type=message.type,
                message_id=message.id,
                attempts=message.attempt,
                headers=message.headers,
                body=message.body,
                body_bytes=message.body_bytes,
            )
        )
        DEAD_LETTERS.labels(note.reason).inc()
        log.warning("message.set_aside", queue=note.queue, reason=note.reason, detail=note.detail)
        if message.type in (cloudevents.CHUNK_REQUESTED, cloudevents.CHUNK_SCORED):
            await self._concern_its_job(message, note)
        return []

    async def _concern_its_job(self, message: Message, note: DeadLetterNote) -> None:
        try:
            named = codec.parse_json(message.body.partition(b"\n")[0], _NamedChunk)
        except Malformed:
            return
        if await self.scores.set_aside(named.job_id, named.chunk) < SET_ASIDE_MAX:
            return
        await self.jobs.fail(
            named.job_id,
            code="chunk_set_aside",
            message=f"chunk {named.chunk} was set aside {SET_ASIDE_MAX} times: {note.reason}:"
            f" {note.detail} (`evalbus dlq list` shows its messages)",
        )
