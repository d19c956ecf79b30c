"""Tasks that end with the thing that started them, and whose crash is never silent."""

import asyncio
from collections.abc import Coroutine

from evalbus.logs import get_logger

log = get_logger(__name__)


class Tasks:
    """Holds the running tasks of one owner.

    Not a TaskGroup: that one ends all its tasks when one fails, and one bad message must not end a bus.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Coroutine[None, None, None], *, name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def wait(self, timeout_seconds: float) -> None:
        """Until all have ended, or the time is over."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_seconds)

    async def cancel(self, *, timeout_seconds: float = 5.0) -> None:
        """End all; one that does not listen within the time is left alone. Safe twice."""
        for task in self._running:
            task.cancel()
        await self.wait(timeout_seconds)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task.crashed", task=task.get_name(), exc_info=error)
