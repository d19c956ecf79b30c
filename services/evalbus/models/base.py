"""What a model is to evalbus: something that answers an item with a sample.

A recorded model answers from the item alone, so that it can be asked wherever the rows are scored. A live one is
reached over a network: its requests are rendered where rows are scored, it answers in the process that may wait, and
the rows are scored when the answers are in.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from evalbus.outside.calls import CallFailed as CallFailed
from evalbus.outside.calls import HttpAnswer as HttpAnswer
from evalbus.registry import PlugIn
from evalbus_schemas.base import JsonObject

OUTPUT_TEXT = "output_text"
"""Every sample has this field: what the model said, as text."""

SAMPLE_FIELDS = frozenset({OUTPUT_TEXT})
"""What every sample has, whoever made it."""


class Model(PlugIn):
    """A named answerer."""

    is_live: ClassVar[bool]
    """True: it waits for somebody else, and its work has a queue of its own."""
    sample_fields: frozenset[str] | None = None
    """All the fields that its samples have, so that templates over them can be checked unrun; None: only its answers
    tell which there are beside SAMPLE_FIELDS."""


class RecordedModel(Model):
    """A model whose answers lie in the dataset."""

    is_live = False

    @abstractmethod
    def answer(self, items: Sequence[JsonObject]) -> list[JsonObject]:
        """One sample for each item, each from its item alone; raises RowsFailed for those without one."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a million tokens cost, in whatever unit the benchmark counts in."""

    input_per_million: float
    output_per_million: float

    def of(self, input_tokens: int | None, output_tokens: int | None) -> float | None:
        """The cost of one call; None when the model did not say how many tokens it took."""
        if input_tokens is None and output_tokens is None:
            return None
        return (
            (input_tokens or 0) * self.input_per_million
            + (output_tokens or 0) * self.output_per_million
        ) / 1_000_000


CacheMode = Literal["off", "read", "write", "on"]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One attempt at one row's answer."""

    id: str
    """The same at every attempt, so that whoever answers may recognise a repeat."""
    job: str
    row: int
    timeout_seconds: float
    """For this attempt."""
    expires_seconds: float
    """For the row: an answer that comes later is of no use to anybody."""
    traceparent: str | None = None


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a live model answered."""

    sample: JsonObject
    """With OUTPUT_TEXT, and whatever else templates may want of it."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    log: JsonObject
    """For the request log of the row: what was sent and what came back, without secrets."""


@dataclass(frozen=True, kw_only=True)
class QueueAnswer:
    """A reply that came over a queue."""

    body: bytes
    headers: dict[str, str]


class Reach(Protocol):
    """The outside world as a live model may touch it; what cannot be had is CallFailed."""

    async def post(
        self, url: str, body: JsonObject, *, secret: str | None, timeout_seconds: float
    ) -> HttpAnswer:
        """POST as JSON, with the named secret as bearer token. Private addresses, redirects, answers that are too
        large and secrets that are missing or bound to other hosts are CallFailed, not to be tried again."""
        ...

    async def ask_queue(
        self,
        queue: str,
        body: JsonObject,
        *,
        type: str,
        message_id: str,
        headers: dict[str, str],
        traceparent: str | None,
        expires_seconds: float,
        timeout_seconds: float,
    ) -> QueueAnswer:
        """Request and reply over the broker; `type` is that of the request, as in evalbus_schemas.cloudevents."""
        ...


class Respondent(ABC):
    """Somebody who is asked over a network: a live model, or what a live metric asks."""

    needs_broker: ClassVar[bool] = False
    """True: it can only be asked over RabbitMQ, which embedded mode does not have."""
    endpoint: str
    """What it is reached at, for limits and outages: whoever has the same endpoint shares them."""
    price: Price | None
    cache: CacheMode

    @abstractmethod
    def identity(self) -> JsonObject:
        """Whatever an answer depends on beside the request: endpoint, the model's own name, inference."""

    @abstractmethod
    async def ask(self, request: JsonObject, call: Call, reach: Reach) -> Reply:
        """One attempt, within the call's time-out; raises CallFailed."""

    def check(self, *, allow_private: bool) -> None:  # noqa: B027 - nothing to check is the rule
        """What can be known of its endpoint without a network; raises NotAllowed for one that may not be asked."""


class LiveModel(Model, Respondent):
    """A model that is asked over a network."""

    is_live = True

    @abstractmethod
    def requests(
        self, items: Sequence[JsonObject], samples: Sequence[JsonObject] | None = None
    ) -> list[JsonObject]:
        """What to ask for each item, rendered; raises RowsFailed for those that cannot be asked for.

        With samples it is asked about these: it is a judge of them.
        """
