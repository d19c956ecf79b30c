"""An evaluator on a bus in this process, with the shelf for its answers and the endpoint that everybody is asked at."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID

from evalbus.bus import codec
from evalbus.bus.base import BusHealth, Message, Outgoing
from evalbus.bus.memory import MemoryBus
from evalbus.bus.rpc import RpcHandler
from evalbus.bus.topology import (
    ANSWERS_ASKED,
    ANSWERS_QUEUE,
    DEAD_QUEUE,
    PROGRESS_QUEUE,
    SCORED_QUEUE,
    WORK_LIVE,
)
from evalbus.errors import OverLimit
from evalbus.evaluator.scorer import Scorer
from evalbus.evaluator.scoring import score_chunk
from evalbus.evaluator.service import serve
from evalbus.settings import Settings
from evalbus_schemas import cloudevents
from evalbus_schemas.benchmark import MetricPlugin, Plugin
from evalbus_schemas.chunks import Answer, AnswersGiven, Asking, ChunkRequested, Plan, RowLimits
from evalbus_schemas.queries import ANSWERS_FIND, AnswersFound, FindAnswers
from tests.buses import Inbox, to
from tests.parrot import Endpoint, a_parrot, a_row
from tests.scoring import JOB_ID, Scored, exact_match, parsed


@dataclass
class ScorerHere:
    """Scores in this process, at once."""

    workers: int = 1
    evaluator: str = "here"

    async def score(
        self,
        request: ChunkRequested,
        body: bytes,
        *,
        note_rows: Callable[[int], None] | None = None,
    ) -> bytes:
        return score_chunk(body, evaluator=self.evaluator)


@dataclass
class Shelf:
    """Keeps answers as the results service does: the first one under each key stays."""

    kept: dict[str, Answer] = field(default_factory=dict[str, Answer])
    batches: list[int] = field(default_factory=list[int])
    failures: list[Exception] = field(default_factory=list[Exception])
    reply_answers_max: int = 1000
    may_keep: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_keep.set()

    async def keep(self, message: Message) -> Sequence[Outgoing]:
        await self.may_keep.wait()
        given = codec.parse(message, AnswersGiven, type=cloudevents.ANSWERS_GIVEN)
        self.batches.append(len(given.answers))
        for answer in given.answers:
            self.kept.setdefault(answer.key, answer)
        return []

    async def find(self, query: FindAnswers, _: Message) -> AnswersFound:
        if self.failures:
            raise self.failures.pop(0)
        found = tuple(self.kept[key] for key in query.keys if key in self.kept)
        if len(found) > self.reply_answers_max:
            raise OverLimit("the answer is too large")
        return AnswersFound(answers=found)

    @property
    def rpc(self) -> RpcHandler:
        return RpcHandler(
            methods={ANSWERS_FIND.name: self.find},
            contracts={ANSWERS_FIND.name: ANSWERS_FIND},
            source="/tests",
        )


class LosableBus(MemoryBus):
    """Says that it is not connected when it is told to."""

    is_lost = False

    @property
    def health(self) -> BusHealth:
        health = super().health
        return replace(health, is_connected=health.is_connected and not self.is_lost)


@dataclass
class Evaluator:
    """One that runs, with what it reaches and what comes out of it."""

    bus: LosableBus
    endpoint: Endpoint
    shelf: Shelf
    scored: Inbox = field(default_factory=Inbox)
    signs: Inbox = field(default_factory=Inbox)
    dead: Inbox = field(default_factory=Inbox)

    def lose_the_bus(self) -> None:
        """It still carries messages, so that what is sent can be seen; only its health says that it is away."""
        self.bus.is_lost = True

    def find_the_bus(self) -> None:
        self.bus.is_lost = False

    async def send(self, *chunks: Message) -> None:
        await self.bus.publish(*(to(WORK_LIVE, chunk) for chunk in chunks))

    async def results(self, number: int = 1) -> list[Scored]:
        return [parsed(message.body) for message in await self.scored.holds(number)]

    async def score(self, *chunks: Message) -> list[Scored]:
        """The chunks one after another, so that each sees what those before it left."""
        for chunk in chunks:
            wanted = len(self.scored.messages) + 1
            await self.send(chunk)
            await self.scored.holds(wanted)
        return await self.results(len(chunks))


@asynccontextmanager
async def running(
    endpoint: Endpoint | None = None,
    *,
    shelf: Shelf | None = None,
    heartbeat_seconds: float = 20.0,
    attempts_max: int = 8,
    message_bytes_max: int = 8 * 1024 * 1024,
    scorer: Scorer | None = None,
) -> AsyncGenerator[Evaluator]:
    """An evaluator with everything around it; it scores in this process unless `scorer` does."""
    async with LosableBus() as bus:
        evaluator = Evaluator(bus, endpoint or Endpoint(), shelf or Shelf())
        async with (
            bus.subscribe(SCORED_QUEUE, evaluator.scored, prefetch=100),
            bus.subscribe(PROGRESS_QUEUE, evaluator.signs, prefetch=100),
            bus.subscribe(DEAD_QUEUE, evaluator.dead, prefetch=100),
            bus.subscribe(ANSWERS_QUEUE, evaluator.shelf.keep, prefetch=1),
            bus.subscribe(ANSWERS_ASKED, evaluator.shelf.rpc, prefetch=10),
            serve(
                bus,
                Settings(
                    drain_seconds=0.1,
                    heartbeat_seconds=heartbeat_seconds,
                    attempts_max=attempts_max,
                    message_bytes_max=message_bytes_max,
                    row_bytes_max=100_000,
                ),
                scorer or ScorerHere(),
                evaluator.endpoint,
            ),
        ):
            yield evaluator


def a_live_chunk(
    *questions: str | bytes,
    chunk: int = 0,
    job_id: UUID = JOB_ID,
    source_job_id: UUID | None = None,
    workspace: str = "default",
    first_row: int = 0,
    rows: tuple[int, ...] | None = None,
    repeat: int = 0,
    model: Plugin | None = None,
    metrics: Sequence[MetricPlugin] = (),
    concurrency: int = 4,
    max_retries: int = 0,
    asking: bool = True,
    is_given: bool = False,
    limits: RowLimits | None = None,
) -> Message:
    """A row for each question; one that is bytes goes in as it is, with its sample if these are given."""
    request = ChunkRequested(
        job_id=job_id,
        job="capitals-1",
        workspace=workspace,
        source_job_id=source_job_id,
        chunk=chunk,
        dataset="capitals",
        first_row=first_row,
        n_rows=len(questions),
        rows=rows,
        repeat=repeat,
        samples="given" if is_given else "asked",
        asking=Asking(
            concurrency=concurrency, max_retries=max_retries, request_timeout=5, row_timeout=60
        )
        if asking
        else None,
        plan=Plan(model=model or a_parrot(), metrics=tuple(metrics) or (exact_match(),)),
        limits=limits or RowLimits(),
    )
    lines = [one if isinstance(one, bytes) else a_row(one) for one in questions]
    return codec.encode(
        request,
        cloudevents.CHUNK_REQUESTED,
        source="/tests",
        lines=b"\n".join(lines),
        traceparent="00-trace",
    )
