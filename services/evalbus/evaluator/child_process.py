"""The parent's end of one scoring child: hand it a chunk, hear how far it is, and notice when it is lost."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Self

from evalbus.errors import TransientError
from evalbus.evaluator.frames import (
    NOTHING_KNOWN,
    OUT_OF_MEMORY_EXIT,
    PROGRESS,
    PROGRESSED,
    REFUSED,
    REPLY,
    REQUEST,
    SCORED,
    Progress,
    Request,
)
from evalbus_schemas.chunks import RowLimits

START_SECONDS = 60.0
PLAN_SECONDS = 60.0
"""What making a plan ready may take: it imports libraries, and that is no row's fault."""
STOP_SECONDS = 1.0

# A plug-in has no business with the servers; what it might print or send away must not contain their passwords.
WITHHELD_PREFIXES = ("EVALBUS_", "PG")

LossCode = Literal["crashed", "overran", "out_of_memory"]


class ChildLost(Exception):
    """The child died, or had to be given up, with rows in hand."""

    def __init__(self, code: LossCode, how: str, progress: Progress) -> None:
        super().__init__(how)
        self.code: LossCode = code
        self.how = how
        self.progress = progress


class CannotRun(TransientError):
    """The plan needs something that this evaluator does not have; another one may."""


class ChildProcess:
    """A running child; it works on one chunk at a time."""

    def __init__(self, process: Process, channel: socket.socket) -> None:
        self._process = process
        self._channel = channel

    @classmethod
    async def start(cls, evaluator: str) -> Self:
        """Return when it waits for work; raises TransientError if it does not come up."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                process = await _spawn(theirs.fileno(), evaluator)
        except OSError as error:
            ours.close()
            raise TransientError(f"a scoring child cannot be started: {error}") from error
        except BaseException:
            ours.close()  # whoever was started all the same reads the end, and goes
            raise
        child = cls(process, ours)
        try:
            async with asyncio.timeout(START_SECONDS):
                await child._receive_reply()
        except (TimeoutError, ConnectionError) as error:
            await child.kill()
            raise TransientError(
                f"a scoring child does not start (exit code {process.returncode})"
            ) from error
        except BaseException:
            await child.kill()
            raise
        return child

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        return self._process.pid

    async def score(
        self,
        body: bytes,
        *,
        slice_rows: int,
        limits: RowLimits,
        note: Callable[[Progress], None],
    ) -> bytes:
        """The chunk's scores. Raises ChildLost if it dies or shows no progress for as long as a row may take once the plan
        is ready, and CannotRun for a plan that it cannot run.

        Unless this returns or raises CannotRun, the child is of no further use.
        """
        request = Request(slice_rows, limits.child_memory_bytes, len(body))
        progress = NOTHING_KNOWN
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PLAN_SECONDS) as deadline:
                await loop.sock_sendall(self._channel, REQUEST.pack(*request))
                await loop.sock_sendall(self._channel, body)
                while True:
                    kind, payload = await self._receive_reply()
                    if kind != PROGRESSED:
                        break
                    progress = Progress(*PROGRESS.unpack(payload))
                    note(progress)
                    deadline.reschedule(loop.time() + limits.row_seconds)
        except TimeoutError:
            seconds = PLAN_SECONDS if progress == NOTHING_KNOWN else limits.row_seconds
            raise ChildLost("overran", f"took longer than {seconds:g} seconds", progress) from None
        except ConnectionError:
            raise await self._loss(progress) from None
        if kind == REFUSED:
            raise CannotRun(payload.decode())
        assert kind == SCORED, "a child answers with scores or a refusal"
        return payload

    async def kill(self) -> None:
        """Gone when this returns. Safe twice."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        self._channel.close()

    async def stop(self) -> None:
        """Ask it to go, by shutting its door; insist after a moment."""
        # Not closed before it is gone: somebody may still be waiting for an answer from there.
        with suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        await self.kill()

    async def _loss(self, progress: Progress) -> ChildLost:
        # The socket of a dying process is closed a moment before its exit code is known.
        try:
            async with asyncio.timeout(STOP_SECONDS):
                code = await self._process.wait()
        except TimeoutError:
            return ChildLost("crashed", "closed its connection", progress)
        if code == OUT_OF_MEMORY_EXIT:
            return ChildLost("out_of_memory", "needed more memory than it may have", progress)
        if code < 0:
            return ChildLost("crashed", f"was ended by {_signal_name(-code)}", progress)
        return ChildLost("crashed", f"ended with exit code {code}", progress)

    async def _receive_reply(self) -> tuple[bytes, bytes]:
        kind, size = REPLY.unpack(await self._receive(REPLY.size))
        return kind, await self._receive(size)

    async def _receive(self, size: int) -> bytes:
        """So many bytes; raises ConnectionError when the child has closed its end."""
        received = bytearray(size)
        view = memoryview(received)
        loop = asyncio.get_running_loop()
        have = 0
        while have < size:
            count = await loop.sock_recv_into(self._channel, view[have:])
            if count == 0:
                raise ConnectionResetError("the scoring child has closed its connection")
            have += count
        return bytes(received)


async def _spawn(fd: int, evaluator: str) -> Process:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(WITHHELD_PREFIXES)
    }
    # -P: a file in the current folder must not stand in for a module.
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "evalbus.evaluator.child",
        str(fd),
        str(os.getpid()),
        evaluator,
        pass_fds=(fd,),
        stdin=DEVNULL,
        stdout=DEVNULL,
        env=environment,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
