"""Tests of long waits: an event loop in which nobody waits."""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

STUCK_SECONDS = 10.0


class FastForward(asyncio.SelectorEventLoop):
    """When there is nothing to do now, it is at once the time at which there will be."""

    def __init__(self) -> None:
        self._selector_of_ours = _Impatient()
        super().__init__(self._selector_of_ours)

    def time(self) -> float:
        return self._selector_of_ours.seconds


class _Impatient(selectors.SelectSelector):
    """Counts the seconds that a loop would have slept."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            ready = super().select(STUCK_SECONDS)
            assert ready, "everybody waits for something that will never happen"
            return ready
        ready = super().select(0)
        if not ready:
            self.seconds += timeout
        return ready


def fast_forward(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an asynchronous test in such a loop; fixtures as usual, unless they are asynchronous."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Mapping[str, Any]) -> None:
        with asyncio.Runner(loop_factory=FastForward) as runner:
            runner.run(test(*arguments, **named))

    return run
