"""The process in which rows are scored: it takes chunks from a socket until that is closed, and knows nothing else.

Started as `python -m evalbus.evaluator.child SOCKET_FD PARENT_PID EVALUATOR`.
"""

import ctypes
import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable

from evalbus.errors import Refused
from evalbus.evaluator.frames import (
    OUT_OF_MEMORY_EXIT,
    PROGRESS,
    PROGRESSED,
    READY,
    REFUSED,
    REPLY,
    REQUEST,
    SCORED,
    Progress,
    Request,
)
from evalbus.evaluator.scoring import score_chunk

PR_SET_PDEATHSIG = 1
OBJECTS_BEFORE_COLLECTION = 50_000


def main(arguments: list[str]) -> None:
    fd, parent_pid, evaluator = int(arguments[0]), int(arguments[1]), arguments[2]
    # Ctrl-C in a terminal reaches every process; what becomes of the work is the parent's decision.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(parent_pid)
    # A crash is reported by its signal; a core file of gigabytes for each would only fill the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # What is loaded now stays, and rows are freed by their reference counts: looking through them
    # for cycles after every few hundred objects would only cost time.
    gc.freeze()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    with socket.socket(fileno=fd) as parent:
        # A metric may fork; what it leaves running must not answer as well.
        os.register_at_fork(after_in_child=parent.close)
        try:
            _work(parent, evaluator)
        except ConnectionError:
            return  # the parent has lost interest
        except MemoryError:
            # Not in a plug-in, where it would have been a row's failure, but close to one.
            os._exit(OUT_OF_MEMORY_EXIT)


def _work(parent: socket.socket, evaluator: str) -> None:
    _send(parent, READY)
    while (head := _receive(parent, REQUEST.size)) is not None:
        request = Request(*REQUEST.unpack(head))
        body = _receive(parent, request.body_bytes)
        if body is None:
            return
        _limit_memory(request.memory_bytes)
        _answer(parent, body, request.slice_rows, evaluator)


def _answer(parent: socket.socket, body: bytes, slice_rows: int, evaluator: str) -> None:
    report = _reporting(parent, is_exact=slice_rows > 0)
    try:
        scored = score_chunk(body, evaluator=evaluator, slice_rows=slice_rows, report=report)
    except Refused as refusal:
        _send(parent, REFUSED, refusal.message.encode())
    else:
        _send(parent, SCORED, scored)


def _reporting(parent: socket.socket, *, is_exact: bool) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        # A chunk that is done in one go, as nearly all are, needs no signs of life once it has begun.
        is_ready_to_begin = progress.rows_at_work == 0
        if is_exact or is_ready_to_begin or (progress.rows_done > 0 and progress.step == 0):
            _send(parent, PROGRESSED, PROGRESS.pack(*progress))

    return report


def _send(parent: socket.socket, kind: bytes, payload: bytes = b"") -> None:
    parent.sendall(REPLY.pack(kind, len(payload)) + payload)


def _receive(parent: socket.socket, size: int) -> bytes | None:
    """So many bytes; None when the parent has closed its end, and nobody waits for an answer any more."""
    received = bytearray(size)
    view = memoryview(received)
    have = 0
    while have < size:
        count = parent.recv_into(view[have:])
        if count == 0:
            return None
        have += count
    return bytes(received)


def _limit_memory(memory_bytes: int) -> None:
    """A row that asks for more gets a MemoryError instead of the machine."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
    if soft != wanted:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))


def _die_with(parent_pid: int) -> None:
    """A closed socket is noticed between two chunks; this ends a row that never ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:
            sys.exit()  # the parent died before it could be bound to it


if __name__ == "__main__":
    main(sys.argv[1:])
