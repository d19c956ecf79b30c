"""The life of one delivered message: handled, its outputs published, and only then done with."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Protocol, assert_never

from structlog.contextvars import bound_contextvars

from evalbus.bus.base import Handler, Message, Outgoing
from evalbus.bus.detours import come_back, dead_letter
from evalbus.bus.policy import Pause, Retry, RetryPolicy, SetAside
from evalbus.bus.topology import Queue
from evalbus.errors import EvalbusError, Malformed, TransientError, Unavailable
from evalbus.logs import get_logger

log = get_logger(__name__)


class Publish(Protocol):
    async def __call__(self, *outgoing: Outgoing) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Settler:
    """Handles the messages of one queue, the same way on every bus."""

    queue: Queue
    handler: Handler
    policy: RetryPolicy
    publish: Publish

    async def settle(
        self,
        message: Message,
        *,
        fault: Malformed | None = None,
        comes_anyway: Callable[[], bool] = lambda: False,
    ) -> Pause | None:
        """Return when the message may be acknowledged; a Pause asks the subscription to rest.

        `fault` is what is wrong with a message that no handler can be given; `comes_anyway` tells whether the
        connection that it came on is lost: then a failure is no reason to send it once more. Whatever this
        raises, cancellation too, means that the message is not done with and must come back.
        """
        with bound_contextvars(
            queue=self.queue.name, message_id=message.id, type=message.type, attempt=message.attempt
        ):
            try:
                if fault is not None:
                    raise fault
                await self._publish_held(await self._outputs(message))
            except Exception as error:
                if comes_anyway():
                    # A copy beside it would have two handlers do the same at once.
                    log.warning("message.left_to_the_broker", error=_words(error))
                    return None
                return await self._answer(message, error)
            return None

    async def _outputs(self, message: Message) -> Sequence[Outgoing]:
        task = asyncio.current_task()
        assert task is not None, "a coroutine that runs is run by a task"
        cancellations = task.cancelling()
        try:
            return await self.handler(message)
        except asyncio.CancelledError:
            if task.cancelling() > cancellations:
                raise
            # Nobody cancelled us: a library lets a lost connection out as a cancellation.
            raise TransientError("the handler was cut off by a lost connection") from None

    async def _answer(self, message: Message, error: Exception) -> Pause | None:
        decision = self.policy.decide(error, attempt=message.attempt, queue=self.queue)
        # An error outside the tree is a bug, and whoever mends it needs to see where it came from.
        bug = None if isinstance(error, EvalbusError) else error
        match decision:
            case Retry(tier=tier):
                log.warning(
                    "message.failed", error=_words(error), again_in=tier.seconds, exc_info=bug
                )
                await self._publish_held(
                    [come_back(message, self.queue, tier, attempt=message.attempt + 1)]
                )
                return None
            case Pause(tier=tier):
                log.warning("message.postponed", error=_words(error), again_in=tier.seconds)
                await self._publish_held(
                    [come_back(message, self.queue, tier, attempt=message.attempt)]
                )
                return decision
            case SetAside(reason=reason):
                log.error("message.set_aside", reason=reason, error=_words(error), exc_info=bug)
                await self._publish_held([dead_letter(message, self.queue, decision)])
                return None
            case _:
                assert_never(decision)

    async def _publish_held(self, outputs: Sequence[Outgoing]) -> None:
        """Publish, and go on trying while the bus does not take it.

        The work is done and the message is in hand: to give it back would only do the work again.
        """
        started = monotonic()
        while outputs:
            try:
                await self.publish(*outputs)
                break
            except Unavailable as error:
                log.warning(
                    "outputs.held", error=str(error), seconds=round(monotonic() - started, 1)
                )


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, EvalbusError) else type(error).__name__
