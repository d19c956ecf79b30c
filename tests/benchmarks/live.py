"""Seconds of a job with a live model, and what a recorded job loses by running beside it, alternating in one run.

usage: python -m tests.benchmarks.live [--calls 1000] [--call-seconds 0.2] [--parallelism 50] [--rows 100000] [--rounds 5]

Starts its own servers and a model endpoint on loopback, and stops them. Prints one JSON document; progress goes to
stderr. Ideal is what the calls alone take: calls x seconds / parallelism.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

from evalbus.client import Client
from tests.acceptance.live import LOCAL, a_live_benchmark, after
from tests.benchmarks.throughput import TEMPLATED, job_seconds
from tests.benchmarks.whole_system import whole_system
from tests.servers.openai_endpoint import OpenAIEndpoint
from tests.system import generate_rows, write_benchmark

# The settings of production, but for what a loopback endpoint needs.
SETTINGS = {"EVALBUS_ALLOW_PRIVATE_ENDPOINTS": LOCAL["EVALBUS_ALLOW_PRIVATE_ENDPOINTS"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--call-seconds", type=float, default=0.2)
    parser.add_argument("--parallelism", type=int, default=50)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evalbus-live-") as folder:
        print(json.dumps(measure(Path(folder), options), indent=2))


def measure(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    recorded = write_benchmark(
        folder, generate_rows(options.rows, folder / "rows.jsonl"), metrics=TEMPLATED
    )
    seconds: dict[str, list[float]] = {"live": [], "recorded": [], "recorded_beside_live": []}
    numbers = count()
    with (
        whole_system(folder, SETTINGS) as (system, _),
        OpenAIEndpoint(after(options.call_seconds)) as endpoint,
    ):

        def live() -> dict[str, object]:
            # Named apart and not cached, so that each is asked anew.
            return a_live_benchmark(
                endpoint,
                rows=options.calls,
                name=f"live-{next(numbers)}",
                model={"cache": "off"},
                params={"parallelism": options.parallelism},
            )

        with Client(amqp_url=system.amqp_url) as client:
            for turn in range(options.rounds + 1):
                alone = started(client, live())
                plain = job_seconds(client, recorded)
                beside = client.jobs.start(live())
                together = job_seconds(client, recorded)
                client.jobs.wait(beside.name)
                print(f"round {turn}: {alone:.2f} {plain:.2f} {together:.2f} s", file=sys.stderr)
                if turn:
                    for name, value in zip(seconds, (alone, plain, together), strict=True):
                        seconds[name].append(value)
        most = endpoint.most_at_once
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        "calls": options.calls,
        "call_seconds": options.call_seconds,
        "parallelism": options.parallelism,
        "most_calls_at_once": most,
        "ideal_s": options.calls * options.call_seconds / options.parallelism,
        "live_s": round(medians["live"], 2),
        "recorded_rows": options.rows,
        "recorded_rows_per_s": round(options.rows / medians["recorded"]),
        "recorded_beside_live_ratio": round(
            medians["recorded"] / medians["recorded_beside_live"], 3
        ),
    }


def started(client: Client, benchmark: dict[str, object]) -> float:
    """From the command until the result can be queried."""
    begin = time.perf_counter()
    job = client.jobs.wait(client.jobs.start(benchmark).name)
    assert job.status == "completed", job.error
    client.results.get(job.name)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
