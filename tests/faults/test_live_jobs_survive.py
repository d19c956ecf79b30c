"""Whatever is killed in the middle of a job with a live model: every row is answered, none is asked for much more often."""

from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.live import a_live_benchmark, after
from tests.faults.conftest import RECOVERY_SECONDS, House
from tests.faults.test_a_job_survives import (
    after_any_fault,
    kill_the_producer_and_start_another,
    kill_the_results_service_and_start_another,
    restart_the_broker_without_its_data,
    restart_the_database,
)
from tests.servers.deadline import wait_until
from tests.servers.openai_endpoint import OpenAIEndpoint

ROWS = 240
PARALLELISM = 8


@pytest.fixture
def endpoint() -> Iterator[OpenAIEndpoint]:
    with OpenAIEndpoint(after(0.1)) as endpoint:
        yield endpoint


@after_any_fault
def test_a_live_job_in_the_middle_survives(
    house: House, endpoint: OpenAIEndpoint, fault: Callable[[House], None]
) -> None:
    benchmark = a_live_benchmark(
        endpoint, rows=ROWS, model={"cache": "off"}, params={"parallelism": PARALLELISM}
    )
    job = house.client.jobs.start(benchmark).name
    wait_until(
        lambda: len(endpoint.asked) >= ROWS // 4,
        timeout_seconds=60,
        otherwise=lambda: repr(house.client.jobs.why(job)),
    )

    fault(house)

    house.wait_until_ended(job)
    ended = house.client.jobs.get(job)
    score = house.client.results.get(job).results[0].scores[0]
    assert (ended.status, ended.rows, ended.failed_rows) == ("completed", ROWS, 0)
    assert (score.n_rows, score.mean) == (ROWS, 1.0)
    assert len(endpoint.times_asked) == ROWS
    # What was on its way when something died may be asked once more, and no more than that.
    assert len(endpoint.asked) <= ROWS + 2 * 16
    assert endpoint.most_at_once <= 2 * PARALLELISM
    house.restart_what_was_killed()


@pytest.mark.parametrize(
    "fault",
    [
        kill_the_producer_and_start_another,
        kill_the_results_service_and_start_another,
        restart_the_database,
        restart_the_broker_without_its_data,
    ],
    ids=lambda fault: fault.__name__,
)
def test_a_derived_job_in_the_middle_survives(house: House, fault: Callable[[House], None]) -> None:
    source = house.start()
    house.client.jobs.wait(source, timeout_seconds=RECOVERY_SECONDS)
    metrics = [{"name": "other", "type": "f1", "reference": "{{ item.reference }}"}]
    job = house.client.jobs.rescore(source, metrics).name
    wait_until(
        lambda: house.client.jobs.get(job).rows > 0,
        timeout_seconds=60,
        otherwise=lambda: repr(house.client.jobs.why(job)),
    )

    fault(house)

    house.wait_until_ended(job)
    before = house.client.results.get(source)
    after_all = house.client.results.get(job)
    f1 = next(entry for entry in before.results if entry.metric == "default/f1")
    assert after_all.results[0].scores[0].model_dump(exclude={"name"}) == f1.scores[0].model_dump(
        exclude={"name"}
    )
    assert after_all.data == before.data
    house.restart_what_was_killed()
