"""What goes with wrong answers of real models, found in their stored rows and told at the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from evalbus import BenchmarkJob, Client
from tests.acceptance.test_numbers import GSM8K_RIGHT, gsm8k
from tests.servers.deadline import wait_until
from tests.system import System

MODELS = tuple(f"default/{name.replace('_', '-')}" for name in GSM8K_RIGHT)
LONGER_SOLUTIONS = "item.ground_truth:characters"
LARGER_NUMBERS = "item.question:largest_number"


@pytest.fixture
def explained(services: System, real_data: Path) -> Any:
    """The explanations of four models on 1,319 questions, and the system that has them."""
    services.run("run", str(gsm8k(services.folder, real_data)), "--name", "maths")
    return services.ask("results", "explain", "maths")


def test_longer_solutions_go_with_wrong_answers_of_real_models(
    services: System, explained: Any
) -> None:
    (score,) = explained["metric_dependent"]
    found = {(one["model"], one["feature"]): one for one in score["drivers"]["found"]}

    # Unprompted: nobody said that lengths, numbers or this field matter.
    for model in MODELS:
        longer = found[model, LONGER_SOLUTIONS]
        assert longer["goes_with"] == "worse"
        assert longer["difference"] < -0.3
        assert longer["interval_of_all"][1] < -0.2
        assert longer["p_adjusted"] < 1e-20
    # Larger numbers in the question do so less, and certainly only for the weakest of the four.
    assert [model for model, feature in found if feature == LARGER_NUMBERS] == [MODELS[0]]
    assert -0.2 < found[MODELS[0], LARGER_NUMBERS]["difference"] < -0.08
    # Whether an answer is right stands beside it in the data; that is no finding.
    assert not any("is_correct" in feature for _, feature in found)
    assert score["score_id"] == "right"
    assert [one["mean"] for one in score["summary"]["models"]] == pytest.approx(
        [right / 1319 for right in GSM8K_RIGHT.values()], abs=1e-5
    )
    best_and_worst = score["models"]["pairs"][2]
    assert (best_and_worst["better"], best_and_worst["worse"]) == (43, 499)
    assert explained["metric_independent"][0]["rows"]["looked_at"] == 1319

    text = services.run("results", "explain", "maths")
    markdown = services.run("results", "explain", "maths", "--md")
    assert 'rows with the most characters in "ground_truth" (324 or more) score 0.434 lower' in text
    assert markdown.startswith("# Explanations\n")
    assert "## right on rows\n" in markdown

    with Client(amqp_url=services.amqp_url) as client:
        run = BenchmarkJob("maths", "completed", "default/gsm8k", client=client)
        assert (
            json.loads(json.dumps(run.get_localized_explanations(True)))["right"]["drivers"]
            == (score["drivers"])
        )
        assert client.results.explain("maths").model_dump(mode="json") == explained


def test_a_job_that_has_not_completed_is_explained_from_what_there_is(services: System) -> None:
    rows = [{"q": f"question {number}", "output": "a", "reference": "a"} for number in range(40)]
    file = services.folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    services["evaluator-0"].stop()
    benchmark = {
        "name": "waiting",
        "datasets": [{"name": "rows", "source": str(file)}],
        "models": [{"name": "m", "type": "recorded", "output": "{{ item.output }}"}],
        "metrics": [{"name": "exact", "type": "exact-match", "reference": "{{ item.reference }}"}],
    }
    (services.folder / "waiting.yaml").write_text(json.dumps(benchmark))
    services.run("run", "--detach", str(services.folder / "waiting.yaml"), "--name", "waiting")

    def is_read() -> bool:
        found = services.ask("results", "explain", "waiting")
        looked_at: int = found["metric_independent"][0]["rows"]["looked_at"]
        return looked_at == 40

    wait_until(is_read, timeout_seconds=60, otherwise=lambda: "its rows are not stored")
    found = services.ask("results", "explain", "waiting")
    services.run("results", "explain", "nobody", code=1)

    assert found["partial"] is True
    assert found["text"].startswith("The job has not completed")
    assert found["metric_dependent"][0]["summary"]["models"] == [
        {"model": "default/m", "count": 0, "without_value": 0, "mean": None}
    ]
