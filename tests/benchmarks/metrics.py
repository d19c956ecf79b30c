"""Rows per second of every metric that asks nobody, of one core, beside the library that gives the same.

usage: python -m tests.benchmarks.metrics [--rows 5000] [--only f1,bleu] [--json FILE]

Measured as in a scoring child: chunks of 500 rows whose items and samples are parsed already, templates included; the
median of three. The library is called row by row, with texts ready made. No text is scored twice, by neither of them:
libraries keep what they have seen. Prints a table.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from evalbus.cli.output import Style, write_table
from evalbus.metrics import METRICS, Batch, Columns, LiveMetric, build_metric
from evalbus.writing.tables import Table
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import MetricPlugin
from evalbus_schemas.chunks import RowLimits
from tests.benchmarks.metric_rows import Course, Pair, course_of, plain_rows

CHUNK_ROWS = 500
ROUNDS = 3
ENOUGH_SECONDS = 20.0
"""A slow metric is measured on fewer rows: as many as it does in about this time."""
TRIED_ROWS = 20


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one metric does, and the one beside it; null with the reason in `peer` where there is none."""

    metric: str
    rows: int
    rows_per_s: int
    peer: str
    peer_rows_per_s: int | None
    ratio: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5000, help="of each round")
    parser.add_argument("--only", default="", help="names, by commas")
    parser.add_argument("--json", type=Path, help="where to write the same as one JSON document")
    options = parser.parse_args()
    rows = plain_rows(options.rows * ROUNDS * 2)
    found = [_measured_aloud(name, rows) for name in _wanted(options.only)]
    columns = tuple(Measured.__dataclass_fields__)
    write_table(
        Table(columns=columns, rows=[tuple(asdict(each).values()) for each in found]), Style.TABLE
    )
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(each) for each in found], indent=2) + "\n")


def _wanted(only: str) -> list[str]:
    asks_nobody = [
        name for name, kind in METRICS.builtin.items() if not issubclass(kind, LiveMetric)
    ]
    if not only:
        return asks_nobody
    unknown = set(only.split(",")).difference(asks_nobody)
    if unknown:
        sys.exit(f"no metric that asks nobody: {', '.join(sorted(unknown))}")
    return only.split(",")


def _measured_aloud(name: str, rows: Sequence[JsonObject]) -> Measured:
    found = measured(name, rows)
    print(f"{name}: {found.rows_per_s:,} rows/s", file=sys.stderr)
    return found


def measured(name: str, rows: Sequence[JsonObject]) -> Measured:
    course = course_of(name)
    pairs = course.pairs(rows)
    most = min(len(pairs) // (ROUNDS * 2), _affordable(_scoring(name, course, pairs[:TRIED_ROWS])))
    stretches = [pairs[at * most : (at + 1) * most] for at in range(ROUNDS * 2)]
    ours = _rate([_scoring(name, course, stretch) for stretch in stretches[::2]], most)
    theirs = None
    if course.peer is not None:
        work = course.peer.prepare()
        theirs = _rate([partial(work, stretch) for stretch in stretches[1::2]], most)
    return Measured(
        metric=name,
        rows=most,
        rows_per_s=round(ours),
        peer=course.peer.name if course.peer is not None else f"none: {course.alone}",
        peer_rows_per_s=None if theirs is None else round(theirs),
        ratio=None if theirs is None else round(ours / theirs, 2),
    )


def _scoring(name: str, course: Course, pairs: Sequence[Pair]) -> Callable[[], list[Columns]]:
    """Scores all pairs, chunk by chunk; for corpus scores the counts are made, but not added up."""
    plugin = MetricPlugin.model_validate({"name": name, "type": name, **course.parameters})
    metric = build_metric(plugin, RowLimits())
    items: list[JsonObject] = [{"reference": reference} for reference, _ in pairs]
    samples = [course.sample(answer) for _, answer in pairs]
    starts = range(0, len(pairs), CHUNK_ROWS)
    chunks = [(items[at : at + CHUNK_ROWS], samples[at : at + CHUNK_ROWS]) for at in starts]
    return lambda: [metric.score(Batch(*chunk)) for chunk in chunks]


def _affordable(work: Callable[[], list[Columns]]) -> int:
    """So many rows that both of them are done in about ENOUGH_SECONDS, if they are equally fast."""
    assert not any(columns.notes for columns in work()), "rows that are not scored take no time"
    seconds = max(_seconds(work), 1e-6)
    return max(TRIED_ROWS, int(ENOUGH_SECONDS / ROUNDS / 2 / seconds * TRIED_ROWS))


def _rate(rounds: Sequence[Callable[[], object]], rows: int) -> float:
    """Of the middle round."""
    return rows / statistics.median(map(_seconds, rounds))


def _seconds(work: Callable[[], object]) -> float:
    # Of this process alone, so that others at work on the machine do not count.
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
