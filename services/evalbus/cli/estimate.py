"""How many rows a benchmark will probably have, so that a bar can say when it ends; the job itself counts exactly."""

from pathlib import Path

from evalbus.client.benchmark_file import is_url
from evalbus.errors import Refused
from evalbus_schemas.benchmark import Benchmark, BenchmarkFile, Dataset

COUNTED_BYTES_MAX = 1024**3
"""Counting lines is fast, yet nobody should notice it."""
PIECE_BYTES = 1024 * 1024
LINE_FORMATS = frozenset({"csv", "tsv", "jsonl", "ndjson"})


def rows_expected(benchmark: Benchmark | BenchmarkFile) -> int | None:
    """Rows once for every model; None where the files are not at hand or cannot be counted quickly. Blocks."""
    try:
        return _rows(benchmark)
    except (Refused, OSError):
        # The services may read where this process cannot.
        return None


def _rows(benchmark: Benchmark | BenchmarkFile) -> int | None:
    total, bytes_left = 0, COUNTED_BYTES_MAX
    for dataset in benchmark.datasets:
        if isinstance(dataset, str):
            return None
        rows = len(dataset.rows or ())
        for source in dataset.sources:
            files = _line_by_line(source, dataset)
            bytes_left -= sum(file.stat().st_size for file in files)
            if not files or bytes_left < 0:
                return None
            rows += sum(_lines(file) for file in files)
        total += min(rows, benchmark.params.limit_samples or rows)
    return total * len(benchmark.models)


def _line_by_line(source: str, dataset: Dataset) -> list[Path]:
    """The files of a source, if each line of them is a row; else none."""
    if is_url(source):
        return []
    from evalbus.datasets.formats import (
        is_known,
    )  # brings every format, and most commands need none
    from evalbus.datasets.places import find_files

    def is_wanted(name: str) -> bool:
        return dataset.format is not None or is_known(name)

    places = find_files(source, roots=None, base=Path.cwd(), is_wanted=is_wanted)
    files = [place.path for place in places]
    written = {dataset.format or file.suffix.removeprefix(".").lower() for file in files}
    return files if written <= LINE_FORMATS else []


def _lines(file: Path) -> int:
    """Rows if every line is one: headers and blank lines count as well, for an estimate may be a little off."""
    count, last = 0, b"\n"
    with file.open("rb") as opened:
        while piece := opened.read(PIECE_BYTES):
            count += piece.count(b"\n")
            last = piece[-1:]
    return count + (last != b"\n")
