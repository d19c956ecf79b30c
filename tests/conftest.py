"""Servers for tests: started when the first test asks for one, shared by the run, each test alone in its own corner.

A test that breaks a server asks for one of its own (`own_rabbit_node`, `own_postgres_server`).
"""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.servers.broker import Broker
from tests.servers.postgres import Databases, PostgresServer, available_postgres
from tests.servers.rabbitmq import RabbitNode

FAULTS = Path(__file__).parent / "faults"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever kills processes and servers in the middle of a job is about time."""
    for item in items:
        if FAULTS in item.path.parents:
            item.add_marker("alone")


async def _migrate(database_url: str) -> None:
    # Imported late: tests of the servers themselves need no schema.
    from evalbus.store.postgres import migrate

    await migrate(database_url)


@pytest.fixture(scope="session")
def rabbit_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitNode]:
    """The run's private node; its processes belong to everybody, so no test stops it."""
    node = RabbitNode(tmp_path_factory.mktemp("rabbitmq"))
    try:
        node.start()
        yield node
    finally:
        # Nobody needs what is on it, and an orderly stop takes six seconds.
        node.kill9()


@pytest.fixture
def own_rabbit_node(tmp_path: Path) -> Iterator[RabbitNode]:
    """A started node for one test, to be stopped, killed, paused or wiped."""
    node = RabbitNode(tmp_path / "rabbitmq")
    try:
        node.start()
        yield node
    finally:
        node.kill9()


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Broker:
    """The private node, or the server that EVALBUS_TEST_AMQP_URL names."""
    if url := os.environ.get("EVALBUS_TEST_AMQP_URL"):
        return Broker.at(url, os.environ.get("EVALBUS_TEST_AMQP_API"))
    node: RabbitNode = request.getfixturevalue("rabbit_node")
    return node.broker


@pytest.fixture
def amqp_vhost(broker: Broker) -> Iterator[str]:
    """The name of a new, empty vhost."""
    name = f"test-{uuid4().hex}"
    broker.make_vhost(name)
    yield name
    broker.drop_vhost(name)


@pytest.fixture
def amqp_url(broker: Broker, amqp_vhost: str) -> str:
    """A RabbitMQ with nothing on it."""
    return broker.url(amqp_vhost)


class PostgresServers:
    """The run's private servers, one of each version, started when first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._available = available_postgres()
        self._started: dict[str, PostgresServer] = {}

    @property
    def versions(self) -> tuple[str, ...]:
        return tuple(self._available)

    def __getitem__(self, version: str) -> PostgresServer:
        if version not in self._started:
            # Nobody takes its power away, and every test makes a database.
            server = PostgresServer(
                self._folder / version, self._available[version], settings={"fsync": "off"}
            )
            server.start()
            self._started[version] = server
        return self._started[version]

    def stop(self) -> None:
        for server in self._started.values():
            server.stop()


@pytest.fixture(scope="session")
def postgres_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServers]:
    """`postgres_servers["15"]`, for a test that needs a certain one."""
    servers = PostgresServers(tmp_path_factory.mktemp("postgres"))
    try:
        yield servers
    finally:
        servers.stop()


@pytest.fixture(scope="session")
def postgres_version(request: pytest.FixtureRequest) -> str | None:
    """What `on_each_postgres` chose for the test; None: the one that embedded mode takes."""
    chosen: str | None = getattr(request, "param", None)
    return chosen


@pytest.fixture(scope="session")
def postgres_server(
    postgres_servers: PostgresServers, postgres_version: str | None
) -> PostgresServer:
    """The run's private server; it belongs to everybody, so no test stops it."""
    return postgres_servers[postgres_version or postgres_servers.versions[0]]


@pytest.fixture
def own_postgres_server(tmp_path: Path) -> Iterator[PostgresServer]:
    """A started server for one test, to be stopped, killed or paused."""
    server = PostgresServer(tmp_path / "postgres", next(iter(available_postgres().values())))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest, postgres_version: str | None) -> Iterator[Databases]:
    """On a private server, or on the one that EVALBUS_TEST_DATABASE_URL names."""
    url = os.environ.get("EVALBUS_TEST_DATABASE_URL")
    if url is None:
        servers: PostgresServers = request.getfixturevalue("postgres_servers")
        url = servers[postgres_version or servers.versions[0]].url
    made = Databases(url, _migrate)
    yield made
    made.forget()


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A fresh database with evalbus's schema in it."""
    url = databases.make()
    yield url
    databases.drop(url)
