"""When a child is lost with rows in hand: which rows are tried again, how, and how it all becomes one answer."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from evalbus.errors import TransientError
from evalbus.evaluator.child_process import ChildLost
from evalbus.evaluator.given import parse_given
from evalbus.evaluator.remarks import fitting
from evalbus.evaluator.rows import MODEL_STEP, NO_SAMPLE, moved
from evalbus.evaluator.scoring import join_lines, joined, split_lines
from evalbus_schemas.chunks import ChunkRequested, ChunkScored, ScoreError


@dataclass(frozen=True, kw_only=True)
class Part:
    """Consecutive rows of a chunk that are scored together."""

    first: int
    count: int
    is_suspect: bool = False
    """True: score row by row, so that it is known which one the child was lost over."""

    @property
    def is_one_suspect(self) -> bool:
        return self.is_suspect and self.count == 1


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What is known of one part."""

    first: int
    scored: ChunkScored
    samples: Sequence[bytes]


def parts_after(part: Part, lost: ChildLost) -> list[Part]:
    """The rows of a part over which a child was lost, cut so that the one to blame stands alone in the end.

    Rows that were done before are taken to be good, and whatever was at work is suspected. Every part is either
    smaller than the one before or looked at more closely. Raises TransientError if no row was come to in time, though
    they were taken one by one: then it is the plan that does not get ready, and fewer rows do not help it.
    """
    done, at_work = lost.progress.rows_done, lost.progress.rows_at_work
    if at_work == 0 and not part.is_suspect:
        return [Part(first=part.first, count=part.count, is_suspect=True)]
    if at_work == 0:
        if lost.code == "overran":
            raise TransientError(f"a scoring child {lost.how} to get ready")
        # Row by row, and yet lost before the first of them.
        done, at_work = 0, max(1, part.count // 2)
    behind = done + at_work
    cut = (
        Part(first=part.first, count=done),
        Part(first=part.first + done, count=at_work, is_suspect=True),
        Part(first=part.first + behind, count=part.count - behind, is_suspect=part.is_suspect),
    )
    return [piece for piece in cut if piece.count > 0]


def part_body(request: ChunkRequested, lines: Sequence[bytes], part: Part) -> bytes:
    """The part as a chunk of its own."""
    behind = part.first + part.count
    header = request.model_copy(
        update={
            "first_row": request.row_index(part.first),
            "n_rows": part.count,
            "rows": None if request.rows is None else request.rows[part.first : behind],
        }
    )
    return join_lines(header, list(lines[part.first : behind]))


def scored_piece(part: Part, body: bytes) -> Piece:
    head, _, lines = body.partition(b"\n")
    scored = ChunkScored.model_validate_json(head)
    return Piece(first=part.first, scored=scored, samples=split_lines(lines, part.count))


def blamed_piece(
    request: ChunkRequested, line: bytes, part: Part, lost: ChildLost, *, evaluator: str
) -> Piece:
    """The one row that a child was lost over: failed and without scores; a sample that came with it is kept.

    Raises TransientError if the child was lost before it came to any row: then no row is to blame.
    """
    assert part.count == 1, "only a row that stood alone is blamed"
    step, n_columns = lost.progress.step, lost.progress.n_columns
    if lost.progress.rows_at_work == 0:
        raise TransientError(f"a scoring child {lost.how} before it came to the rows")
    metric = None if step == MODEL_STEP else request.plan.metrics[step - 1].name
    error = ScoreError(
        row=0,
        metric=metric,
        stage="sample" if metric is None else "metric",
        code=lost.code,
        message=f"the scoring child {lost.how}",
        failed=True,
    )
    scored = ChunkScored(
        job_id=request.job_id,
        job=request.job,
        workspace=request.workspace,
        chunk=request.chunk,
        n_rows=1,
        scores=((None,),) * n_columns,
        errors=(error,),
        counts=((None,),) * lost.progress.n_counted,
        truths=((None,),) * lost.progress.n_truths,
        seconds=0.0,
        evaluator=evaluator,
    )
    # Somebody may have paid for it, and other metrics may score it yet.
    is_kept = metric is not None and request.samples == "given"
    sample = parse_given(line).sample if is_kept else NO_SAMPLE
    return Piece(first=part.first, scored=scored, samples=(sample,))


def merged(
    request: ChunkRequested, pieces: Sequence[Piece], *, evaluator: str, started: float
) -> bytes:
    """One answer for the whole chunk, as if it had been scored in one go."""
    ordered = sorted(pieces, key=lambda piece: piece.first)
    header = ChunkScored(
        job_id=request.job_id,
        job=request.job,
        workspace=request.workspace,
        chunk=request.chunk,
        n_rows=request.n_rows,
        scores=joined(piece.scored.scores for piece in ordered),
        errors=tuple(
            moved(error, piece.first) for piece in ordered for error in piece.scored.errors
        ),
        remarks=fitting(
            moved(remark, piece.first) for piece in ordered for remark in piece.scored.remarks
        ),
        counts=joined(piece.scored.counts for piece in ordered),
        truths=joined(piece.scored.truths for piece in ordered),
        signatures=max((piece.scored.signatures for piece in ordered), key=len),
        seconds=time.perf_counter() - started,
        evaluator=evaluator,
    )
    return join_lines(header, [sample for piece in ordered for sample in piece.samples])
