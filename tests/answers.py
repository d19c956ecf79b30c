"""Services that say what a test wants them to say, on a bus in this process."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from evalbus.bus.base import Bus
from evalbus.bus.memory import MemoryBus
from evalbus.bus.rpc import Answerer, RpcHandler
from evalbus.bus.topology import RPC_COMMANDS, RPC_QUERIES
from evalbus.client import AsyncClient
from evalbus.settings import Settings
from evalbus_schemas.jobs import Job, JobStatus
from evalbus_schemas.queries import (
    METHODS,
    ComparedCell,
    ComparedColumn,
    ComparedScore,
    Comparison,
    ListResults,
    Pagination,
    Result,
    ResultPage,
    Row,
)
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


def a_result(name: str = "capitals-1", **changes: Any) -> Result:
    result = Result(
        id=uuid5(JOB_ID, name),
        name=name,
        job_id=JOB_ID,
        workspace="default",
        benchmark="default/capitals",
        datasets=("default/capitals",),
        models=("default/terse",),
        dataset="default/capitals",
        model="default/terse",
        metrics=("default/exact-match",),
        labels={},
        rows=5,
        failed_rows=0,
        started_at=NOON,
        finished_at=NOON,
        created_at=NOON,
        updated_at=NOON,
        created_by=None,
        results=(a_metric_result(),),
    )
    return result.model_copy(update=changes)


def a_result_page(wanted: ListResults, names: Sequence[str]) -> ResultPage:
    """The page of these that was asked for."""
    first = (wanted.page - 1) * wanted.page_size
    data = tuple(a_result(name) for name in names[first : first + wanted.page_size])
    return ResultPage(
        data=data,
        pagination=Pagination(
            page=wanted.page,
            page_size=wanted.page_size,
            current_page_size=len(data),
            total_pages=-(-len(names) // wanted.page_size),
            total_results=len(names),
        ),
        sort=wanted.sort,
        filter=wanted.filter,
    )


def a_cell(mean: float | None = 0.5, **changes: Any) -> ComparedCell:
    return ComparedCell(mean=mean, count=10, nan_count=0, n_failed=0).model_copy(update=changes)


def a_compared_cell(mean: float | None = 0.75, **changes: Any) -> ComparedCell:
    """Beside `a_cell` as baseline: three rows better, one worse."""
    paired = {
        "delta": 0.25,
        "n_paired": 10,
        "only_in_baseline": 0,
        "only_in_this": 0,
        "better": 3,
        "worse": 1,
        "equal": 6,
    }
    return a_cell(mean, **(paired | changes))


def a_comparison(
    *cells: ComparedCell | None,
    columns: Sequence[tuple[str, str]] = (("nightly", "terse"), ("nightly", "chatty")),
    **changes: Any,
) -> Comparison:
    """One line of one metric; columns as (result, model), the first one the baseline."""
    comparison = Comparison(
        columns=tuple(
            ComparedColumn(result=result, model=f"default/{model}") for result, model in columns
        ),
        baseline=0,
        scores=(
            ComparedScore(
                dataset="default/capitals",
                metric="default/exact-match",
                score="exact-match",
                direction="higher",
                cells=cells or (a_cell(), a_compared_cell()),
            ),
        ),
        differences=(),
    )
    return comparison.model_copy(update=changes)


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
