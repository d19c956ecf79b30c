"""`evalbus metrics list` and `show`: what can be known of metrics without any server."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from evalbus.cli.metric_text import explanation_text
from evalbus.metrics import METRICS, LiveMetric
from evalbus.metrics.examples import examples_of, prose_of
from evalbus.metrics.explaining import explain
from evalbus.metrics.parameters import parameters_of
from evalbus_schemas.base import Closed, JsonObject
from evalbus_schemas.benchmark import Template
from tests.system import clean_environment, ran

WIDTH = 80

WITHOUT_SERVER = """
import sys
from importlib.metadata import requires

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {server!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
sys.argv[0] = "evalbus"
from evalbus.cli.main import main
main()
"""
SERVER = {
    *("aiohttp", "asyncpg", "fsspec", "jsonschema", "math_verify", "nltk", "numpy", "pandas"),
    *("rapidfuzz", "re2", "sacrebleu", "sympy"),
}
"""What the client install does not have."""


def run(
    *arguments: str, cwd: Path, settings: dict[str, str] | None = None, without: str = ""
) -> subprocess.CompletedProcess[str]:
    if not without:
        return ran(*arguments, environment=clean_environment(settings or {}), folder=cwd, code=None)
    return subprocess.run(
        [sys.executable, "-c", without, *arguments],
        cwd=cwd,
        env=clean_environment(settings or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def said(*arguments: str, cwd: Path) -> str:
    answer = run(*arguments, cwd=cwd)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_the_list_has_every_metric_with_its_arrows_and_fits_a_terminal(tmp_path: Path) -> None:
    text = said("metrics", "list", cwd=tmp_path)

    lines = text.splitlines()
    assert {line.split(":")[0].strip() for line in lines} >= METRICS.builtin.keys()
    assert "  exact-match: exact-match ↑" in lines
    assert "  llm-judge: for example helpful ↑; asks somebody outside" in lines
    assert max(map(len, lines)) <= WIDTH
    assert list(tmp_path.iterdir()) == []


def test_the_list_is_data_for_programs_and_tables(tmp_path: Path) -> None:
    document = json.loads(said("metrics", "list", "--json", cwd=tmp_path))
    cells = list(csv.DictReader(io.StringIO(said("metrics", "list", "--csv", cwd=tmp_path))))
    table = said("metrics", "list", "--md", cwd=tmp_path)

    by_type = {each["type"]: each for each in document["metric_types"]}
    assert by_type.keys() >= METRICS.builtin.keys()
    assert [each["metric"] for each in cells] == list(by_type)
    for name, kind in METRICS.builtin.items():
        assert by_type[name]["is_live"] is issubclass(kind, LiveMetric)
        assert by_type[name]["scores"], name
        assert f"| {name} |" in table
    assert by_type["f1"]["scores"][0]["direction"] == "higher"
    assert by_type["f1"]["family"] == "overlap"


def test_the_list_can_be_searched(tmp_path: Path) -> None:
    found = json.loads(said("metrics", "list", "--search", "NUMBER-ch", "--json", cwd=tmp_path))

    assert [each["type"] for each in found["metric_types"]] == ["number-check"]


@pytest.mark.parametrize("option", ["--workspace", "--limit"])
def test_options_of_saved_metrics_are_refused_without_saved(tmp_path: Path, option: str) -> None:
    answer = run("metrics", "list", option, "1", cwd=tmp_path)

    assert answer.returncode == 2
    assert "are for --saved" in answer.stderr


def test_explaining_needs_neither_settings_nor_what_the_server_needs(tmp_path: Path) -> None:
    wrong = {"EVALBUS_AMQP_URL": "amqp://127.0.0.1:1", "EVALBUS_RPC_SECONDS": "soon"}
    without = WITHOUT_SERVER.format(server=SERVER)

    listed = run("metrics", "list", "--json", cwd=tmp_path, settings=wrong, without=without)
    shown = run("metrics", "show", "exact-match", cwd=tmp_path, settings=wrong, without=without)

    assert (listed.returncode, shown.returncode) == (0, 0), listed.stderr + shown.stderr
    types = {each["type"] for each in json.loads(listed.stdout)["metric_types"]}
    assert types == METRICS.builtin.keys()
    assert listed.stderr == ""


@pytest.mark.parametrize("name", METRICS.builtin)
def test_every_explanation_fits_a_terminal_and_says_it_all(name: str) -> None:
    # given
    explained = explain(name)

    # when
    text = explanation_text(explained, WIDTH)

    # then
    lines = text.splitlines()
    too_long = [line for line in lines if len(line) > WIDTH and " " in line.strip()]
    assert too_long == []
    assert text == text.strip()
    assert "\n\n\n" not in text
    for score in (*explained.scores, *explained.corpus_scores):
        assert any(line.strip().startswith(score.name) for line in lines), score.name
    for parameter in explained.parameters:
        assert f"\n  {parameter.name}: " in text
    assert "\nFormula " in text
    assert "\nExample\n" in text
    assert ">>>" not in text


def test_a_metric_is_explained_as_text_and_as_data(tmp_path: Path) -> None:
    text = said("metrics", "show", "number-check", cwd=tmp_path)
    document = json.loads(said("metrics", "show", "number-check", "--json", cwd=tmp_path))

    assert text.startswith("number-check  (checks)\n")
    assert "  number-check ↑  0 to 1\n" in text
    assert "  left_template: template; required\n" in text
    found = document["metric_type"]
    assert [each["name"] for each in found["parameters"]] == [
        *("operation", "left_template", "right_template", "epsilon")
    ]
    assert found["examples"][0]["value"] == {"number-check": 1.0}


@pytest.mark.parametrize("name", ["exakt-match", "default/exact-match", "Exact Match!"])
def test_an_unknown_name_gives_the_nearest(tmp_path: Path, name: str) -> None:
    answer = run("metrics", "show", name, cwd=tmp_path)

    assert answer.returncode == 2
    assert answer.stderr.startswith(f"evalbus: unknown metric {name!r}; did you mean 'exact-match'")
    assert answer.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_plug_in_that_cannot_be_loaded_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "broken-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[evalbus.metrics]\nbroken = nowhere:Metric\n")

    answer = run("metrics", "list", cwd=tmp_path, settings={"PYTHONPATH": str(tmp_path)})

    assert answer.returncode == 0, answer.stderr
    assert "exact-match ↑" in answer.stdout
    assert "plug-in of broken 1.0\n  broken\n" in answer.stdout
    assert "No module named 'nowhere'" in answer.stdout


class Level(Closed):
    label: str
    levels: "tuple[Level, ...]" = ()


class Parameters(Closed):
    references: Annotated[tuple[Template, ...], Field(min_length=1, max_length=32)]
    share: Annotated[float, Field(gt=0, le=1, description="Of the whole.")] | None = None
    level: Level | None = None
    by_name: dict[str, int] = {}
    pair: tuple[int, str] = (1, "a")
    raw: Any = None
    free: JsonObject = {}


def test_parameters_are_put_in_words() -> None:
    found = {each.name: each for each in parameters_of(Parameters)}

    assert {name: each.type for name, each in found.items()} == {
        "references": "list of template, 1 to 32",
        "share": "number, above 0, at most 1",
        "level": "Level",
        "by_name": "object of whole number",
        "pair": "list of whole number, text",
        "raw": "anything",
        "free": "object",
    }
    assert [name for name, each in found.items() if each.is_required] == ["references"]
    assert found["share"].description == "Of the whole."
    assert found["references"].description == ""
    (form,) = found["level"].forms
    assert [each.name for each in form.parameters] == ["label", "levels"]
    assert form.parameters[1].forms[0].parameters == (), (
        "what lies in itself is not spelled out again"
    )


def test_examples_are_read_from_a_docstring_without_running_it() -> None:
    documentation = """Measures.

    More of it.

    >>> from evalbus.testing import score_row
    >>> metric = {"type": "f1", "reference": "a"}
    >>> score_row(metric, item={"n": (1, None)}, output_text="a")
    {'f1': nan}
    >>> score_row(made_elsewhere(), item={})
    {'f1': 1.0}

    And after it.
    """

    (example,) = examples_of(documentation)

    assert example.plugin == {"type": "f1", "reference": "a"}
    assert example.given == {"item": {"n": [1, None]}, "output_text": "a"}
    assert example.value == {"f1": None}
    assert prose_of(documentation) == "Measures.\n\nMore of it.\n\nAnd after it."
