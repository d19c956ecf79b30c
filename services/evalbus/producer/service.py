"""The producer as a whole: its subscriptions and its loops."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from evalbus.bus.base import Bus
from evalbus.bus.draining import drain_all
from evalbus.bus.rpc import RpcHandler
from evalbus.bus.topology import RPC_COMMANDS, START_QUEUE
from evalbus.producer.accepting import Acceptance, job_limits
from evalbus.producer.commands import (
    SOURCE,
    StartCommand,
    command_methods,
    ending_methods,
    export_methods,
)
from evalbus.producer.definitions import open_definitions
from evalbus.producer.destinations import Destinations
from evalbus.producer.dispatching import Dispatching
from evalbus.producer.exporting import Exporting
from evalbus.producer.reading import Reading
from evalbus.settings import Settings
from evalbus.store.ports import (
    CatalogueStore,
    Changes,
    DatapointStore,
    DispatchStore,
    EventStore,
    ExportStore,
    JobStore,
    ResultStore,
    UploadStore,
)

COMMANDS_AT_ONCE = 32


@asynccontextmanager
async def answer_without_work(
    *,
    bus: Bus,
    jobs: JobStore,
    results: ResultStore,
    catalogue: CatalogueStore,
    uploads: UploadStore,
    settings: Settings,
    roots: tuple[Path, ...] | None,
) -> AsyncGenerator[None]:
    """Ends jobs and keeps the catalogue: one transaction each, which whoever works on a job notices by itself."""
    async with open_definitions(
        catalogue=catalogue, uploads=uploads, settings=settings, roots=roots
    ) as definitions:
        methods = ending_methods(jobs, results) | definitions.methods
        handler = RpcHandler(methods=methods, source=SOURCE)
        async with bus.subscribe(RPC_COMMANDS, handler, prefetch=COMMANDS_AT_ONCE):
            yield


@asynccontextmanager
async def serve(
    *,
    bus: Bus,
    jobs: JobStore,
    dispatch: DispatchStore,
    events: EventStore,
    results: ResultStore,
    datapoints: DatapointStore,
    exports: ExportStore,
    catalogue: CatalogueStore,
    uploads: UploadStore,
    changes: Changes,
    settings: Settings,
    roots: tuple[Path, ...] | None,
) -> AsyncGenerator[None]:
    """Open for commands and at work as long as this is; leaving it drains what is in hand."""
    async with open_definitions(
        catalogue=catalogue, uploads=uploads, settings=settings, roots=roots
    ) as definitions:
        acceptance = Acceptance(
            jobs=jobs,
            limits=job_limits(settings),
            references=definitions.references,
            checks=definitions.checks,
            opening=definitions.opening,
            uploads=definitions.uploads,
        )
        reading = Reading(
            store=dispatch,
            jobs=jobs,
            work=changes.watch("work"),
            opening=definitions.opening,
            uploads=definitions.uploads,
            lease_seconds=settings.lease_seconds,
            poll_seconds=settings.poll_seconds,
            chunks_ahead=2 * settings.window_chunks,
        )
        dispatching = Dispatching(
            store=dispatch,
            jobs=jobs,
            bus=bus,
            work=changes.watch("work"),
            window=settings.window_chunks,
            poll_seconds=settings.poll_seconds,
        )
        destinations = Destinations(access=definitions.opening.sources.remote)
        exporting = Exporting(
            store=exports,
            datapoints=datapoints,
            destinations=destinations,
            work=changes.watch("exports"),
            lease_seconds=settings.lease_seconds,
            poll_seconds=settings.poll_seconds,
        )
        commands = RpcHandler(
            methods=command_methods(acceptance, jobs, results)
            | export_methods(exports, destinations)
            | definitions.methods,
            source=SOURCE,
        )
        async with asyncio.TaskGroup() as loops, AsyncExitStack() as doors:
            tasks = [
                loops.create_task(reading.run(), name="reading"),
                loops.create_task(dispatching.run(), name="dispatching"),
                loops.create_task(exporting.run(), name="exporting"),
            ]
            subscriptions = [
                await doors.enter_async_context(
                    bus.subscribe(queue, handler, prefetch=COMMANDS_AT_ONCE)
                )
                for queue, handler in (
                    (START_QUEUE, StartCommand(acceptance=acceptance, events=events)),
                    (RPC_COMMANDS, commands),
                )
            ]
            try:
                yield
            finally:
                await drain_all(subscriptions, settings.drain_seconds)
                for task in tasks:
                    task.cancel()
