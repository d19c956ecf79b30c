"""From the bytes of a chunk to the bytes of its scores: pure, so that it can run, and run again, anywhere."""

import time
from collections.abc import Callable, Sequence

from evalbus.errors import Malformed
from evalbus.evaluator.plans import ready
from evalbus.evaluator.rows import score_given_rows, score_rows
from evalbus_schemas.chunks import ChunkRequested, ChunkScored, ScoreError

Report = Callable[[int, int, int, int], None]
"""Told of the rows done, the rows at work on now, the step that begins (0 the model, n the nth metric), and how many
scores a row has."""


def score_chunk(
    body: bytes, *, evaluator: str = "", slice_rows: int = 0, report: Report | None = None
) -> bytes:
    """ChunkRequested in, ChunkScored out, both with their lines; a row scores the same in whatever chunk it lies.

    Rows are scored in slices of `slice_rows`; 0 means as many at once as their pace allows. Raises Malformed for a
    wrong number of lines, Invalid for a plan that cannot be run here.
    """
    started = time.perf_counter()
    head, _, lines = body.partition(b"\n")
    request = ChunkRequested.model_validate_json(head)
    items = split_lines(lines, request.n_rows)
    plan = ready(request.plan, request.limits)
    score = score_rows if request.samples == "asked" else score_given_rows
    columns: list[list[float | None]] = [[] for _ in range(plan.n_columns)]
    samples: list[bytes] = []
    errors: list[ScoreError] = []
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
                begin_step=_reporting(report, done, size, plan.n_columns),
            )
        samples += scored.samples
        samples_room -= sum(map(len, scored.samples))
        for whole, part in zip(columns, scored.columns, strict=True):
            whole += part
        errors += (_moved(error, done) for error in scored.errors)
    header = ChunkScored(
        job_id=request.job_id,
        job=request.job,
        workspace=request.workspace,
        chunk=request.chunk,
        n_rows=request.n_rows,
        scores=tuple(tuple(column) for column in columns),
        errors=tuple(errors),
        seconds=time.perf_counter() - started,
        evaluator=evaluator,
    )
    return join_lines(header, samples)


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


def _reporting(
    report: Report | None, done: int, size: int, n_columns: int
) -> Callable[[int], None]:
    def begin_step(step: int) -> None:
        if report is not None:
            report(done, size, step, n_columns)

    return begin_step


def _moved(error: ScoreError, rows: int) -> ScoreError:
    return error.model_copy(update={"row": error.row + rows}) if rows else error
