"""One thread that lives as long as the run, because a server must be started from such a thread.

The kernel sends a child its parent-death signal when the *thread* that started it ends, so a server started from a
passing worker thread would stop with that thread.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="servers", daemon=True).start()
    return loop


def run(work: Coroutine[Any, Any, T]) -> T:
    """Finish it on that thread; safe from a test with a loop of its own, which stands still meanwhile."""
    return asyncio.run_coroutine_threadsafe(work, _loop()).result()


def call(function: Callable[[], T]) -> T:
    """The same for a plain function that starts a process."""

    async def called() -> T:
        return function()

    return run(called())
