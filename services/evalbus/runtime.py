"""Where everything is put together: which adapters stand behind which ports, in production and in tests alike."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evalbus.bus.base import Bus
from evalbus.bus.memory import MemoryBus
from evalbus.bus.policy import RetryPolicy
from evalbus.bus.rabbitmq import RabbitMQBus
from evalbus.errors import WrongSettings
from evalbus.evaluator import service as evaluator
from evalbus.evaluator.children import ScoringChildren
from evalbus.evaluator.reach import open_reach
from evalbus.health import Check as HealthCheck
from evalbus.health import served
from evalbus.logs import get_logger
from evalbus.metrics import layout_of
from evalbus.producer import service as producer
from evalbus.remote import amqp_url
from evalbus.results import service as results
from evalbus.results.explaining import Explainer
from evalbus.results.queries import Queries
from evalbus.settings import Settings
from evalbus.store import postgres
from evalbus.store.embedded import EmbeddedPostgres, shared

log = get_logger(__name__)

Role = Literal["producer", "evaluator", "results"]

DATABASE_CONNECTIONS = 12


@dataclass(frozen=True, kw_only=True)
class Stores:
    """One adapter for each port of the store, on one database."""

    database: postgres.Database
    changes: postgres.PostgresChanges
    jobs: postgres.PostgresJobs
    dispatch: postgres.PostgresDispatch
    scores: postgres.PostgresScores
    finals: postgres.PostgresFinals
    results: postgres.PostgresResults
    comparisons: postgres.PostgresComparisons
    rows: postgres.PostgresRows
    explaining: postgres.PostgresExplaining
    datapoints: postgres.PostgresDatapoints
    events: postgres.PostgresEvents
    exports: postgres.PostgresExports
    dead_letters: postgres.PostgresDeadLetters
    answers: postgres.PostgresAnswers
    upkeep: postgres.PostgresUpkeep
    catalogue: postgres.PostgresCatalogue
    uploads: postgres.PostgresUploads

    @property
    def queries(self) -> Queries:
        return Queries(
            jobs=self.jobs,
            results=self.results,
            comparisons=self.comparisons,
            rows=self.rows,
            explainer=Explainer(store=self.explaining),
            datapoints=self.datapoints,
            events=self.events,
            exports=self.exports,
            dead_letters=self.dead_letters,
            catalogue=self.catalogue,
            uploads=self.uploads,
            changes=self.changes,
        )


@asynccontextmanager
async def open_stores(database_url: str, settings: Settings) -> AsyncGenerator[Stores]:
    """Raises Unavailable when the database does not answer in time, WrongSettings if it says no."""
    async with (
        postgres.open_database(
            database_url,
            connections=DATABASE_CONNECTIONS,
            within_seconds=settings.connect_seconds,
        ) as database,
        postgres.open_changes(database_url) as changes,
    ):
        yield Stores(
            database=database,
            changes=changes,
            jobs=postgres.PostgresJobs(database),
            dispatch=postgres.PostgresDispatch(database),
            scores=postgres.PostgresScores(database, layout_of),
            finals=postgres.PostgresFinals(database, layout_of),
            results=postgres.PostgresResults(database),
            comparisons=postgres.PostgresComparisons(database, layout_of),
            rows=postgres.PostgresRows(database, layout_of),
            explaining=postgres.PostgresExplaining(database, layout_of),
            datapoints=postgres.PostgresDatapoints(database, layout_of),
            events=postgres.PostgresEvents(database),
            exports=postgres.PostgresExports(database),
            dead_letters=postgres.PostgresDeadLetters(database),
            answers=postgres.PostgresAnswers(database),
            upkeep=postgres.PostgresUpkeep(database),
            catalogue=postgres.PostgresCatalogue(database),
            uploads=postgres.PostgresUploads(database),
        )


def rabbitmq_bus(settings: Settings, *, name: str, stores: Stores | None = None) -> RabbitMQBus:
    """With stores it looks whether the broker still has what it had, and has lost chunks sent again."""

    async def data_lost() -> None:
        assert stores is not None, "only who reaches the database is told"
        chunks = await stores.upkeep.in_flight_to_pending()
        log.warning("broker.empty", chunks_to_send_again=chunks)

    return RabbitMQBus(
        amqp_url(settings),
        name=name,
        policy=RetryPolicy(attempts_max=settings.attempts_max),
        data_lost=None if stores is None else data_lost,
        message_bytes_max=settings.message_bytes_max,
        connect_seconds=settings.connect_seconds,
    )


def database_url(settings: Settings) -> str:
    if settings.database_url is None:
        raise WrongSettings("EVALBUS_DATABASE_URL is not set: which Postgres?")
    return settings.database_url.get_secret_value()


@asynccontextmanager
async def serving(
    roles: Sequence[Role],
    *,
    bus: Bus,
    stores: Stores | None,
    settings: Settings,
    roots: tuple[Path, ...] | None,
) -> AsyncGenerator[None]:
    """These services, on this bus and these stores, as long as it is open."""
    async with AsyncExitStack() as open_services:
        if "evaluator" in roles:
            children = ScoringChildren(settings.worker_count)
            await open_services.enter_async_context(children)
            reach = await open_services.enter_async_context(open_reach(bus, settings))
            await open_services.enter_async_context(evaluator.serve(bus, settings, children, reach))
        if "results" in roles:
            assert stores is not None, "results keeps everything in the database"
            await open_services.enter_async_context(
                results.serve(
                    bus=bus,
                    jobs=stores.jobs,
                    scores=stores.scores,
                    finals=stores.finals,
                    events=stores.events,
                    dead_letters=stores.dead_letters,
                    answers=stores.answers,
                    upkeep=stores.upkeep,
                    changes=stores.changes,
                    queries=stores.queries,
                    settings=settings,
                )
            )
        if "producer" in roles:
            assert stores is not None, "the producer keeps jobs in the database"
            await open_services.enter_async_context(
                producer.serve(
                    bus=bus,
                    jobs=stores.jobs,
                    dispatch=stores.dispatch,
                    events=stores.events,
                    results=stores.results,
                    datapoints=stores.datapoints,
                    exports=stores.exports,
                    catalogue=stores.catalogue,
                    uploads=stores.uploads,
                    changes=stores.changes,
                    settings=settings,
                    roots=roots,
                )
            )
        yield


@asynccontextmanager
async def embedded(settings: Settings) -> AsyncGenerator[MemoryBus]:
    """The whole system in this process, on a private Postgres in the data folder; the bus to ask it on.

    Jobs that an earlier process left unfinished go on. Raises FolderInUse when another process owns the folder.
    """
    async with EmbeddedPostgres(settings.data_dir) as server:
        await postgres.migrate(server.dsn)
        async with open_stores(server.dsn, settings) as stores, memory_bus(settings) as bus:
            # Whoever worked on this folder before is gone, and what was on its bus with it.
            await stores.upkeep.free_leases()
            await stores.upkeep.in_flight_to_pending()
            async with serving(
                ("producer", "evaluator", "results"),
                bus=bus,
                stores=stores,
                settings=settings,
                roots=settings.roots or None,
            ):
                yield bus


@asynccontextmanager
async def reading(settings: Settings) -> AsyncGenerator[MemoryBus]:
    """Queries, the catalogue and the end of jobs, on the data folder's Postgres, whether or not another process owns it."""
    async with AsyncExitStack() as stack:
        dsn = await stack.enter_async_context(
            shared(settings.data_dir, within_seconds=settings.connect_seconds)
        )
        # Whoever owns the folder may have it only just, and have made no tables yet.
        await postgres.migrate(dsn)
        stores = await stack.enter_async_context(open_stores(dsn, settings))
        bus = await stack.enter_async_context(memory_bus(settings))
        await stack.enter_async_context(results.answer(bus=bus, queries=stores.queries))
        await stack.enter_async_context(
            producer.answer_without_work(
                bus=bus,
                jobs=stores.jobs,
                results=stores.results,
                catalogue=stores.catalogue,
                uploads=stores.uploads,
                settings=settings,
                roots=settings.roots or None,
            )
        )
        yield bus


