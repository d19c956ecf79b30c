"""What files declare is read whole before anything is saved, and every mistake has a place."""

from pathlib import Path

import pytest

from evalbus.client.catalogue_file import in_order, read_declared, read_one
from evalbus.errors import Invalid
from evalbus.producer.catalogue import new_revision
from evalbus_schemas.benchmark import BenchmarkFile, Dataset, MetricPlugin
from evalbus_schemas.catalogue import About

BENCHMARK = "name: quiz\ndatasets: [team/rows]\nmodels: [team/m]\nmetrics: [team/e]\n"
LISTS = """\
workspace: team
benchmarks:
  - {name: quiz, datasets: [team/rows, {name: near, source: near.csv}], models: [team/m], metrics: [team/e]}
metrics:
  - {name: e, type: exact-match, reference: x, about: {version: "7", additional_info: {by: us}}}
datasets:
  - {name: rows, source: [a.csv, sub/*.csv, "s3://bucket/b.csv", "upload://0/c.csv", /d.csv]}
"""


def written(tmp_path: Path, text: str, name: str = "things.yaml") -> Path:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    return file


def test_lists_and_benchmarks_may_stand_in_several_documents(tmp_path: Path) -> None:
    file = written(tmp_path, f"{LISTS}---\n{BENCHMARK}---\n")

    declared = in_order(read_declared(file))

    assert [(each.kind, each.definition.name, each.workspace) for each in declared] == [
        ("dataset", "rows", "team"),
        ("metric", "e", "team"),
        ("benchmark", "quiz", "team"),
        ("benchmark", "quiz", None),
    ]
    dataset, metric, benchmark, _ = (each.definition for each in declared)
    assert isinstance(dataset, Dataset)
    assert isinstance(benchmark, BenchmarkFile)
    assert dataset.sources == (
        f"{tmp_path}/a.csv",
        f"{tmp_path}/sub/*.csv",
        "s3://bucket/b.csv",
        "upload://0/c.csv",
        "/d.csv",
    )
    assert isinstance(benchmark.datasets[1], Dataset)
    assert benchmark.datasets[1].source == f"{tmp_path}/near.csv"
    assert isinstance(metric, MetricPlugin)
    assert metric.parameters == {"reference": "x"}
    assert (declared[1].about.version, declared[1].about.additional_info) == ("7", {"by": "us"})


def test_one_thing_in_a_file_is_read_as_in_a_list(tmp_path: Path) -> None:
    file = written(tmp_path, "name: rows\nsource: rows.csv\nabout: {labels: {a: b}}\n")

    declared = read_one("dataset", file)

    assert declared.definition == Dataset(name="rows", source=f"{tmp_path}/rows.csv")
    assert declared.about.labels == {"a": "b"}


def test_a_metric_keeps_where_people_said_something(tmp_path: Path) -> None:
    written_so = "name: e\ntype: exact-match\nreference: x\nground_truth: '{{ item.label }}'\n"
    metric = read_one("metric", written(tmp_path, written_so)).definition

    assert isinstance(metric, MetricPlugin)
    saved = new_revision("metric", metric, About(), workspace="team", created_by=None).definition
    assert saved == {
        "name": "e",
        "type": "exact-match",
        "reference": "x",
        "ground_truth": "{{ item.label }}",
    }
    assert MetricPlugin.model_validate(saved) == metric


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("datasets: [{name: a, sorce: b}]", "things.yaml: datasets.0.sorce: unknown key; did you mean 'source'?"),
        ("datasets: [{name: a, source: b, about: {suplier: c}}]", "things.yaml: datasets.0.about.suplier"),
        ("metrics: [{name: a}]", "things.yaml: metrics.0.type: is missing"),
        ("model: []", "things.yaml: model: unknown key; did you mean 'models'?"),
        ("workspace: '../x'", "things.yaml: workspace"),
        ("datasets: []\n---\nname: x", "things.yaml, document 2: datasets: is missing"),
        ("datasets: []", "things.yaml: declares nothing"),
        ("# only words", "things.yaml: declares nothing"),
        ("[1]", "things.yaml: wanted a benchmark, or a mapping"),
        ("datasets: [{name: a, rows: [{}]}]\n---\ndatasets: [{name: a, rows: [{}]}]", "things.yaml, document 2: datasets.0: dataset 'a' is declared in things.yaml, document 1: datasets.0 as well"),
        ("a: &a [*a]", "alias"),
        ("datasets: [{name: a, rows: [{n: .inf}]}]", "inf is not a number"),
    ],
)  # fmt: skip
def test_a_mistake_names_the_file_and_the_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(Invalid) as raised:
        in_order(read_declared(written(tmp_path, text)))

    assert says in raised.value.message


def test_json_has_one_document(tmp_path: Path) -> None:
    one = written(tmp_path, '{"datasets": [{"name": "a", "rows": [{}]}]}', "one.json")
    two = written(tmp_path, "{}\n{}", "two.json")

    assert [each.definition.name for each in read_declared(one)] == ["a"]
    with pytest.raises(Invalid, match=r"two\.json:2:1"):
        read_declared(two)


def test_the_example_declares_every_kind() -> None:
    examples = Path(__file__).parents[2] / "deploy" / "examples"

    declared = in_order(read_declared(examples / "catalogue.yaml"))

    assert {each.kind for each in declared} == {"dataset", "model", "metric", "benchmark"}
    for each in declared:
        if isinstance(each.definition, Dataset):
            assert Path(*each.definition.sources).is_file()
