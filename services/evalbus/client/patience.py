"""Asking on while the servers are away: a restart of theirs ends nothing that goes on by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from evalbus.errors import Unavailable

T = TypeVar("T")

PAUSE_SECONDS = 1.0


async def asked_on(ask: Callable[[], Awaitable[T]], *, away_seconds: float) -> T:
    """The answer of `ask`, which bears being called again; raises Unavailable after so long without one."""
    clock = asyncio.get_running_loop().time
    away_until = clock() + away_seconds
    while True:
        try:
            return await ask()
        except Unavailable:
            if clock() >= away_until:
                raise
            await asyncio.sleep(PAUSE_SECONDS)
