"""The services as processes on servers of their own, for as long as a measurement takes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.servers import forked
from tests.servers.postgres import PostgresServer, available_postgres
from tests.servers.rabbitmq import RabbitNode
from tests.system import System

EVALUATORS = 2


@contextmanager
def whole_system(
    folder: Path, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[System, Mapping[str, int]]]:
    """One producer, two evaluators, one results service; and the pids of everything, servers included."""
    node = RabbitNode(folder / "rabbitmq")
    server = PostgresServer(folder / "postgres", next(iter(available_postgres().values())))
    node.start()
    server.start()
    forked.load_nothing()
    system = System(node.url(), server.url, folder, settings=settings or {})
    try:
        system.migrate()
        system.start("producer", "evaluator", "results", evaluators=EVALUATORS)
        pids = {name: service.pid for name, service in system.services.items()}
        yield system, pids | {"rabbitmq": node.pid, "postgres": server.pid}
    finally:
        system.stop()
        server.stop()
        node.kill9()
