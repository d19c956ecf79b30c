"""How fast a job becomes a file of each format, and that the memory it takes does not grow with the rows.

usage: python -m tests.benchmarks.export [--rows 100000] [--only embedded,distributed] [--formats jsonl,json,csv,parquet]

Starts its own servers in a scratch folder and stops them. Prints one JSON document; progress goes to stderr. The memory is
that of the exporting process (embedded: of the whole system but its Postgres) and of the services, in MB, at every
100,000 rows or tenth of them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from evalbus.client import Client
from tests.benchmarks.whole_system import whole_system
from tests.system import generate_rows, write_benchmark

ROOT = Path(__file__).parents[2]
METRICS = ({"name": "exact-match", "type": "exact-match", "reference": "{{ item.reference }}"},)
JOB = "exported"
STEP_ROWS_MAX = 100_000
AT_WORK = ("results",)
"""The services that an export to a file on this machine concerns."""


def run(client: Client, file: Path) -> None:
    client.jobs.start(file, job=JOB)
    job = client.jobs.wait(JOB)
    assert job.status == "completed", job
    print(f"scored {job.rows} rows", file=sys.stderr)


def exports(
    place: str, folder: Path, options: argparse.Namespace, pids: Mapping[str, int]
) -> object:
    """In a process of its own, whose memory is that of an export and nothing else."""
    step = min(STEP_ROWS_MAX, max(options.rows // 10, 1))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.benchmarks.export_job"),
            *(place, JOB, options.formats, str(folder), str(step)),
            *(f"{name}={pid}" for name, pid in pids.items()),
        ],
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("EVALBUS_")},
    )
    return json.loads(done.stdout)


def embedded(folder: Path, file: Path, options: argparse.Namespace) -> object:
    data = folder / "data"
    with Client.embedded(data_dir=data) as client:
        run(client, file)
    return exports(str(data), folder, options, {})


def distributed(folder: Path, file: Path, options: argparse.Namespace) -> object:
    with whole_system(folder) as (system, pids):
        with Client(amqp_url=system.amqp_url) as client:
            run(client, file)
        return exports(system.amqp_url, folder, options, {name: pids[name] for name in AT_WORK})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--only", default="embedded,distributed")
    parser.add_argument("--formats", default="jsonl,json,csv,parquet")
    options = parser.parse_args()
    ways = {"embedded": embedded, "distributed": distributed}
    with tempfile.TemporaryDirectory(prefix="evalbus-export-") as name:
        folder = Path(name)
        file = write_benchmark(
            folder, generate_rows(options.rows, folder / "rows.jsonl"), metrics=METRICS
        )
        found = {way: ways[way](folder, file, options) for way in options.only.split(",")}
    print(json.dumps({"rows": options.rows, **found}, indent=2))


if __name__ == "__main__":
    main()
