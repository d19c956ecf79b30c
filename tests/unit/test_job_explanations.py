"""A17 to A20: explanations by the names that programs ask for them with, and as a person at a terminal reads them."""

import json
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from evalbus import BenchmarkJob, Client
from evalbus.bus.base import Bus, Message
from evalbus.cli.explanations import Section, sections
from evalbus.client.opening import client_settings
from evalbus.errors import NotFound
from evalbus_schemas.explanations import Explanations
from tests.answers import a_bus_that_answers

GOLDEN = Path(__file__).parents[1] / "golden" / "v1" / "results.explain.answer.json"
FOUND = Explanations.model_validate_json(GOLDEN.read_bytes())
NOTHING = FOUND.model_copy(update={"metric_independent": (), "metric_dependent": ()})
INDEPENDENT_TASKS = {"rows", "fields", "lengths", "duplicates", "scripts", "answers"}
TASKS = {"summary", "drivers", "worst_rows", "disagreements", "models", "errors"}


@contextmanager
def a_run(answer: Explanations | Exception) -> Generator[BenchmarkJob]:
    """Of a service that has these explanations."""

    async def explain(_query: BaseModel, _: Message) -> BaseModel:
        if isinstance(answer, Exception):
            raise answer
        return answer

    @asynccontextmanager
    async def opener() -> AsyncGenerator[Bus]:
        async with a_bus_that_answers({"results.explain": explain}) as bus:
            yield bus

    with Client(opener=opener, settings=client_settings(), timeout_seconds=5) as client:
        yield BenchmarkJob("capitals-1", "completed", "team/capitals", client=client)


def test_a17_all_explanations_have_both_keys_and_each_has_a_list() -> None:
    with a_run(FOUND) as run:
        found = run.get_all_explanations()
    with a_run(NOTHING) as run:
        empty = run.get_all_explanations()

    assert set(found) == {"metricInDependent", "metricDependent"}
    assert [item.keys() - INDEPENDENT_TASKS for item in found["metricInDependent"]] == [
        {"scoreId", "datasetId"}
    ]
    assert [item.keys() - TASKS for item in found["metricDependent"]] == [{"scoreId", "datasetId"}]
    assert found["metricDependent"][0]["datasetId"] == "team/rows"
    assert empty == {"metricInDependent": [], "metricDependent": []}
    json.dumps(found, allow_nan=False)


def test_a18_what_the_data_says_is_the_first_item_or_nothing() -> None:
    with a_run(FOUND) as run:
        found = run.get_localized_explanations(metric_dependant=False)
        grouped = run.get_localized_explanations(False, group_by_task=True)
        everything = run.get_all_explanations()
    with a_run(NOTHING) as run:
        empty = run.get_localized_explanations(False)

    assert found == grouped == everything["metricInDependent"][0]
    assert found["rows"]["looked_at"] == 60
    assert empty == {}


def test_a19_what_goes_with_scores_is_found_by_score_id() -> None:
    with a_run(FOUND) as run:
        found = run.get_localized_explanations(True)
        (item,) = run.get_all_explanations()["metricDependent"]
    with a_run(NOTHING) as run:
        empty = run.get_localized_explanations(True)

    assert found == {"exact": item}
    assert empty == {}


def test_a20_grouped_by_task_each_task_has_what_it_found_for_each_score() -> None:
    with a_run(FOUND) as run:
        found = run.get_localized_explanations(metric_dependant=True, group_by_task=True)
    with a_run(NOTHING) as run:
        empty = run.get_localized_explanations(True, group_by_task=True)

    assert set(found) == TASKS
    assert all(set(by_score) == {"exact"} for by_score in found.values())
    assert found["drivers"]["exact"]["found"][0]["feature"].startswith("sample.output_text")
    assert empty == {}


def test_explanations_that_cannot_be_had_are_said_so(caplog: pytest.LogCaptureFixture) -> None:
    with (
        a_run(NotFound("no job 'capitals-1'")) as run,
        pytest.raises(NotFound, match="no job"),
    ):
        run.get_all_explanations()

    assert "the explanations of job 'capitals-1' could not be had" in caplog.text


def test_a_person_reads_scores_first_then_the_data() -> None:
    read = list(sections(FOUND))

    titles = [section.title for section in read]
    assert titles == [
        "Explanations",
        "exact on rows",
        "What goes with it",
        "How the models differ",
        "The worst rows",
        "Where they disagree",
        "Without a value",
        "The data of rows",
    ]
    said = by_title(read)
    assert any('in slice "hard"' in point for point in said["What goes with it"].points)
    assert any(
        "The lead of baseline over tuned" in point for point in said["How the models differ"].points
    )
    worst: Any = said["The worst rows"].table
    assert worst.columns == ("model", "row", "value", "truth", "item", "answer")


def test_what_there_was_no_room_for_is_told() -> None:
    read = by_title(list(sections(NOTHING.model_copy(update={"left_out": 12}))))

    assert "There was no room for 12 more datasets or scores." in read["Explanations"].sentences


def by_title(read: list[Section]) -> dict[str, Section]:
    return {section.title: section for section in read}
