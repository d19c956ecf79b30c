"""Live metrics for tests: whoever they ask is asked once about a row, and the row is scored with what was answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
import pytest

from evalbus.metrics import Batch, LiveMetric, Metric, Remark
from evalbus.models import CallFailed, Reply
from evalbus.models.base import Reach
from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import RowLimits
from tests.asking import a_call

M = TypeVar("M", bound=Metric)


@dataclass(frozen=True, kw_only=True)
class ScoredRow:
    """What a metric said of one row."""

    values: Sequence[float]
    code: str
    """Why there is a NaN among them; empty if there is no reason."""
    message: str
    remarks: Mapping[int, Remark]
    """By the score's place."""


def made(kind: type[M], **parameters: Any) -> M:
    """The metric by its class; raises ValidationError or Invalid."""
    return kind(kind.Parameters.model_validate_json(orjson.dumps(parameters)), RowLimits())


def question(
    metric: LiveMetric, item: JsonObject, sample: JsonObject | None = None
) -> JsonObject | None:
    """What its only respondent is asked about a row, as it is on its way from where it was rendered."""
    batch = Batch([item], [{"output_text": ""} if sample is None else sample])
    ((asked,),) = metric.questions(batch)
    request: JsonObject | None = orjson.loads(orjson.dumps(asked))
    return request


async def reply(
    metric: LiveMetric,
    reach: Reach,
    item: JsonObject,
    sample: JsonObject | None = None,
    **call: Any,
) -> Reply:
    request = question(metric, item, sample)
    assert request is not None, "there is something to ask"
    (respondent,) = metric.respondents
    return await respondent.ask(request, a_call(**call), reach)


async def failure(
    metric: LiveMetric, reach: Reach, item: JsonObject, sample: JsonObject | None = None
) -> CallFailed:
    """Why the respondent did not answer."""
    with pytest.raises(CallFailed) as raised:
        await reply(metric, reach, item, sample)
    return raised.value


def scored(
    metric: Metric,
    item: JsonObject,
    sample: JsonObject | None = None,
    *,
    answer: JsonObject | None = None,
) -> ScoredRow:
    """The row with what the only respondent's sample is."""
    given: JsonObject = {"output_text": ""} if sample is None else sample
    columns = metric.score(Batch([item], [given], [[answer]]))
    note = columns.notes.get(0)
    return ScoredRow(
        values=[column[0] for column in columns.values],
        code="" if note is None else note.code,
        message="" if note is None else note.message,
        remarks={place: remark for (_, place), remark in columns.remarks.items()},
    )


async def scored_once(
    metric: LiveMetric, reach: Reach, item: JsonObject, sample: JsonObject | None = None
) -> ScoredRow:
    """Asked and scored."""
    answer = (await reply(metric, reach, item, sample)).sample
    return scored(metric, item, sample, answer=orjson.loads(orjson.dumps(answer)))
