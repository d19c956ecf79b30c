"""Calls to live models are shared like places, and neither a job nor an endpoint is given more than it bears."""

from collections import Counter
from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st

from evalbus.store.fairness import LiveDemand, share_calls


def a_demand(
    job_no: int,
    *,
    model_no: int = 0,
    workspace: str = "default",
    endpoints: Collection[str] = ("http://here",),
    parallelism: int = 8,
    endpoint_parallelism: int = 64,
    in_use: int = 0,
    chunks_in_flight: int = 0,
    waiting: int = 100,
) -> LiveDemand:
    return LiveDemand(
        job_no=job_no,
        model_no=model_no,
        workspace=workspace,
        endpoints=frozenset(endpoints),
        parallelism=parallelism,
        endpoint_parallelism=endpoint_parallelism,
        in_use=in_use,
        chunks_in_flight=chunks_in_flight,
        waiting=waiting,
        chunk_rows=16,
    )


def calls_of_jobs(demands: list[LiveDemand]) -> dict[int, int]:
    calls: Counter[int] = Counter()
    for allotment in share_calls(demands, window=64, most=64):
        calls[allotment.job_no] += allotment.concurrency
    return dict(calls)


def test_a_job_gets_its_parallelism_and_no_more() -> None:
    assert calls_of_jobs([a_demand(1, parallelism=8)]) == {1: 8}
    assert calls_of_jobs([a_demand(1, parallelism=8, in_use=8)]) == {}


def test_a_job_that_may_ask_one_at_a_time_has_one_chunk() -> None:
    (allotment,) = share_calls([a_demand(1, parallelism=1)], window=64, most=64)

    assert allotment.concurrency == 1


def test_the_last_chunks_of_a_job_get_the_calls_that_nobody_else_of_it_needs() -> None:
    allotments = share_calls([a_demand(1, parallelism=48, waiting=3)], window=64, most=64)

    assert [allotment.concurrency for allotment in allotments] == [16, 16, 16]


def test_an_endpoint_is_shared_by_the_jobs_that_use_it() -> None:
    demands = [
        a_demand(1, parallelism=64, endpoint_parallelism=16),
        a_demand(2, parallelism=64, endpoint_parallelism=16),
        a_demand(3, parallelism=64, endpoints=["http://there"]),
    ]

    assert calls_of_jobs(demands) == {1: 8, 2: 8, 3: 64}


def test_a_full_window_lets_in_only_whoever_has_nothing_in_flight() -> None:
    demands = [
        a_demand(1, parallelism=256, endpoint_parallelism=512, in_use=64, chunks_in_flight=16),
        a_demand(2, parallelism=256, endpoint_parallelism=512),
    ]

    allotments = share_calls(demands, window=16, most=64)

    assert [allotment.job_no for allotment in allotments] == [2]


def test_the_models_of_a_job_share_its_calls() -> None:
    demands = [a_demand(1, model_no=0), a_demand(1, model_no=1, endpoints=["http://there"])]

    allotments = share_calls(demands, window=64, most=64)

    assert Counter(allotment.model_no for allotment in allotments) == {0: 1, 1: 1}


@given(
    st.lists(
        st.builds(
            a_demand,
            st.integers(1, 4),
            model_no=st.integers(0, 2),
            endpoints=st.sets(st.sampled_from(["http://here", "http://there"]), min_size=1),
            parallelism=st.just(10),
            endpoint_parallelism=st.just(13),
            in_use=st.integers(0, 3),
            waiting=st.integers(0, 20),
        ),
        unique_by=lambda demand: (demand.job_no, demand.model_no),
    )
)
def test_nobody_is_ever_given_more_than_it_bears(demands: list[LiveDemand]) -> None:
    by_model = {(demand.job_no, demand.model_no): demand for demand in demands}
    of_job = Counter[int]()
    of_endpoint = Counter[str]()
    for demand in demands:
        of_job[demand.job_no] += demand.in_use
        of_endpoint.update(dict.fromkeys(demand.endpoints, demand.in_use))
    before_job, before_endpoint = of_job.copy(), of_endpoint.copy()

    for allotment in share_calls(demands, window=100, most=100):
        demand = by_model[allotment.job_no, allotment.model_no]
        of_job[demand.job_no] += allotment.concurrency
        of_endpoint.update(dict.fromkeys(demand.endpoints, allotment.concurrency))

    assert all(calls <= max(10, before_job[job]) for job, calls in of_job.items())
    assert all(calls <= max(13, before_endpoint[name]) for name, calls in of_endpoint.items())
