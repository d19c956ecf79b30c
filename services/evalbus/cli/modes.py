"""Where a command asks: running services when a broker is named, else a system in this process or its folder."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from evalbus.bus.base import Bus
from evalbus.cli.output import note
from evalbus.client import AsyncClient, opening
from evalbus.client.session import BusOpener
from evalbus.errors import FolderInUse, WrongSettings
from evalbus.settings import Settings, load_settings

FOLDER_PAUSE_SECONDS = 0.5


def client_settings() -> Settings:
    """The environment's; raises WrongSettings when a database is named and no broker."""
    settings = load_settings()
    if settings.amqp_url is None and settings.database_url is not None:
        raise WrongSettings(
            "EVALBUS_DATABASE_URL is set and EVALBUS_AMQP_URL is not: set the latter to ask running services,"
            " or neither to run everything in this process"
        )
    _log_only_warnings(settings)
    return settings


def _log_only_warnings(settings: Settings) -> None:
    """Unless EVALBUS_LOG_LEVEL says otherwise: a person waits for data, and services may run in this process."""
    from evalbus import logs  # structlog takes time to load

    logs.configure(settings, level="warning")


def server_settings(purpose: str, *, needs_database: bool = True) -> Settings:
    """Those of a service that is told where its servers are; raises WrongSettings naming what is missing."""
    settings = load_settings()
    missing = [
        name
        for name, url in (
            ("EVALBUS_AMQP_URL", settings.amqp_url),
            ("EVALBUS_DATABASE_URL", settings.database_url if needs_database else ""),
        )
        if url is None
    ]
    if missing:
        raise WrongSettings(f"{purpose} needs {' and '.join(missing)}")
    return settings


def asking_client(settings: Settings, workspace: str) -> AsyncClient:
    """For commands that start no work: without servers they use the folder, whoever works in it."""
    if settings.amqp_url is None:
        if not settings.data_dir.exists():
            # Probably another folder was meant; whoever sees an empty list would take everything for lost.
            note(f"nothing was run here yet: data would be in {settings.data_dir.absolute()}")
        return AsyncClient.reading(workspace=workspace, settings=settings)
    return AsyncClient(workspace=workspace, settings=settings)


def working_client(settings: Settings, workspace: str) -> AsyncClient:
    """For commands that make something happen: without servers the whole system comes up in this process."""
    if settings.amqp_url is None:
        note(embedded_banner(settings))
        return AsyncClient(
            workspace=workspace,
            settings=settings,
            opener=lambda: _once_the_folder_is_free(opening.embedded(settings)),
        )
    return AsyncClient(workspace=workspace, settings=settings)


@asynccontextmanager
async def _once_the_folder_is_free(opener: BusOpener) -> AsyncGenerator[Bus, None]:
    async with AsyncExitStack() as stack:
        yield await _enter_when_free(stack, opener)


async def _enter_when_free(stack: AsyncExitStack, opener: BusOpener) -> Bus:
    """Wait, however long it takes, for whoever works in the folder: the person has been told, and has Ctrl-C."""
    is_told = False
    while True:
        try:
            return await stack.enter_async_context(opener())
        except FolderInUse as error:
            if not is_told:
                note(f"waiting: {error}")
            is_told = True
            await asyncio.sleep(FOLDER_PAUSE_SECONDS)


def embedded_banner(settings: Settings) -> str:
    return f"embedded: no EVALBUS_AMQP_URL, so everything runs in this process; data in {settings.data_dir.absolute()}"
