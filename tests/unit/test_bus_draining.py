"""Several subscriptions are drained side by side."""

import asyncio

from evalbus.bus.draining import drain_all


class WaitingForTheOther:
    """Is drained once the other one drains as well."""

    def __init__(self, both: asyncio.Barrier) -> None:
        self._both = both

    async def drain(self, timeout_seconds: float) -> None:
        async with asyncio.timeout(timeout_seconds):
            await self._both.wait()


async def test_nobody_waits_until_another_is_drained() -> None:
    both = asyncio.Barrier(2)

    await drain_all([WaitingForTheOther(both), WaitingForTheOther(both)], 5.0)

    assert both.n_waiting == 0
