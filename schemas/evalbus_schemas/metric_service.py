"""What a metric that is itself a service behind a queue is asked, and what it replies to the address in `reply_to`."""

from typing import Annotated, Literal

from pydantic import Field

from evalbus_schemas.base import JsonObject, Open
from evalbus_schemas.model_service import ModelError


class MetricRequest(Open):
    """One row to be scored: its item, what the model answered, and what the benchmark says to the metric.

    The message id is the same at every attempt, so that a repeat can be recognised; the message expires with its row.
    The headers `evalbus-job` and `evalbus-row` say what it is for.
    """

    version: Literal[1] = 1
    item: JsonObject
    sample: JsonObject
    params: JsonObject = {}


class MetricScore(Open):
    """One value of the row; null, or the text `NaN`, for a row that cannot be scored. True counts as 1, false as 0."""

    name: str
    value: float | bool | Literal["NaN"] | None = None
    label: str | None = None
    rationale: str | None = None


class MetricError(ModelError):
    """Why there are no scores; one that does not say whether asking again helps is taken to say no."""


class MetricReply(Open):
    """The scores, or the error."""

    scores: Annotated[
        tuple[MetricScore, ...] | None,
        Field(description="Those that the benchmark declares; any others are ignored."),
    ] = None
    error: MetricError | None = None
