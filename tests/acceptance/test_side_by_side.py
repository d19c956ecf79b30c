"""A large job does not get in the way of a small one, nor of whoever cancels it."""

import time

from evalbus.client import Client
from tests.servers.deadline import wait_until
from tests.system import System, generate_rows, write_benchmark

LARGE = 1_000_000
SMALL = 10


def test_ten_rows_do_not_wait_behind_a_million_and_the_million_can_be_cancelled(
    services: System,
) -> None:
    folder = services.folder
    large = write_benchmark(folder, generate_rows(LARGE, folder / "large.jsonl"), name="large")
    small = write_benchmark(folder, generate_rows(SMALL, folder / "small.jsonl"), name="small")

    with Client(amqp_url=services.amqp_url) as client:
        behind = client.jobs.start(large).name
        wait_until(
            lambda: client.jobs.get(behind).rows > 10_000,
            timeout_seconds=60,
            otherwise=lambda: repr(client.jobs.why(behind)),
        )

        started = time.monotonic()
        done = client.jobs.wait(client.jobs.start(small).name)
        small_seconds = time.monotonic() - started

        assert not client.jobs.get(behind).is_terminal, "the large job was over too soon"
        started = time.monotonic()
        cancelled = client.jobs.cancel(behind)
        rows = cancelled.rows
        time.sleep(2)
        rows_after = client.jobs.get(behind).rows
        cancel_seconds = time.monotonic() - started

    assert done.status == "completed"
    assert small_seconds < 5
    assert cancelled.status == "cancelled"
    assert rows_after == rows, "rows were stored after the end"
    assert cancel_seconds < 5
