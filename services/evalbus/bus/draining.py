"""Stopping several subscriptions of one process."""

import asyncio
from collections.abc import Iterable

from evalbus.bus.base import Subscription


async def drain_all(subscriptions: Iterable[Subscription], timeout_seconds: float) -> None:
    """Drain them side by side, so that all together take no longer than one may."""
    async with asyncio.TaskGroup() as draining:
        for subscription in subscriptions:
            draining.create_task(subscription.drain(timeout_seconds))
