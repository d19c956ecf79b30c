"""Free places of the window go to workspaces alike, then to the jobs in each, nobody fewer than one."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from evalbus.store.fairness import Demand, share


def a_demand(
    job_no: int, *, workspace: str = "default", in_flight: int = 0, waiting: int = 100
) -> Demand:
    return Demand(job_no=job_no, workspace=workspace, in_flight=in_flight, waiting=waiting)


def test_nobody_asks_and_nobody_gets() -> None:
    assert share([], window=64, most=64) == {}
    assert share([a_demand(1, waiting=0)], window=64, most=64) == {}


def test_a_lone_job_may_use_every_place() -> None:
    assert share([a_demand(1)], window=64, most=64) == {1: 64}


def test_nobody_gets_more_than_waits() -> None:
    assert share([a_demand(1, waiting=3), a_demand(2)], window=64, most=64) == {1: 3, 2: 61}


def test_workspaces_share_alike_however_many_jobs_they_have() -> None:
    demands = [a_demand(n, workspace="many") for n in range(8)] + [a_demand(8, workspace="one")]

    given_places = share(demands, window=64, most=64)

    assert given_places == {**dict.fromkeys(range(8), 4), 8: 32}


def test_what_is_in_flight_already_counts() -> None:
    demands = [a_demand(1, in_flight=30), a_demand(2)]

    assert share(demands, window=64, most=64) == {1: 2, 2: 32}


def test_a_job_with_nothing_in_flight_gets_a_place_in_a_full_window() -> None:
    demands = [a_demand(1, in_flight=64), a_demand(2), a_demand(3, workspace="other")]

    assert share(demands, window=64, most=64) == {2: 1, 3: 1}


def test_a_full_window_gives_nothing_to_those_who_have_something_in_flight() -> None:
    demands = [a_demand(1, in_flight=63), a_demand(2, in_flight=1)]

    assert share(demands, window=64, most=64) == {}


def test_no_more_is_given_than_asked_for_and_the_neediest_come_first() -> None:
    demands = [a_demand(1, in_flight=10), a_demand(2), a_demand(3, workspace="other")]

    assert share(demands, window=64, most=2) == {2: 1, 3: 1}


DEMANDS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.integers(min_value=0, max_value=20),
        st.integers(min_value=0, max_value=20),
    ),
    max_size=12,
).map(
    lambda found: [
        a_demand(number, workspace=workspace, in_flight=in_flight, waiting=waiting)
        for number, (workspace, in_flight, waiting) in enumerate(found)
    ]
)


@given(demands=DEMANDS, window=st.integers(1, 40), most=st.integers(1, 40))
def test_the_window_is_filled_and_never_passed_but_for_first_places(
    demands: list[Demand], window: int, most: int
) -> None:
    places = share(demands, window=window, most=most)

    starving = [d for d in demands if d.waiting and not d.in_flight]
    in_flight = sum(d.in_flight for d in demands)
    free = max(window - in_flight, 0)
    waiting = sum(d.waiting for d in demands)
    assert all(0 < places[d.job_no] <= d.waiting for d in demands if d.job_no in places)
    assert sum(places.values()) == min(most, waiting, max(free, len(starving)))
    if most >= len(starving):
        assert all(d.job_no in places for d in starving)


@given(demands=DEMANDS, window=st.integers(1, 40))
def test_no_workspace_is_ahead_of_another_that_still_waits(
    demands: list[Demand], window: int
) -> None:
    places = share(demands, window=window, most=1000)

    load = Counter[str]()
    for demand in demands:
        load[demand.workspace] += demand.in_flight + places.get(demand.job_no, 0)
    still_waiting = {d.workspace for d in demands if d.waiting > places.get(d.job_no, 0)}
    second_places = {
        d.workspace for d in demands if places.get(d.job_no, 0) > (0 if d.in_flight else 1)
    }
    for served in second_places:
        for behind in still_waiting:
            assert load[served] <= load[behind] + 1
