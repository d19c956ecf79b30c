"""Whatever is killed in the middle of a job with a judge: every row is judged once, and nobody is asked much more often."""

from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.judged import (
    JUDGE,
    MODEL,
    a_judge,
    a_judged_benchmark,
    both,
    verdict_on,
)
from tests.acceptance.live import knows
from tests.faults.conftest import House
from tests.faults.test_a_job_survives import (
    kill_an_evaluator,
    kill_the_producer_and_start_another,
    kill_the_results_service_and_start_another,
    kill_the_scoring_children,
    restart_the_broker,
    restart_the_broker_without_its_data,
)
from tests.servers.deadline import wait_until
from tests.servers.openai_endpoint import OpenAIEndpoint

ROWS = 160
PARALLELISM = 8
CALL_SECONDS = 0.1
CHUNK_ROWS = 16


@pytest.fixture
def endpoint() -> Iterator[OpenAIEndpoint]:
    behaviour = both(
        model=lambda asked: knows(asked, seconds=CALL_SECONDS),
        judge=lambda asked: verdict_on(asked, seconds=CALL_SECONDS),
    )
    with OpenAIEndpoint(behaviour) as endpoint:
        yield endpoint


def kill_both_evaluators_and_start_others(house: House) -> None:
    for name in ("evaluator-0", "evaluator-1"):
        house.system[name].kill9()
    for name in ("evaluator-0", "evaluator-1"):
        house.system[name].restart()


CHUNKS_LOST: dict[Callable[[House], None], int] = {
    kill_an_evaluator: 1,
    kill_both_evaluators_and_start_others: 2,
    kill_the_scoring_children: 0,
    kill_the_producer_and_start_another: 0,
    kill_the_results_service_and_start_another: 1,
    restart_the_broker: 2,
    restart_the_broker_without_its_data: 2,
}
"""How many chunks may be asked for once more after each fault."""


@pytest.mark.parametrize("fault", CHUNKS_LOST, ids=lambda fault: fault.__name__)
def test_a_judged_job_in_the_middle_survives(
    house: House, endpoint: OpenAIEndpoint, fault: Callable[[House], None]
) -> None:
    benchmark = a_judged_benchmark(
        a_judge(endpoint), rows=ROWS, model=endpoint, params={"parallelism": PARALLELISM}
    )
    job = house.client.jobs.start(benchmark).name
    wait_until(
        lambda: sum(endpoint.times_asked_of(JUDGE).values()) >= ROWS // 4,
        timeout_seconds=60,
        otherwise=lambda: repr(house.client.jobs.why(job)),
    )
    assert house.client.jobs.get(job).rows < ROWS, "the fault comes too late to mean anything"

    fault(house)

    house.wait_until_ended(job)
    ended = house.client.jobs.get(job)
    evidence = house.evidence(job)
    scores = {
        score.name: score
        for entry in house.client.results.get(job).results
        for score in entry.scores
    }
    asked = [*endpoint.times_asked_of(MODEL).values(), *endpoint.times_asked_of(JUDGE).values()]
    house.restart_what_was_killed()
    assert (ended.status, ended.rows, ended.failed_rows) == ("completed", ROWS, 0)
    assert evidence.rows == evidence.different_rows == ROWS
    assert scores["exact-match"].mean == 1.0
    assert (scores["quality"].count, scores["quality"].mean) == (ROWS, 3.0)
    assert scores["verdict"].mean == 0.5
    assert len(asked) == 2 * ROWS
    # What was on its way when something died may be asked once more, and no more than that.
    assert max(asked) <= 2
    assert sum(asked) <= 2 * ROWS + CHUNKS_LOST[fault] * CHUNK_ROWS
    assert endpoint.most_at_once <= 2 * PARALLELISM
