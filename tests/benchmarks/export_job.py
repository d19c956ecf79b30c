"""Exports of one job, timed, with the work of this process and of others, and their memory at every so many datapoints.

usage: python -m tests.benchmarks.export_job AMQP_URL|DATA_DIR JOB FORMATS OUT STEP [NAME=PID …]   prints a JSON document
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from evalbus import (
    Client,
    CsvExportConfig,
    JsonExportConfig,
    JsonlExportConfig,
    ParquetExportConfig,
)
from evalbus.exporting import ExportConfig
from tests.benchmarks.throughput import rss_mb

CONFIGS: Mapping[str, ExportConfig] = {
    "jsonl": JsonlExportConfig(),
    "json": JsonExportConfig(),
    "csv": CsvExportConfig(),
    "parquet": ParquetExportConfig(),
}


def exported(
    client: Client,
    job: str,
    file: Path,
    config: ExportConfig,
    *,
    step: int,
    pids: Mapping[str, str],
) -> dict[str, object]:
    seen: dict[str, list[int]] = {name: [] for name in pids}

    def tell(datapoints: int, _total: int | None) -> None:
        if datapoints >= step * (1 + min(map(len, seen.values()))):
            for name, pid in pids.items():
                seen[name].append(rss_mb(pid))

    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    start = time.perf_counter()
    written = client.results.export(job, file, config, tell=tell)
    seconds = time.perf_counter() - start
    worked = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
    return {
        "rows_per_s": round(written.datapoints / seconds),
        # What it takes, also where others are at work on the same cores.
        "cpu_us_per_row": {
            name: round(1e6 * taken / written.datapoints, 1) for name, taken in worked.items()
        },
        "bytes": file.stat().st_size,
        "rss_mb": seen,
    }


def cpu_seconds(pid: str) -> float:
    """Of the process by itself; whole hundredths."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    place, job, formats, out, step, *others = sys.argv[1:]
    pids = {"client": "self"} | dict(other.split("=", 1) for other in others)
    client = Client(amqp_url=place) if "://" in place else Client.embedded(data_dir=Path(place))
    with client:
        found = {
            name: exported(
                client, job, Path(out) / f"out.{name}", CONFIGS[name], step=int(step), pids=pids
            )
            for name in formats.split(",")
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
