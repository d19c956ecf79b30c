"""Services that say what a test wants them to say, on a bus in this process."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from evalbus.bus.base import Bus
from evalbus.bus.memory import MemoryBus
from evalbus.bus.rpc import Answerer, RpcHandler
from evalbus.bus.topology import RPC_COMMANDS, RPC_QUERIES
from evalbus.client import AsyncClient
from evalbus.settings import Settings
from evalbus_schemas.jobs import Job, JobStatus
from evalbus_schemas.queries import METHODS, Row
from evalbus_schemas.scores import MetricResult, ScoreStatistics

JOB_ID = UUID("0b6ad2a7-3b9e-4c58-9a57-6d2b0e2f7a10")
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def a_job(**changes: Any) -> Job:
    job = Job(
        name="capitals-1",
        job_id=JOB_ID,
        workspace="default",
        benchmark="default/capitals",
        status=JobStatus.ACTIVE,
        rows=0,
        rows_total=None,
        failed_rows=0,
        chunks=0,
        chunks_total=None,
        labels={},
        created_at=NOON,
        started_at=None,
        finished_at=None,
        error=None,
        correlation_id=None,
    )
    return job.model_copy(update=changes)


def a_row(number: int, **changes: Any) -> Row:
    row = Row(
        row_index=number,
        row_id=f"r{number}",
        dataset="default/capitals",
        model="default/terse",
        item={"id": number},
        sample={"output_text": "Paris"},
        metrics={},
        metric_errors=None,
        failed=False,
    )
    return row.model_copy(update=changes)


def a_metric_result(**changes: Any) -> MetricResult:
    statistics = ScoreStatistics(
        name="exact-match",
        count=5,
        nan_count=0,
        n_rows=5,
        n_failed=0,
        sum=3.0,
        mean=0.6,
        min=0.0,
        max=1.0,
        variance=0.24,
        std_dev=0.4899,
    ).model_copy(update=changes)
    return MetricResult(
        dataset="default/capitals",
        model="default/terse",
        metric="default/exact-match",
        scores=(statistics,),
    )


@asynccontextmanager
async def a_bus_that_answers(
    answers: Mapping[str, Answerer], *, bus: MemoryBus | None = None
) -> AsyncGenerator[Bus, None]:
    """Commands and queries on their own queues, as the services take them."""
    handlers = {
        queue: RpcHandler(
            methods={name: a for name, a in answers.items() if METHODS[name].kind == kind},
            source="evalbus/tests",
        )
        for queue, kind in ((RPC_COMMANDS, "command"), (RPC_QUERIES, "query"))
    }
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(bus or MemoryBus())
        for queue, handler in handlers.items():
            await stack.enter_async_context(opened.subscribe(queue, handler, prefetch=4))
        yield opened


def a_client(answers: Mapping[str, Answerer], **options: Any) -> AsyncClient:
    return AsyncClient(opener=lambda: a_bus_that_answers(answers), settings=Settings(), **options)
