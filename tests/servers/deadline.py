"""Waiting for a fact, with a deadline and the reason why it did not come."""

import time
from collections.abc import Callable

PAUSE_SECONDS = 0.02


def wait_until(
    fact: Callable[[], bool], *, timeout_seconds: float, otherwise: Callable[[], str]
) -> None:
    """Return once `fact()` holds; raises TimeoutError with the words of `otherwise()` when it never does."""
    end = time.monotonic() + timeout_seconds
    while not fact():
        if time.monotonic() > end:
            raise TimeoutError(f"after {timeout_seconds:g} s: {otherwise()}")
        time.sleep(PAUSE_SECONDS)
