"""Growing waits, and tasks whose crash is not silent."""

import asyncio
import logging

import pytest

from evalbus.bus.backoff import Backoff
from evalbus.bus.tasks import Tasks


def test_waits_double_up_to_the_most_and_begin_anew_after_a_success() -> None:
    backoff = Backoff(first_seconds=1, most_seconds=10)

    waits = [backoff.next_seconds() for _ in range(6)]
    backoff.reset()
    afterwards = backoff.next_seconds()

    for wait, whole in zip(waits, (1, 2, 4, 8, 10, 10), strict=True):
        assert 0.75 * whole <= wait <= whole
    assert afterwards <= 1


def test_no_number_of_tries_makes_a_wait_grow_beyond_its_most() -> None:
    backoff = Backoff(first_seconds=1, most_seconds=10)

    assert all(backoff.next_seconds() <= 10 for _ in range(5000))


async def test_a_task_that_crashes_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks()

    async def crash() -> None:
        raise KeyError("bug")

    with caplog.at_level(logging.ERROR):
        tasks.start(crash(), name="crash")
        await tasks.wait(1)

    assert "task.crashed" in caplog.text
    assert len(tasks) == 0


async def test_cancelling_tasks_does_not_wait_for_one_that_does_not_listen() -> None:
    tasks = Tasks()
    may_end = asyncio.Event()

    async def stubborn() -> None:
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                continue

    async def obedient() -> None:
        await asyncio.Event().wait()

    tasks.start(stubborn(), name="stubborn")
    tasks.start(obedient(), name="obedient")
    await asyncio.sleep(0)
    await tasks.cancel(timeout_seconds=0.05)

    assert len(tasks) == 1
    may_end.set()
    await tasks.wait(1)
