"""What becomes of a message whose handler failed: one answer for every adapter."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from evalbus.bus.topology import DEAD_QUEUE, TIERS, DelayTier, Queue
from evalbus.errors import (
    Malformed,
    PermanentError,
    TransientError,
    Unavailable,
    Unroutable,
)

DETAIL_CHARACTERS_MAX = 1000


@dataclass(frozen=True, kw_only=True)
class Retry:
    """The message comes back after the tier's delay, and has then been tried once more."""

    tier: DelayTier


@dataclass(frozen=True, kw_only=True)
class Pause:
    """A server is away: the message waits uncounted, and its subscription rests."""

    tier: DelayTier


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """The message goes to the dead letters; `reason` is one word for counting."""

    reason: str
    detail: str


Decision = Retry | Pause | SetAside


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Pure: the same failure at the same attempt is always answered alike."""

    attempts_max: int = 8
    tiers: Sequence[DelayTier] = TIERS

    def decide(self, error: Exception, *, attempt: int, queue: Queue) -> Decision:
        """What to do with a message of `queue` that failed at this attempt."""
        if isinstance(error, Unavailable):
            return Pause(tier=self.tiers[0])
        is_last = attempt >= self.attempts_max or not _may_help(error)
        # What lies among the dead letters has nowhere further to go.
        if is_last and queue != DEAD_QUEUE:
            return SetAside(reason=_reason(error), detail=_detail(error))
        return Retry(tier=self.tiers[min(max(attempt, 1), len(self.tiers)) - 1])


def _may_help(error: Exception) -> bool:
    """Whether the same message may succeed later: transient faults, bugs, and a queue that is being rebuilt."""
    return isinstance(error, (TransientError, Unroutable)) or not isinstance(error, PermanentError)


def _reason(error: Exception) -> str:
    match error:
        case Malformed():
            return error.reason
        case PermanentError():
            return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()
        case TransientError():
            return "attempts_exhausted"
        case _:
            return "handler_failed"


def _detail(error: Exception) -> str:
    match error:
        case Malformed():
            text = error.detail
        case PermanentError() | TransientError():
            text = str(error)
        case _:
            text = f"{type(error).__name__}: {error}"
    return text[:DETAIL_CHARACTERS_MAX]
