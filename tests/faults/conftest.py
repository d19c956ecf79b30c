"""One broker, one database and four services for all faults: each test breaks one of them and finds the others whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from evalbus.client import Client
from tests.faults.evidence import Evidence, evidence_of
from tests.servers.deadline import wait_until
from tests.servers.postgres import PostgresServer, available_postgres
from tests.servers.rabbitmq import RabbitNode
from tests.system import IMPATIENT, System, generate_rows, write_benchmark

ROWS = 100_000
RECOVERY_SECONDS = 120


@dataclass
class House:
    """Everything there is to break."""

    node: RabbitNode
    server: PostgresServer
    system: System
    client: Client
    benchmark: Path
    quiet: Evidence

    def start(self) -> str:
        return self.client.jobs.start(self.benchmark).name

    def wait_until_ended(self, job: str) -> None:
        wait_until(
            lambda: self.client.jobs.get(job).is_terminal,
            timeout_seconds=RECOVERY_SECONDS,
            otherwise=lambda: repr(self.client.jobs.why(job)),
        )

    def restart_what_was_killed(self) -> None:
        for service in self.system.services.values():
            if not service.is_running:
                service.restart()

    def evidence(self, job: str) -> Evidence:
        return evidence_of(self.client, self.server.url, job)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    node = RabbitNode(folder / "rabbitmq")
    server = PostgresServer(folder / "postgres", next(iter(available_postgres().values())))
    # Live models of the tests answer on loopback.
    settings = {**IMPATIENT, "EVALBUS_ALLOW_PRIVATE_ENDPOINTS": "1"}
    system = System(node.url(), server.url, folder, settings=settings)
    benchmark = write_benchmark(folder, generate_rows(ROWS, folder / "rows.jsonl"))
    try:
        node.start()
        server.start()
        system.migrate()
        system.start("producer", "evaluator", "results", evaluators=2)
        with Client(amqp_url=node.url()) as client:
            job = client.jobs.start(benchmark).name
            client.jobs.wait(job, timeout_seconds=120)
            quiet = evidence_of(client, server.url, job)
            assert quiet.status == "completed"
            assert quiet.rows == ROWS
            yield House(node, server, system, client, benchmark, quiet)
    finally:
        system.stop()
        server.stop()
        node.kill9()
