"""The outbox of lifecycle events: written with what they tell of, published afterwards, kept for who was away."""

from collections.abc import Sequence
from uuid import UUID

from evalbus.store.ports import EventToPublish
from evalbus.store.postgres.database import Connection, Database
from evalbus.store.postgres.records import NUMBER_MAX, fitting
from evalbus.store.postgres.sql import load
from evalbus_schemas.cloudevents import lifecycle_type
from evalbus_schemas.events import (
    RESULTS_IN_EVENT_MAX,
    BenchmarkEvent,
    EventError,
    LifecycleVerb,
    ScoreSummary,
    routing_key,
)
from evalbus_schemas.jobs import Job
from evalbus_schemas.queries import EventPage, ListEvents, StoredEvent
from evalbus_schemas.scores import MetricResult

SQL = load("events.sql")


def event_of(job: Job, results: Sequence[MetricResult] = ()) -> BenchmarkEvent:
    """What is told of a job; a result longer than an event bears is cut and says so."""
    summaries = [
        ScoreSummary(
            dataset=result.dataset,
            model=result.model,
            metric=result.metric,
            score=score.name,
            scope=score.scope,
            mean=score.mean,
            count=score.count,
            nan_count=score.nan_count or 0,
        )
        for result in results
        for score in result.scores
    ]
    return BenchmarkEvent(
        job=job.name,
        job_id=job.job_id,
        workspace=job.workspace,
        benchmark=job.benchmark,
        status=job.status,
        correlation_id=job.correlation_id,
        labels=job.labels,
        rows=job.rows,
        failed_rows=job.failed_rows,
        started_at=job.started_at,
        finished_at=job.finished_at,
        results=tuple(summaries[:RESULTS_IN_EVENT_MAX]),
        results_truncated=len(summaries) > RESULTS_IN_EVENT_MAX,
        error=EventError(code=job.error.code, message=job.error.message) if job.error else None,
    )


async def put(
    connection: Connection, verb: LifecycleVerb, event: BenchmarkEvent, *, id: UUID | None = None
) -> None:
    """In the caller's transaction: the event exists if and only if the change does."""
    await connection.execute(
        SQL.add_event,
        lifecycle_type(verb),
        event.workspace,
        routing_key(verb, event.workspace),
        event.model_dump_json(),
        id,
    )
    await connection.execute(SQL.notify)


class PostgresEvents:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, verb: LifecycleVerb, event: BenchmarkEvent, *, id: str) -> None:
        async with self._database.transaction() as connection:
            await put(connection, verb, event, id=UUID(id))

    async def next_unpublished(self, *, limit: int) -> Sequence[EventToPublish]:
        async with self._database.transaction() as connection:
            await connection.execute(SQL.lock_sequence)
            await connection.execute(SQL.number_unpublished, limit)
            records = await connection.fetch(SQL.unpublished, limit)
        return [
            EventToPublish(
                event_no=record["event_no"],
                id=record["event_id"],
                type=record["type"],
                routing_key=record["routing_key"],
                body=_numbered(record["body"], record["sequence"]),
            )
            for record in records
        ]

    async def mark_published(self, events: Sequence[EventToPublish]) -> None:
        async with self._database.connection() as connection:
            await connection.execute(SQL.mark_published, [event.event_no for event in events])

    async def list(self, query: ListEvents) -> EventPage:
        async with self._database.connection() as connection:
            records = await connection.fetch(
                SQL.list_events, min(query.after, NUMBER_MAX), query.workspace, query.limit
            )
        return EventPage(
            events=fitting(
                StoredEvent(
                    id=record["event_id"],
                    type=record["type"],
                    time=record["created_at"],
                    event=_numbered(record["body"], record["sequence"]),
                )
                for record in records
            )
        )


def _numbered(body: str, sequence: int) -> BenchmarkEvent:
    return BenchmarkEvent.model_validate_json(body).model_copy(update={"sequence": sequence})
