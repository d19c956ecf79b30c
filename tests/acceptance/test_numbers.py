"""The numbers, from the command line: as published, and the same on every way of running."""

import json
from pathlib import Path
from typing import Any

import pytest

from evalbus.client import Client
from tests.system import System, clean_environment, ran, write_benchmark

FIVE_ROWS = (
    {"input": "What is 2+2?", "output": "The answer is 4", "reference": "4"},
    {"input": "Capital of France?", "output": "Paris is the capital", "reference": "Paris"},
    {"input": "Color of sky?", "output": "Blue", "reference": "blue"},
    {"input": "Largest planet?", "output": "Jupiter", "reference": "Jupiter"},
    {"input": "Water formula?", "output": "H2O", "reference": "H2O"},
)

FIVE_METRICS = (
    {"name": "exact-match", "type": "exact-match", "reference": "{{ item.reference }}"},
    {
        "name": "string-check",
        "type": "string-check",
        "operation": "contains",
        "left_template": "{{ sample.output_text }}",
        "right_template": "{{ item.reference }}",
    },
)

GSM8K_RIGHT = {
    "6b_finetuning": 286,
    "6b_verification": 515,
    "175b_finetuning": 458,
    "175b_verification": 742,
}


def run_embedded(folder: Path, *arguments: str, code: int = 0, **settings: str) -> Any:
    """The document of an embedded run in a process of its own."""
    environment = clean_environment({"EVALBUS_DATA_DIR": str(folder / "data")} | settings)
    done = ran("run", *arguments, "--json", environment=environment, code=code, seconds=300)
    return json.loads(done.stdout)


def gsm8k(folder: Path, data: Path) -> Path:
    source = data / "gsm8k" / "example_model_solutions.jsonl"
    copy = folder / "gsm8k-rows.jsonl"
    copy.write_bytes(source.read_bytes())
    return write_benchmark(
        folder,
        copy,
        name="gsm8k",
        models=[
            {
                "name": name.replace("_", "-"),
                "type": "recorded",
                "output": "{{ item['" + name + "'].solution }}",
                "fields": {"is_correct": "{{ item['" + name + "'].is_correct }}"},
            }
            for name in GSM8K_RIGHT
        ],
        metrics=[
            {
                "name": "right",
                "type": "number-check",
                "operation": "==",
                "left_template": "{{ sample.output_text }}",
                "right_template": "{{ item.ground_truth }}",
                "ground_truth": "{{ sample.is_correct }}",
            }
        ],
    )


def right_answers(document: Any) -> dict[str, int]:
    return {
        result["model"].removeprefix("default/").replace("-", "_"): result["scores"][0]["sum"]
        for result in document["results"]
    }


def test_the_published_table_of_five_rows(tmp_path: Path) -> None:
    file = write_benchmark(tmp_path, FIVE_ROWS, name="capitals", metrics=FIVE_METRICS)

    document = run_embedded(tmp_path, str(file))

    scores = {result["metric"]: result["scores"][0] for result in document["results"]}
    exact, contains = scores["default/exact-match"], scores["default/string-check"]
    assert (exact["mean"], round(exact["std_dev"], 4), exact["count"]) == (0.6, 0.4899, 5)
    assert (contains["mean"], round(contains["std_dev"], 4), contains["count"]) == (0.8, 0.4, 5)
    assert (exact["min"], exact["max"], exact["nan_count"]) == (0, 1, 0)
    assert document["job"]["status"] == "completed"


def test_real_models_on_real_questions_embedded(tmp_path: Path, real_data: Path) -> None:
    document = run_embedded(tmp_path, str(gsm8k(tmp_path, real_data)))

    assert right_answers(document) == GSM8K_RIGHT
    assert {result["scores"][0]["count"] for result in document["results"]} == {1319}
    # The publisher's own flags are what every model's answers are held against.
    for result in document["results"]:
        agreement = result["scores"][0]["agreement"]
        assert (agreement["count"], agreement["raw"], agreement["kappa"]) == (1319, 1.0, 1.0)


def test_real_models_on_real_questions_over_rabbitmq(services: System, real_data: Path) -> None:
    file = gsm8k(services.folder, real_data)

    document = services.ask("run", str(file), "--name", "gsm8k-job")

    assert right_answers(document) == GSM8K_RIGHT
    with Client(amqp_url=services.amqp_url) as client:
        for row in client.results.rows("gsm8k-job"):
            name = row.model.removeprefix("default/").replace("-", "_")
            published = row.item[name]
            assert isinstance(published, dict)
            assert row.metrics["default/right"][0].value == float(bool(published["is_correct"]))


@pytest.mark.parametrize("chunk_rows", [7, 500])
@pytest.mark.parametrize("evaluators", [1, 2, 4])
def test_neither_chunks_nor_evaluators_show_in_a_result(
    empty_system: System, real_data: Path, chunk_rows: int, evaluators: int
) -> None:
    file = gsm8k(empty_system.folder, real_data)
    embedded = run_embedded(empty_system.folder, str(file))
    empty_system.settings = {
        **empty_system.settings,
        "EVALBUS_CHUNK_ROWS_MAX": str(chunk_rows),
    }
    empty_system.start("producer", "results", "evaluator", evaluators=evaluators)

    distributed = empty_system.ask("run", str(file))

    # Compared as text: to the last bit.
    assert json.dumps(distributed["results"]) == json.dumps(embedded["results"])
