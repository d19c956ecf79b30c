"""A bar needs to know about how many rows there are, and must not take long to find out."""

from pathlib import Path
from typing import Any

import pytest

from evalbus.cli.estimate import rows_expected
from evalbus.client import load_benchmark

MODELS = [{"name": "m", "type": "recorded", "output": "x"}]
METRICS = [{"name": "e", "type": "exact-match", "reference": "x"}]


@pytest.mark.parametrize(
    ("datasets", "rows"),
    [
        ([{"name": "a", "source": "a.jsonl"}, {"name": "b", "rows": [{}, {}]}], 5),
        ([{"name": "a", "source": ["a.jsonl", "more/*.csv"]}], 5),
        ([{"name": "a", "source": "more"}], 2),
        ([{"name": "a", "source": "a.txt", "format": "jsonl"}], 4),
        ([{"name": "a", "source": "a.jsonl"}, "default/saved"], None),
        ([{"name": "a", "source": "upload://0/a.jsonl"}], None),
        ([{"name": "a", "source": "s3://bucket/a.jsonl"}], None),
        ([{"name": "a", "source": "a.parquet"}], None),
        ([{"name": "a", "source": "a.jsonl.gz"}], None),
        ([{"name": "a", "source": "nowhere.jsonl"}], None),
    ],
)
def test_rows_are_counted_where_lines_are_rows(
    tmp_path: Path, datasets: list[Any], rows: int | None
) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.csv").write_text("a\n1\n")
    (tmp_path / "a.jsonl").write_text("{}\n" * 3)
    (tmp_path / "a.txt").write_text("{}\n" * 4)
    (tmp_path / "a.parquet").write_bytes(b"PAR1\n\n\n")
    (tmp_path / "a.jsonl.gz").write_bytes(b"\x1f\x8b\n\n")
    file = tmp_path / "b.yaml"
    file.write_text(repr({"name": "b", "datasets": datasets, "models": MODELS, "metrics": METRICS}))

    assert rows_expected(load_benchmark(file)) == rows
