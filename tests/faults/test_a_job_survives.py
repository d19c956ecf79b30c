"""Whatever is killed in the middle of a job: it completes by itself, every row exactly once, the result the same."""

import os
import signal
from collections.abc import Callable

import pytest

from tests.faults.conftest import ROWS, House
from tests.servers.deadline import wait_until


def kill_an_evaluator(house: House) -> None:
    house.system["evaluator-0"].kill9()


def kill_the_scoring_children(house: House) -> None:
    for evaluator in ("evaluator-0", "evaluator-1"):
        for child in house.system[evaluator].children():
            os.kill(child, signal.SIGKILL)


def kill_the_producer_and_start_another(house: House) -> None:
    house.system["producer"].kill9()
    house.system["producer"].restart()


def kill_the_results_service_and_start_another(house: House) -> None:
    house.system["results"].kill9()
    house.system["results"].restart()


def restart_the_broker(house: House) -> None:
    house.node.kill9()
    house.node.restart()


def restart_the_broker_without_its_data(house: House) -> None:
    house.node.kill9()
    house.node.wipe()
    house.node.start()


def restart_the_database(house: House) -> None:
    house.server.kill9()
    house.server.restart()


after_any_fault = pytest.mark.parametrize(
    "fault",
    [
        kill_an_evaluator,
        kill_the_scoring_children,
        kill_the_producer_and_start_another,
        kill_the_results_service_and_start_another,
        restart_the_database,
        restart_the_broker,
        restart_the_broker_without_its_data,
    ],
    ids=lambda fault: fault.__name__,
)


@after_any_fault
def test_a_job_in_the_middle_survives(house: House, fault: Callable[[House], None]) -> None:
    job = house.start()
    wait_until(
        lambda: house.client.jobs.get(job).rows >= ROWS // 10,
        timeout_seconds=60,
        otherwise=lambda: "the job did not get going",
    )
    assert house.client.jobs.get(job).rows < ROWS, "the fault comes too late to mean anything"

    fault(house)

    house.wait_until_ended(job)
    assert house.evidence(job) == house.quiet
    house.restart_what_was_killed()
