"""Rows per second of the plain script, of embedded mode, and of RabbitMQ + Postgres, alternating in one run.

usage: python -m tests.benchmarks.throughput [--rows 100000] [--rounds 5] [--only script,embedded,distributed]

Starts its own servers in a scratch folder and stops them. Prints one JSON document; progress goes to stderr.
The clock of a job runs from the command until its result can be queried.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from evalbus.client import Client
from tests.benchmarks.whole_system import whole_system
from tests.system import generate_rows, write_benchmark

HERE = Path(__file__).parent

TEMPLATED = (
    {"name": "exact-match", "type": "exact-match", "reference": "{{ item.reference }}"},
    {"name": "f1", "type": "f1", "reference": "{{ item.reference }}"},
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="script,embedded,distributed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evalbus-throughput-") as folder:
        print(json.dumps(measure(Path(folder), options), indent=2))


def measure(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    rows = generate_rows(options.rows, folder / "rows.jsonl")
    file = write_benchmark(folder, rows, metrics=TEMPLATED)
    wanted = options.only.split(",")
    rates: dict[str, list[float]] = {name: [] for name in wanted}
    peaks = Peaks()
    with peaks.watched(), runners(folder, file, wanted, peaks) as ways:
        for turn in range(options.rounds + 1):
            for name, run in ways.items():
                rate = options.rows / run()
                note = "warm-up" if turn == 0 else f"round {turn}"
                print(f"{note} {name}: {rate:,.0f} rows/s", file=sys.stderr)
                if turn:
                    rates[name].append(rate)
    return report(options.rows, rates, peaks)


def report(rows: int, rates: dict[str, list[float]], peaks: "Peaks") -> dict[str, object]:
    medians = {name: statistics.median(found) for name, found in rates.items()}
    script = medians.get("script")
    return {
        "rows": rows,
        **{
            name: {"rows_per_s": round(median)}
            | ({"ratio": round(median / script, 3)} if script and name != "script" else {})
            for name, median in medians.items()
        },
        "peak_rss_mb": peaks.mb,
    }


@contextmanager
def runners(
    folder: Path, file: Path, wanted: list[str], peaks: "Peaks"
) -> Iterator[dict[str, Callable[[], float]]]:
    """One function for each way, which runs it once and gives its seconds."""
    ways: dict[str, Callable[[], float]] = {}
    if "script" in wanted:
        ways["script"] = lambda: script_seconds(folder)
    if "embedded" in wanted:
        ways["embedded"] = lambda: embedded_seconds(folder, file, peaks)
    if "distributed" not in wanted:
        yield ways
        return
    with whole_system(folder) as (system, pids), Client(amqp_url=system.amqp_url) as client:
        for name, pid in pids.items():
            peaks.add(name, pid)
        ways["distributed"] = lambda: job_seconds(client, file)
        yield ways


def script_seconds(folder: Path) -> float:
    done = subprocess.run(
        [sys.executable, str(HERE / "floor.py"), str(folder / "rows.jsonl"), str(folder / "out")],
        check=True,
        capture_output=True,
    )
    seconds: float = json.loads(done.stdout)["seconds"]
    return seconds


def embedded_seconds(folder: Path, file: Path, peaks: "Peaks") -> float:
    """In a process of its own, as a user would; starting and stopping the servers is not the job's time."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.embedded_job", str(folder / "data"), str(file)],
        stdout=subprocess.PIPE,
        cwd=HERE.parent.parent,
        env={name: value for name, value in os.environ.items() if not name.startswith("EVALBUS_")},
    )
    peaks.add("embedded", process.pid)
    out, _ = process.communicate()
    assert process.returncode == 0, "the embedded job failed"
    seconds: float = json.loads(out)["seconds"]
    return seconds


def job_seconds(client: Client, file: Path) -> float:
    start = time.perf_counter()
    started = client.jobs.start(file)
    job = client.jobs.wait(started.name)
    assert job.status == "completed", job
    client.results.get(job.name)
    return time.perf_counter() - start


class Peaks:
    """The largest resident memory of each process and its children, sampled twenty times a second."""

    def __init__(self) -> None:
        self._pids: dict[str, int] = {}
        self.mb: dict[str, int] = {}
        self._over = threading.Event()

    def add(self, name: str, pid: int) -> None:
        self._pids[name] = pid

    @contextmanager
    def watched(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            for name, pid in list(self._pids.items()):
                self._sample(name, pid)
                for child in _children(pid):
                    if name not in ("rabbitmq", "postgres") and not _is_postgres(child):
                        self._sample(f"{name} child", child)

    def _sample(self, name: str, pid: int) -> None:
        self.mb[name] = max(self.mb.get(name, 0), rss_mb(pid))


def _children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _is_postgres(pid: int) -> bool:
    try:
        return "postgres" in Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return True


def rss_mb(pid: int | str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS")), 0)


if __name__ == "__main__":
    main()
