"""Who gets the free places of the window: workspaces alike, then the jobs inside each, nobody fewer than one."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What one job has in flight, and how many of its chunks wait."""

    job_no: int
    workspace: str
    in_flight: int
    waiting: int


def share(demands: Sequence[Demand], *, window: int, most: int) -> dict[int, int]:
    """How many chunks of each job to send now, `most` in all.

    Place after place goes to the workspace with the fewest chunks in flight, and there to the job with the fewest.
    A job with nothing in flight gets one place even if the window is full; the other places respect the window.
    """
    in_flight = {demand.job_no: demand.in_flight for demand in demands}
    waiting = {demand.job_no: demand.waiting for demand in demands}
    of_workspace: dict[str, int] = {}
    for demand in demands:
        of_workspace[demand.workspace] = of_workspace.get(demand.workspace, 0) + demand.in_flight
    total = sum(in_flight.values())

    given: dict[int, int] = {}

    def order(demand: Demand) -> tuple[bool, int, int, int]:
        load = in_flight[demand.job_no]
        return (load > 0, of_workspace[demand.workspace], load, demand.job_no)

    queue = [(order(demand), i) for i, demand in enumerate(demands) if demand.waiting]
    heapq.heapify(queue)
    while queue and sum(given.values()) < most:
        key, i = heapq.heappop(queue)
        demand = demands[i]
        if key != order(demand):
            # Its workspace was served since: look again at its turn.
            heapq.heappush(queue, (order(demand), i))
            continue
        if total >= window and in_flight[demand.job_no] > 0:
            break
        given[demand.job_no] = given.get(demand.job_no, 0) + 1
        in_flight[demand.job_no] += 1
        of_workspace[demand.workspace] += 1
        total += 1
        waiting[demand.job_no] -= 1
        if waiting[demand.job_no]:
            heapq.heappush(queue, (order(demand), i))
    return given
