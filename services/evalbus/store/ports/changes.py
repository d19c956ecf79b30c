"""Hearing that there is something to do."""

from contextlib import AbstractContextManager
from typing import Literal, Protocol

Topic = Literal["work", "final", "events", "jobs", "exports"]
"""There is something to read or to send; a job is whole; an event waits; a job has ended; an export waits."""


class Watcher(Protocol):
    async def wait(self, timeout_seconds: float) -> None:
        """Return when something has happened since the last wait, or after the timeout.

        A wake-up may be missed or be for nothing: whoever waits looks again in any case.
        """
        ...


class Changes(Protocol):
    def watch(self, topic: Topic) -> Watcher:
        """For as long as the process lives."""
        ...

    def watching(self, topic: Topic) -> AbstractContextManager[Watcher]:
        """For as long as the context is open."""
        ...
