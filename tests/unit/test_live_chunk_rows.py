"""How many rows a chunk has that waits for somebody: so many that it is done before the broker takes it back."""

from datetime import date
from math import ceil
from uuid import uuid4

import pytest

from evalbus.store.ports import JobLimits, Lease, ModelFacts
from evalbus.store.postgres.chunking import LIVE_CHUNK_SECONDS, live_rows_max
from evalbus_schemas.benchmark import Params
from tests.builders import a_benchmark


def a_lease(*, row_timeout: float, judges: int, parallelism: int, is_live: bool = True) -> Lease:
    model = ModelFacts(
        is_live=is_live,
        endpoint="http://model" if is_live else None,
        metric_endpoints=tuple(f"http://judge-{number}" for number in range(judges)),
    )
    return Lease(
        job_no=1,
        job_id=uuid4(),
        month=date(2026, 1, 1),
        token=uuid4(),
        next_chunk=0,
        benchmark=a_benchmark(params=Params(parallelism=parallelism, row_timeout=row_timeout)),
        limits=JobLimits(chunk_rows=500, chunk_bytes=1_000_000),
        datasets=(),
        models=(model,),
    )


@pytest.mark.parametrize("judges", [0, 1, 2, 5])
@pytest.mark.parametrize("row_timeout", [60.0, 150.0, 300.0, 500.0])
@pytest.mark.parametrize("calls", [2, 4])
def test_with_every_call_as_long_as_it_may_be_the_chunk_is_done_in_time(
    judges: int, row_timeout: float, calls: int
) -> None:
    rows = live_rows_max(a_lease(row_timeout=row_timeout, judges=judges, parallelism=calls))

    # All answers of the model, and then all of the judges, so many at once.
    seconds = row_timeout * (ceil(rows / calls) + ceil(rows * judges / calls))
    assert seconds <= LIVE_CHUNK_SECONDS or rows == 1


def test_a_row_with_more_questions_than_fit_stands_alone() -> None:
    assert live_rows_max(a_lease(row_timeout=600.0, judges=5, parallelism=4)) == 1


def test_without_anybody_slow_a_chunk_is_as_large_as_the_limit() -> None:
    assert live_rows_max(a_lease(row_timeout=10.0, judges=1, parallelism=4)) == 16


def test_recorded_answers_wait_for_their_judges_alone() -> None:
    live = live_rows_max(a_lease(row_timeout=500.0, judges=1, parallelism=2))
    recorded = live_rows_max(a_lease(row_timeout=500.0, judges=1, parallelism=2, is_live=False))

    assert (live, recorded) == (2, 6)