@asynccontextmanager
async def querying(settings: Settings) -> AsyncGenerator[MemoryBus]:
    """Queries only, on the database of services that run elsewhere: for whoever cannot reach their broker."""
    async with (
        open_stores(database_url(settings), settings) as stores,
        memory_bus(settings) as bus,
        results.answer(bus=bus, queries=stores.queries),
    ):
        await check_schema(stores)
        yield bus


def memory_bus(settings: Settings) -> MemoryBus:
    return MemoryBus(
        policy=RetryPolicy(attempts_max=settings.attempts_max),
        capacity=settings.window_chunks,
        message_bytes_max=settings.message_bytes_max,
    )


async def serve(roles: tuple[Role, ...], settings: Settings) -> signal.Signals:
    """Run these services until SIGINT or SIGTERM, then stop in order; which of the two it was.

    Without any URL all three run embedded. Raises Unavailable, or WrongSettings for a URL that is missing.
    """
    if settings.is_embedded:
        if set(roles) != {"producer", "evaluator", "results"}:
            raise WrongSettings(
                f"`serve {roles[0]}` needs a RabbitMQ to share with the others: set EVALBUS_AMQP_URL"
            )
        async with embedded(settings) as bus, served(settings, {"bus": _bus_check(bus)}):
            log.info("serving.started", roles=roles, data_dir=str(settings.data_dir.absolute()))
            return await _until_stopped()
    amqp_url(settings)
    async with AsyncExitStack() as stack:
        checks: dict[str, HealthCheck] = {}
        stores = None
        if "producer" in roles or "results" in roles:
            stores = await stack.enter_async_context(open_stores(database_url(settings), settings))
            await check_schema(stores)
            checks["database"] = _database_check(stores)
        name = f"evalbus {'+'.join(roles)} {socket.gethostname()}"
        broker = await stack.enter_async_context(rabbitmq_bus(settings, name=name, stores=stores))
        checks["bus"] = _bus_check(broker)
        await stack.enter_async_context(
            serving(roles, bus=broker, stores=stores, settings=settings, roots=settings.roots)
        )
        await stack.enter_async_context(served(settings, checks))
        log.info("serving.started", roles=roles)
        stopped_by = await _until_stopped()
        log.info("serving.stopping", roles=roles, signal=stopped_by.name)
        return stopped_by


