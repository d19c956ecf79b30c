"""How a loop that holds leases goes round: claim one, work on it beside the others and keep it meanwhile, claim the next."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

L = TypeVar("L")


async def work_on_claimed(
    claim: Callable[[], Awaitable[L | None]],
    work_on: Callable[[L], Coroutine[Any, Any, None]],
    *,
    at_once_max: int,
    wait: Callable[[], Awaitable[object]],
) -> None:
    """For ever; `wait` where nothing is there to claim. On cancellation whoever works gives its lease back."""
    places = asyncio.Semaphore(at_once_max)
    async with asyncio.TaskGroup() as works:
        while True:
            await places.acquire()
            lease = await claim()
            if lease is None:
                places.release()
                await wait()
                continue
            works.create_task(work_on(lease)).add_done_callback(lambda _: places.release())


@asynccontextmanager
async def held(renewing: Coroutine[Any, Any, None], *, name: str) -> AsyncGenerator[None]:
    """Renew a lease meanwhile: else who needs longer than it lasts would be taken for dead, and so would the next."""
    task = asyncio.create_task(renewing, name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
