"""Who gets the free places: workspaces alike, then the jobs inside each, nobody fewer than one.

Recorded models share a window of chunks; live ones share what their jobs and endpoints bear of calls at once.
"""

import heapq
from collections import Counter
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


CALLS_PER_CHUNK = 4
"""A chunk asks for so many rows at once, if its job and endpoint bear it, so that it pays to hand it out."""
CALLS_PER_CHUNK_MAX = 16
CHUNKS_SIDE_BY_SIDE = 6
"""Where a job may make many calls, its chunks get more of them instead of becoming ever more: while one is stored and
the next sent, the others go on."""


@dataclass(frozen=True, kw_only=True)
class LiveDemand:
    """What one model of a job has in flight, counted in calls at once, and how many of its chunks wait.

    It is live, or its answers are asked about by live metrics.
    """

    job_no: int
    model_no: int
    workspace: str
    endpoints: frozenset[str]
    """Any of which all calls of a chunk may go to."""
    parallelism: int
    """Of the job, over all its live models."""
    endpoint_parallelism: int
    in_use: int
    chunks_in_flight: int
    waiting: int
    chunk_rows: int


@dataclass(frozen=True, kw_only=True)
class Allotment:
    """A chunk of this model may be sent, and ask for so many rows at once."""

    job_no: int
    model_no: int
    concurrency: int


def calls_per_chunk(parallelism: int, endpoint_parallelism: int) -> int:
    """The least that a chunk is handed out with."""
    bearable = min(parallelism, endpoint_parallelism)
    wanted = max(CALLS_PER_CHUNK, bearable // CHUNKS_SIDE_BY_SIDE)
    return min(wanted, CALLS_PER_CHUNK_MAX, bearable)


def share_calls(demands: Sequence[LiveDemand], *, window: int, most: int) -> list[Allotment]:
    """At most so many chunks to send now; no job and no endpoint is ever given more calls than it bears.

    A job with nothing in flight may send even if the window of chunks is full. When few chunks wait, each gets more calls, so that the end of a job does not leave places empty.
    """
    of_job: Counter[int] = Counter()
    of_workspace: Counter[str] = Counter()
    of_endpoint: Counter[str] = Counter()
    of_model: Counter[tuple[int, int]] = Counter()
    waiting: Counter[tuple[int, int]] = Counter()
    in_flight = 0
    for demand in demands:
        _use(demand, demand.in_use, of_job, of_workspace, of_endpoint, of_model)
        in_flight += demand.chunks_in_flight
        waiting[demand.job_no, demand.model_no] = demand.waiting

    def room(demand: LiveDemand) -> int:
        return min(
            demand.parallelism - of_job[demand.job_no],
            *(demand.endpoint_parallelism - of_endpoint[place] for place in demand.endpoints),
        )

    def order(demand: LiveDemand) -> tuple[int, int, int, int, int]:
        model = (demand.job_no, demand.model_no)
        return (of_workspace[demand.workspace], of_job[demand.job_no], of_model[model], *model)

    given: list[Allotment] = []
    while len(given) < most:
        able = [
            demand
            for demand in demands
            if waiting[demand.job_no, demand.model_no]
            and room(demand) >= _least(demand)
            and (in_flight < window or of_job[demand.job_no] == 0)
        ]
        if not able:
            break
        demand = min(able, key=order)
        chunks = sum(count for (job_no, _), count in waiting.items() if job_no == demand.job_no)
        concurrency = max(_least(demand), min(room(demand) // chunks, demand.chunk_rows))
        if room(demand) - concurrency < _least(demand):
            # What would be left is too little for another chunk.
            concurrency = max(concurrency, min(room(demand), demand.chunk_rows))
        given.append(
            Allotment(job_no=demand.job_no, model_no=demand.model_no, concurrency=concurrency)
        )
        _use(demand, concurrency, of_job, of_workspace, of_endpoint, of_model)
        in_flight += 1
        waiting[demand.job_no, demand.model_no] -= 1
    return given


def _least(demand: LiveDemand) -> int:
    return calls_per_chunk(demand.parallelism, demand.endpoint_parallelism)


def _use(
    demand: LiveDemand,
    calls: int,
    of_job: "Counter[int]",
    of_workspace: "Counter[str]",
    of_endpoint: "Counter[str]",
    of_model: "Counter[tuple[int, int]]",
) -> None:
    of_job[demand.job_no] += calls
    of_workspace[demand.workspace] += calls
    of_endpoint.update(dict.fromkeys(demand.endpoints, calls))
    of_model[demand.job_no, demand.model_no] += calls
