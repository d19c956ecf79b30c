"""The metric of somebody else's package in deploy/examples: found by its entry point, used as a built-in one is."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from evalbus.evaluator.scoring import score_chunk
from evalbus.metrics.explaining import explain, metric_kinds
from tests.scoring import a_chunk_of, a_plugin, parsed
from tests.system import clean_environment, evalbus

PACKAGE = Path(__file__).parents[2] / "deploy" / "examples" / "metric_plugin"

ROWS: list[dict[str, object]] = [
    {"sources": ["Smith", "Jones"], "output": "Smith says so."},
    {"sources": "Jones", "output": "Jones (2020)"},
    {"sources": [], "output": "Nobody says so."},
]


@pytest.fixture
def search_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The package as `pip install -e` would leave it, for this process; the path is for others."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    name, release = project["name"], project["version"]
    record = tmp_path / f"{name.replace('-', '_')}-{release}.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {release}\n")
    points = [
        line
        for group, named in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{point} = {value}" for point, value in named.items()))
    ]
    (record / "entry_points.txt").write_text("\n".join(points))
    for folder in (tmp_path, PACKAGE):
        monkeypatch.syspath_prepend(folder)
    return f"{tmp_path}:{PACKAGE}"


@pytest.mark.usefixtures("search_path")
def test_rows_of_a_benchmark_are_scored_with_it() -> None:
    # given
    plugin = a_plugin("citations", sources="{{ item.sources }}")
    lines = [json.dumps(row).encode() for row in ROWS]
    _, body = a_chunk_of(lines, metrics=[plugin])

    # when
    scored = parsed(score_chunk(body))

    # then
    assert scored.columns == ((0.5, 1.0, None),)
    assert scored.notes == {2: "no_reference"}
    assert not scored.failed


@pytest.mark.usefixtures("search_path")
def test_it_is_listed_and_explained_with_the_package_that_brings_it() -> None:
    listed = metric_kinds()[-1]
    explained = explain("citations")

    assert listed.type == "citations"
    assert (listed.family, listed.distribution) == (None, "evalbus-citations 1.0")
    assert [score.name for score in explained.scores] == ["named"]
    assert [score.name for score in explained.corpus_scores] == ["named_of_all"]
    assert [each.name for each in explained.parameters] == ["sources", "candidate"]


def test_the_command_line_finds_it(search_path: str, tmp_path: Path) -> None:
    shown = subprocess.run(
        evalbus("metrics", "show", "citations"),
        cwd=tmp_path,
        env=clean_environment({"PYTHONPATH": search_path}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("citations  (plug-in of evalbus-citations 1.0)\n")


def test_its_own_tests_pass_where_it_is_installed(search_path: str) -> None:
    tested = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            PACKAGE,
            PACKAGE,
        ],
        env=clean_environment({"PYTHONPATH": search_path, "PYTHONDONTWRITEBYTECODE": "1"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert " passed" in tested.stdout
