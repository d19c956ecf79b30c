"""A command's event loop, and what a signal does to it."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from evalbus.cli.exits import Stopped

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run to the end; SIGINT and SIGTERM cancel the work, which cleans up, and then raise Stopped.

    A second signal ends the process at once: whoever sends it no longer wants to wait.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_until_signal(work))


async def _until_signal(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work())
    received: list[int] = []

    def stop(number: int) -> None:
        if received:
            os._exit(128 + number)
        received.append(number)
        task.cancel()

    for number in SIGNALS:
        # Windows has no such handlers; there Ctrl-C is asyncio's own.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if received:
            raise Stopped(received[0]) from None
        raise


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    # An extra of the server; a client does well without.
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
