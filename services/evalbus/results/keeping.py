"""What arrives from evaluators and from the dead-letter queue, and how it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from evalbus.bus import codec
from evalbus.bus.base import Message, Outgoing
from evalbus.bus.detours import note_of
from evalbus.logs import get_logger
from evalbus.store.base import DeadLetterStore, JobStore, Kept, LetterToKeep, ScoreStore
from evalbus.telemetry import CHUNKS_KEPT, DEAD_LETTERS, ROWS_KEPT
from evalbus_schemas import cloudevents
from evalbus_schemas.chunks import ChunkProgress, ChunkScored

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
    ratio = kept.max_row_error_ratio
    if ratio is None or kept.rows_total is None or kept.rows_failed <= ratio * kept.rows_total:
        return None
    return (
        f"{kept.rows_failed} of {kept.rows_total} rows failed, "
        f"more than max_row_error_ratio {ratio:g}"
    )


@dataclass(frozen=True, kw_only=True)
class NoteProgress:
    scores: ScoreStore

    async def __call__(self, message: Message) -> Sequence[Outgoing]:
        progress = codec.parse(message, ChunkProgress, type=cloudevents.CHUNK_PROGRESS)
        await self.scores.note_progress(progress)
        return []


@dataclass(frozen=True, kw_only=True)
class KeepDeadLetter:
    dead_letters: DeadLetterStore

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
        return []