async def migrate(settings: Settings) -> None:
    """Bring the database to this version and declare the topology, with the rights of an owner."""
    url = database_url(settings)
    await postgres.wait_for(url, within_seconds=settings.connect_seconds)
    await postgres.migrate(url)
    if settings.amqp_url is not None:
        async with (
            open_stores(url, settings) as stores,
            rabbitmq_bus(settings, name="evalbus migrate", stores=stores),
        ):
            log.info("topology.declared")


async def check_schema(stores: Stores) -> None:
    """Raises WrongSettings where migrations are lacking."""
    pending = await postgres.pending_versions(stores.database)
    if pending:
        raise WrongSettings(
            f"the database lacks migrations {', '.join(pending)}: run `evalbus migrate` first"
        )


def _database_check(stores: Stores) -> HealthCheck:
    async def check() -> str | None:
        async with stores.database.connection() as connection:
            await connection.fetchval("SELECT 1")
        return None

    return check


def _bus_check(bus: Bus) -> HealthCheck:
    async def check() -> str | None:
        state = bus.health
        if state.is_ready:
            return None
        return state.detail or f"not consuming {', '.join(state.idle_subscriptions) or 'yet'}"

    return check


async def _until_stopped() -> signal.Signals:
    """Until the first signal; a second one ends the process where it stands."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[signal.Signals] = loop.create_future()

    def stop(number: signal.Signals) -> None:
        if stopped.done():
            os._exit(128 + number)
        stopped.set_result(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    return await stopped
