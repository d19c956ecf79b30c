"""How long a page of results takes among 100,000, a page of rows among many, and making the result of a large job.

usage: python -m tests.benchmarks.results [--results 100000] [--rows 1000000] [--scores 3]

Starts its own Postgres in a scratch folder. Prints one JSON document with p50 and p95 in milliseconds.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from evalbus.metrics import layout_of
from evalbus.results.aggregates import aggregate
from evalbus.runtime import Stores, open_stores
from evalbus.settings import load_settings
from evalbus.store import postgres
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.queries import ListResults, ListRows
from tests.many_results import write_job, write_results
from tests.servers.postgres import PostgresServer, available_postgres

REPEATS = 60


def benchmark_with(scores: int) -> Benchmark:
    """As many metrics as scores."""
    return Benchmark.model_validate_json(
        json.dumps(
            {
                "name": "bench",
                "datasets": [{"name": "rows", "rows": [{"a": 1}]}],
                "models": [{"name": "m", "type": "recorded", "output": "{{ item.output }}"}],
                "metrics": [
                    {"name": f"m{n}", "type": "exact-match", "reference": "{{ item.reference }}"}
                    for n in range(scores)
                ],
            }
        )
    )


async def measure(options: argparse.Namespace, url: str) -> dict[str, object]:
    await postgres.migrate(url)
    spec = benchmark_with(options.scores)
    assert len(layout_of(spec).scores) == options.scores
    async with open_stores(url, load_settings()) as stores:
        await write_results(url, options.results)
        print("results written", file=sys.stderr)
        pages = await result_pages(stores, options.results)
        await write_job(
            url,
            "whole",
            spec.model_dump_json(),
            rows=options.rows,
            scores=options.scores,
            status="active",
        )
        print("rows written", file=sys.stderr)
        start = time.perf_counter()
        assert await stores.finals.finalize_next(aggregate) == "whole"
        finalize_seconds = time.perf_counter() - start
        rows = await row_pages(stores, options.rows)
    return {
        "results": options.results,
        "rows": options.rows,
        "scores": options.scores,
        "finalize_s": round(finalize_seconds, 2),
        "pages_of_100_results_ms": pages,
        "pages_of_100_rows_ms": rows,
    }


async def result_pages(stores: Stores, count: int) -> dict[str, object]:
    last = count * 9 // 10 // 100
    queries = {
        "first": ListResults(),
        "means_only": ListResults(aggregate_fields=("mean",)),
        "middle": ListResults(page=last // 2),
        "last": ListResults(page=last),
        "by_name": ListResults(sort="name"),
        "of_a_benchmark": ListResults(filter={"benchmark": "default/bench-7"}),
        "of_a_model": ListResults(filter={"model": "default/model-7"}),
        "with_a_label": ListResults(filter={"labels.team": "team-3"}),
        "above_a_mean": ListResults(filter={"scores.exact-match.mean": {"$gt": 0.99}}),
        "searched": ListResults(search={"name": "result-777"}),
    }
    return {
        name: await timed(partial(stores.results.list, query)) for name, query in queries.items()
    }


async def row_pages(stores: Stores, rows: int) -> dict[str, object]:
    queries = {
        "first": ListRows(job="whole"),
        "deep": ListRows(job="whole", after=f"0.0.{rows - 1000}.0"),
        "failed": ListRows(job="whole", failed_only=True),
        "below": ListRows(job="whole", score="m0", below=0.01),
    }
    return {name: await timed(partial(stores.rows.list, query)) for name, query in queries.items()}


async def timed(ask: Callable[[], Awaitable[object]]) -> dict[str, float]:
    taken: list[float] = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        await ask()
        taken.append((time.perf_counter() - start) * 1000)
    cuts = statistics.quantiles(taken, n=20)
    return {"p50": round(statistics.median(taken), 1), "p95": round(cuts[18], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--scores", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evalbus-results-") as folder:
        server = PostgresServer(Path(folder), next(iter(available_postgres().values())))
        server.start()
        try:
            print(json.dumps(asyncio.run(measure(options, server.url)), indent=2))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
