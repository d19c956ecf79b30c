"""Explanations of a job as plain dicts, by the names that programs ask for them with."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from evalbus.writing.names import bare
from evalbus_schemas.explanations import Explanations

INDEPENDENT: Final = "metricInDependent"
DEPENDENT: Final = "metricDependent"
"""The names as they were published."""
SCORE_ID: Final = "scoreId"
DATASET_ID: Final = "datasetId"

Item = dict[str, Any]
"""`scoreId`, `datasetId`, and a value for each task: the parts of an explanation, such as `drivers`, as in
evalbus_schemas.explanations."""


def everything(explanations: Explanations) -> dict[str, list[Item]]:
    """An item for each dataset, called like it for want of a score, and one for each score."""
    return {
        INDEPENDENT: [
            _item(bare(one.dataset), one.dataset, one) for one in explanations.metric_independent
        ],
        DEPENDENT: [_item(one.score_id, one.dataset, one) for one in explanations.metric_dependent],
    }


def localized(
    explanations: Explanations, *, metric_dependant: bool, group_by_task: bool
) -> dict[str, Any]:
    """Of the data: the item of the first dataset. Of scores: items by scoreId, or by task and then by scoreId."""
    found = everything(explanations)
    if not metric_dependant:
        return found[INDEPENDENT][0] if found[INDEPENDENT] else {}
    by_score = {item[SCORE_ID]: item for item in found[DEPENDENT]}
    return _by_task(by_score) if group_by_task else by_score


def _by_task(by_score: Mapping[str, Item]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for score_id, item in by_score.items():
        for task, value in item.items():
            if task not in (SCORE_ID, DATASET_ID):
                found.setdefault(task, {})[score_id] = value
    return found


def _item(score_id: str, dataset: str, explanation: BaseModel) -> Item:
    tasks = explanation.model_dump(mode="json", exclude={"score_id", "dataset"})
    return {SCORE_ID: score_id, DATASET_ID: dataset, **tasks}
