"""What tests of a bus say often: a message, where it goes, who gets it, and that something becomes true."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from evalbus.bus.base import Message, Outgoing
from evalbus.bus.topology import COMMANDS, START_KEY, Queue
from evalbus_schemas.cloudevents import JSON, START_BENCHMARK

_numbers = count(1)


def a_message(body: bytes = b"{}", **changes: Any) -> Message:
    """A StartBenchmark of no content, under an id of its own."""
    message = Message(
        body=body,
        id=f"message-{next(_numbers)}",
        type=START_BENCHMARK,
        content_type=JSON,
        source="/tests",
    )
    return replace(message, **changes)


def to_start(message: Message) -> Outgoing:
    return Outgoing(message=message, exchange=COMMANDS.name, key=START_KEY)


def to(queue: Queue, message: Message) -> Outgoing:
    return Outgoing(message=message, exchange=queue.exchange.name, key=queue.key)


async def eventually(fact: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Return once it holds; raises TimeoutError when it never does."""
    async with asyncio.timeout(seconds):
        while not fact():  # noqa: ASYNC110  # a fact has no event to wait for
            await asyncio.sleep(0.01)


class Inbox:
    """A handler that keeps what it is given, and fails as often as it is told to."""

    def __init__(self, *failures: Exception | None) -> None:
        self.messages: list[Message] = []
        self._failures = list(failures)

    async def __call__(self, message: Message) -> Sequence[Outgoing]:
        self.messages.append(message)
        failure = self._failures.pop(0) if self._failures else None
        if failure is not None:
            raise failure
        return []

    @property
    def ids(self) -> list[str]:
        return [message.id for message in self.messages]

    async def holds(self, number: int, *, seconds: float = 10.0) -> list[Message]:
        """All messages, once there are so many."""
        await eventually(lambda: len(self.messages) >= number, seconds=seconds)
        return self.messages
