"""The scoring children of one evaluator: started before there is work, replaced when they are lost."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Self

from evalbus.errors import TransientError
from evalbus.evaluator.child_process import CannotRun, ChildLost, ChildProcess
from evalbus.evaluator.frames import Progress
from evalbus.evaluator.isolation import (
    Part,
    Piece,
    blamed_piece,
    merged,
    part_body,
    parts_after,
    scored_piece,
)
from evalbus.evaluator.scoring import check_lines, split_lines
from evalbus.logs import get_logger
from evalbus_schemas.chunks import ChunkRequested

log = get_logger(__name__)

NoteRows = Callable[[int], None]
"""Told how many rows of the chunk are done."""


class ScoringChildren:
    """So many processes that score, one chunk each at a time; a chunk waits until one of them is free.

    A row over which a child is lost costs that row. All others of its chunk keep the scores that they would have had.
    """

    def __init__(self, workers: int, *, evaluator: str | None = None) -> None:
        self.workers = workers
        self.evaluator = evaluator or f"{socket.gethostname()}:{os.getpid()}"
        self._seats = [_Seat(self.evaluator) for _ in range(workers)]
        self._free: asyncio.Queue[_Seat] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        """Return when all of them wait for work; raises TransientError if they do not come up."""
        try:
            await asyncio.gather(*(seat.child() for seat in self._seats))
        except BaseException:
            # Those that are up already must not outlive a start that failed.
            await self.__aexit__()
            raise
        for seat in self._seats:
            self._free.put_nowait(seat)
        return self

    async def __aexit__(self, *_: object) -> None:
        async with asyncio.TaskGroup() as stopping:
            for seat in self._seats:
                stopping.create_task(seat.stop())

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the children that are there at the moment."""
        return tuple(seat.pid for seat in self._seats if seat.pid is not None)

    async def score(
        self, request: ChunkRequested, body: bytes, *, note_rows: NoteRows | None = None
    ) -> bytes:
        """The body of ChunkScored for the body of ChunkRequested, whose first line `request` is.

        Raises Malformed for a wrong number of lines, TransientError for a plan that cannot be run here.
        """
        note = note_rows or _ignore
        check_lines(body, request.n_rows)
        started = time.perf_counter()
        async with self._seat() as seat:
            whole = Part(first=0, count=request.n_rows)
            try:
                return await seat.score(request, body, whole, note)
            except ChildLost as lost:
                log.warning(
                    "child.lost", job_id=str(request.job_id), chunk=request.chunk, how=lost.how
                )
                lines = split_lines(body.partition(b"\n")[2], request.n_rows)
                pieces = await _score_apart(request, lines, parts_after(whole, lost), seat, note)
        return merged(request, pieces, evaluator=self.evaluator, started=started)

    @asynccontextmanager
    async def _seat(self) -> AsyncGenerator["_Seat"]:
        seat = await self._free.get()
        try:
            yield seat
        finally:
            self._free.put_nowait(seat)


class _Seat:
    """A place for one child; an empty one is filled when it is needed."""

    def __init__(self, evaluator: str) -> None:
        self.evaluator = evaluator
        self._child: ChildProcess | None = None
        self._is_closed = False

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    async def child(self) -> ChildProcess:
        if self._is_closed:
            raise TransientError("this evaluator has stopped")
        if self._child is not None and not self._child.is_alive:
            await self.empty()
        if self._child is None:
            started = await ChildProcess.start(self.evaluator)
            if self._is_closed:
                await started.kill()
                raise TransientError("this evaluator has stopped")
            self._child = started
        return self._child

    async def score(
        self, request: ChunkRequested, body: bytes, part: Part, note: NoteRows
    ) -> bytes:
        def note_progress(progress: Progress) -> None:
            note(part.first + progress.rows_done)

        child = await self.child()
        is_usable = False
        try:
            scored = await child.score(
                body,
                slice_rows=1 if part.is_suspect else 0,
                limits=request.limits,
                note=note_progress,
            )
            is_usable = True
        except CannotRun:
            is_usable = True
            raise
        finally:
            if not is_usable:
                await self.empty()
        return scored

    async def empty(self) -> None:
        """End the child, whatever it does; the next one starts with nothing in its memory."""
        if self._child is not None:
            child, self._child = self._child, None
            await child.kill()

    async def stop(self) -> None:
        """No child is here any more, and none will be."""
        self._is_closed = True
        if self._child is not None:
            child, self._child = self._child, None
            await child.stop()


async def _score_apart(
    request: ChunkRequested, lines: list[bytes], parts: list[Part], seat: _Seat, note: NoteRows
) -> list[Piece]:
    """Every part by itself, and smaller ones where a child is lost again, down to single rows."""
    pieces: list[Piece] = []
    waiting = list(reversed(parts))
    while waiting:
        part = waiting.pop()
        if part.is_one_suspect:
            await seat.empty()  # only a row that was alone with a new child is blamed
        try:
            body = await seat.score(request, part_body(request, lines, part), part, note)
        except ChildLost as lost:
            if part.is_one_suspect:
                pieces.append(
                    blamed_piece(request, lines[part.first], part, lost, evaluator=seat.evaluator)
                )
                log.warning(
                    "row.blamed",
                    job_id=str(request.job_id),
                    row=request.row_index(part.first),
                    code=lost.code,
                    how=lost.how,
                )
            else:
                waiting += reversed(parts_after(part, lost))
        else:
            pieces.append(scored_piece(part, body))
        note(part.first)
    return pieces


def _ignore(_rows: int) -> None:
    """Nobody wants to know."""
