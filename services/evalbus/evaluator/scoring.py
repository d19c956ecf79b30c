"""From the bytes of a chunk to the bytes of its scores: pure, so that it can run, and run again, anywhere."""

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import TypeVar

from evalbus.errors import Malformed
from evalbus.evaluator.frames import NOTHING_KNOWN, Progress
from evalbus.evaluator.plans import ready
from evalbus.evaluator.remarks import fitting
from evalbus.evaluator.rows import (
    ScoredRows,
    ScoreRows,
    question_given_rows,
    score_given_rows,
    score_rows,
)
from evalbus_schemas.chunks import ChunkRequested, ChunkScored

T = TypeVar("T")

Report = Callable[[Progress], None]
"""Told when the plan is ready, and before each step of each slice of rows."""


def score_chunk(
    body: bytes, *, evaluator: str = "", slice_rows: int = 0, report: Report | None = None
) -> bytes:
    """ChunkRequested in, ChunkScored out, both with their lines; a row scores the same in whatever chunk it lies.

    Where questions are wanted, a line of the answer has what live metrics ask about the row, by metric. Rows are
    scored in slices of `slice_rows`; 0 means as many at once as their pace allows. Raises Malformed for a wrong
    number of lines, Invalid for a plan that cannot be run here.
    """
    started = time.perf_counter()
    head, _, lines = body.partition(b"\n")
    request = ChunkRequested.model_validate_json(head)
    items = split_lines(lines, request.n_rows)
    plan = ready(request.plan, request.limits)
    score = _way(request)
    nothing_yet = NOTHING_KNOWN
    if request.wanted == "scores":
        nothing_yet = NOTHING_KNOWN._replace(
            n_columns=plan.n_columns, n_counted=plan.n_counted, n_truths=plan.n_truths
        )
    if report is not None:
        report(nothing_yet)
    done_rows: list[ScoredRows] = []
    samples: list[bytes] = []
    samples_room = request.limits.samples_bytes
    while (done := len(samples)) < request.n_rows:
        left = request.n_rows - done
        size = min(slice_rows, left) or plan.pace.next_slice(left, request.limits.row_seconds)
        with plan.pace.measured(size):
            scored = score(
                items[done : done + size],
                plan,
                request.limits,
                samples_room=samples_room,
                begin_step=_reporting(
                    report, nothing_yet._replace(rows_done=done, rows_at_work=size)
                ),
            )
        done_rows.append(scored.moved(done))
        samples += scored.samples
        samples_room -= sum(map(len, scored.samples))
    header = ChunkScored(
        job_id=request.job_id,
        job=request.job,
        workspace=request.workspace,
        chunk=request.chunk,
        n_rows=request.n_rows,
        scores=joined(scored.columns for scored in done_rows),
        errors=tuple(chain.from_iterable(scored.errors for scored in done_rows)),
        remarks=fitting(chain.from_iterable(scored.remarks for scored in done_rows)),
        counts=joined(scored.counts for scored in done_rows),
        truths=joined(scored.truths for scored in done_rows),
        signatures=() if request.wanted == "questions" else plan.signatures,
        seconds=time.perf_counter() - started,
        evaluator=evaluator,
    )
    return join_lines(header, samples)


def joined(parts: Iterable[Sequence[Sequence[T]]]) -> tuple[tuple[T, ...], ...]:
    """Columns out of the same columns of consecutive rows."""
    return tuple(tuple(chain.from_iterable(columns)) for columns in zip(*parts, strict=True))


def _way(request: ChunkRequested) -> ScoreRows:
    if request.wanted == "questions":
        return question_given_rows
    return score_rows if request.samples == "asked" else score_given_rows


def split_lines(lines: bytes, n_rows: int) -> list[bytes]:
    """One line for each row, an empty one for a row over the size limit; raises Malformed for another number."""
    rows = lines.split(b"\n")
    if len(rows) == n_rows + 1 and not rows[-1]:
        rows.pop()
    if len(rows) != n_rows:
        raise Malformed("wrong_row_count", f"{n_rows} rows announced, {len(rows)} lines found")
    return rows


def check_lines(body: bytes, n_rows: int) -> None:
    """The same test for a whole body, without taking it apart."""
    lines = body.count(b"\n")
    if lines != n_rows and not (lines == n_rows + 1 and body.endswith(b"\n")):
        raise Malformed("wrong_row_count", f"{n_rows} rows announced, {lines} lines found")


def join_lines(header: ChunkRequested | ChunkScored, lines: Sequence[bytes]) -> bytes:
    """A whole body; the other way round than `split_lines`."""
    return b"\n".join((header.model_dump_json().encode(), *lines))


def _reporting(report: Report | None, progress: Progress) -> Callable[[int], None]:
    def begin_step(step: int) -> None:
        if report is not None:
            report(progress._replace(step=step))

    return begin_step
