"""Every exchange and queue, in one place. Arguments never change under a name: a change is a new name and a drain."""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, kw_only=True)
class Exchange:
    name: str
    type: Literal["direct", "topic", "fanout"]


@dataclass(frozen=True, kw_only=True)
class Queue:
    """A queue with the exchange and key that feed it; every queue is also fed by `RETURN` under its own name."""

    name: str
    exchange: Exchange
    key: str
    is_quorum: bool = True
    """False: classic, for messages that may be lost."""


@dataclass(frozen=True, kw_only=True)
class DelayTier:
    """A queue that nobody consumes; after `seconds` its messages go back to the queue named by their key."""

    seconds: int

    @property
    def name(self) -> str:
        return f"evalbus.retry.{self.seconds}s"


COMMANDS: Final = Exchange(name="evalbus.commands", type="direct")
EVENTS: Final = Exchange(name="evalbus.events", type="topic")
WORK: Final = Exchange(name="evalbus.work", type="direct")
SCORED: Final = Exchange(name="evalbus.scored", type="direct")
RPC: Final = Exchange(name="evalbus.rpc", type="direct")
DEAD: Final = Exchange(name="evalbus.dead", type="fanout")
RETURN: Final = Exchange(name="evalbus.return", type="direct")

EXCHANGES: Final = (COMMANDS, EVENTS, WORK, SCORED, RPC, DEAD, RETURN)

START_KEY: Final = "benchmark.start"

START_QUEUE: Final = Queue(name="evalbus.commands", exchange=COMMANDS, key=START_KEY)
WORK_RECORDED: Final = Queue(name="evalbus.work.recorded", exchange=WORK, key="recorded")
WORK_LIVE: Final = Queue(name="evalbus.work.live", exchange=WORK, key="live")
SCORED_QUEUE: Final = Queue(name="evalbus.scored", exchange=SCORED, key="scored")
PROGRESS_QUEUE: Final = Queue(
    name="evalbus.progress", exchange=SCORED, key="progress", is_quorum=False
)
ANSWERS_QUEUE: Final = Queue(name="evalbus.answers", exchange=SCORED, key="answers")
ANSWERS_ASKED: Final = Queue(
    name="evalbus.answers.asked", exchange=SCORED, key="answers.asked", is_quorum=False
)
"""Not among the queues of the RPC, so that evaluators need no right to send commands."""
RPC_COMMANDS: Final = Queue(name="evalbus.rpc.commands", exchange=RPC, key="commands")
RPC_QUERIES: Final = Queue(name="evalbus.rpc.queries", exchange=RPC, key="queries", is_quorum=False)
DEAD_QUEUE: Final = Queue(name="evalbus.dead", exchange=DEAD, key="")

QUEUES: Final = (
    START_QUEUE,
    WORK_RECORDED,
    WORK_LIVE,
    SCORED_QUEUE,
    PROGRESS_QUEUE,
    ANSWERS_QUEUE,
    ANSWERS_ASKED,
    RPC_COMMANDS,
    RPC_QUERIES,
    DEAD_QUEUE,
)

TIERS: Final = (
    DelayTier(seconds=1),
    DelayTier(seconds=5),
    DelayTier(seconds=30),
    DelayTier(seconds=120),
    DelayTier(seconds=600),
)

# Declared only by processes that reach the database: whoever finds it missing knows that the broker lost its data.
MARKER: Final = "evalbus.marker"

DELIVERY_LIMIT: Final = 20
"""The broker's own last net against a message that kills whoever receives it."""

REPLY_TO_PATTERN: Final = (
    r"^(amq\.rabbitmq\.reply-to\..+|amq\.gen-.+|amq_[0-9a-f]{32}|evalbus\.reply\..+)$"
)
"""Where replies may go: nobody gets an answer written into a queue of the system."""
