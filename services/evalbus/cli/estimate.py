"""How many rows a benchmark will probably have, so that a bar can say when it ends; the job itself counts exactly."""

from pathlib import Path

from evalbus.errors import Refused
from evalbus_schemas.benchmark import Benchmark

COUNTED_BYTES_MAX = 1024**3
"""Counting lines is fast, yet nobody should notice it."""
PIECE_BYTES = 1024 * 1024


def rows_expected(benchmark: Benchmark) -> int | None:
    """Rows once for every model; None where the files are not at hand or are too large to count. Blocks."""
    try:
        return _rows(benchmark)
    except (Refused, OSError):
        # The services may read where this process cannot.
        return None


def _rows(benchmark: Benchmark) -> int | None:
    from evalbus.datasets.places import (
        find_files,  # brings every format, and most commands need none
    )

    total, bytes_left = 0, COUNTED_BYTES_MAX
    for dataset in benchmark.datasets:
        rows = len(dataset.rows or ())
        if dataset.source is not None:
            places = find_files(dataset.source, roots=None, base=Path.cwd())
            bytes_left -= sum(place.path.stat().st_size for place in places)
            if bytes_left < 0:
                return None
            rows = sum(_lines(place.path) for place in places)
        total += min(rows, benchmark.params.limit_samples or rows)
    return total * len(benchmark.models)


def _lines(file: Path) -> int:
    """Rows if every line is one: headers and blank lines count as well, for an estimate may be a little off."""
    count, last = 0, b"\n"
    with file.open("rb") as opened:
        while piece := opened.read(PIECE_BYTES):
            count += piece.count(b"\n")
            last = piece[-1:]
    return count + (last != b"\n")
