"""What a result says about one (dataset, model, metric): statistics over its rows."""

from typing import Annotated

from pydantic import Field

from evalbus_schemas.base import Open
from evalbus_schemas.names import Reference

Count = Annotated[int, Field(ge=0)]


class ScoreStatistics(Open):
    """Population statistics of one score over the rows of a (dataset, model); null where there is none.

    `n_rows = count + nan_count`; failed rows are among the NaN ones.
    """

    name: str
    count: Count
    nan_count: Count
    n_rows: Count
    n_failed: Count
    sum: float | None
    mean: float | None
    min: float | None
    max: float | None
    variance: float | None
    std_dev: float | None


class MetricResult(Open):
    """The scores of one metric for one model on one dataset."""

    dataset: Reference
    model: Reference
    metric: Reference
    scores: tuple[ScoreStatistics, ...]
