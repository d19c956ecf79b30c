"""The results service as a whole: its subscriptions and its loops."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from evalbus.bus.base import Bus
from evalbus.bus.draining import drain_all
from evalbus.bus.rpc import RpcHandler
from evalbus.bus.topology import (
    ANSWERS_ASKED,
    ANSWERS_QUEUE,
    DEAD_QUEUE,
    PROGRESS_QUEUE,
    RPC_QUERIES,
    SCORED_QUEUE,
)
from evalbus.results.answering import KeepAnswers, tell_answers
from evalbus.results.broker_watch import BrokerWatch
from evalbus.results.finalizing import Finalizing
from evalbus.results.keeping import KeepChunk, KeepDeadLetter, NoteProgress
from evalbus.results.queries import Queries
from evalbus.results.reconciling import Reconciling
from evalbus.results.relaying import SOURCE, Relaying
from evalbus.settings import Settings
from evalbus.store.ports import (
    AnswerStore,
    Changes,
    DeadLetterStore,
    EventStore,
    FinalStore,
    JobStore,
    ScoreStore,
    UpkeepStore,
)

# Chunks side by side overlap their COPYs; the job row makes them take turns at the end.
CHUNKS_AT_ONCE = 4
PROGRESS_AT_ONCE = 2
ANSWERS_AT_ONCE = 8
DEAD_LETTERS_AT_ONCE = 2
QUERIES_AT_ONCE = 48


@asynccontextmanager
async def answer(*, bus: Bus, queries: Queries) -> AsyncGenerator[None]:
    """The questions only: what a process that changes nothing offers."""
    handler = RpcHandler(methods=queries.methods(), source=SOURCE)
    async with bus.subscribe(RPC_QUERIES, handler, prefetch=QUERIES_AT_ONCE):
        yield


@asynccontextmanager
async def serve(
    *,
    bus: Bus,
    jobs: JobStore,
    scores: ScoreStore,
    finals: FinalStore,
    events: EventStore,
    dead_letters: DeadLetterStore,
    answers: AnswerStore,
    upkeep: UpkeepStore,
    changes: Changes,
    queries: Queries,
    settings: Settings,
) -> AsyncGenerator[None]:
    """Open and at work as long as this is; leaving it drains what is in hand."""
    finalizing = Finalizing(
        finals=finals, final=changes.watch("final"), poll_seconds=settings.poll_seconds
    )
    relaying = Relaying(
        events=events,
        bus=bus,
        waiting=changes.watch("events"),
        poll_seconds=settings.poll_seconds,
    )
    reconciling = Reconciling(
        upkeep=upkeep,
        overdue_seconds=settings.overdue_seconds,
        every_seconds=settings.reconcile_seconds,
        event_days=settings.event_days,
        answer_days=settings.answer_days,
    )
    consumers = (
        (SCORED_QUEUE, KeepChunk(scores=scores, jobs=jobs), CHUNKS_AT_ONCE),
        (PROGRESS_QUEUE, NoteProgress(scores=scores), PROGRESS_AT_ONCE),
        (ANSWERS_QUEUE, KeepAnswers(answers=answers), ANSWERS_AT_ONCE),
        (ANSWERS_ASKED, tell_answers(answers), ANSWERS_AT_ONCE),
        (
            DEAD_QUEUE,
            KeepDeadLetter(dead_letters=dead_letters, scores=scores, jobs=jobs),
            DEAD_LETTERS_AT_ONCE,
        ),
    )
    async with asyncio.TaskGroup() as loops, AsyncExitStack() as doors:
        tasks = [
            loops.create_task(loop.run(), name=type(loop).__name__)
            for loop in (finalizing, relaying, reconciling, BrokerWatch(bus=bus, upkeep=upkeep))
        ]
        await doors.enter_async_context(answer(bus=bus, queries=queries))
        subscriptions = [
            await doors.enter_async_context(bus.subscribe(queue, handler, prefetch=prefetch))
            for queue, handler, prefetch in consumers
        ]
        try:
            yield
        finally:
            await drain_all(subscriptions, settings.drain_seconds)
            for task in tasks:
                task.cancel()
