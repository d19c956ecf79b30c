"""What a job took of each of its models, and what its datasets were."""

from typing import Annotated

from pydantic import Field

from evalbus_schemas.base import Open
from evalbus_schemas.names import Name, Reference
from evalbus_schemas.scores import Count

Amount = Annotated[float, Field(ge=0)]


class FailedByStage(Open):
    """Failed rows: those that got no sample, and those over which a metric failed."""

    sample: Count = 0
    metric: Count = 0


class CallsMade(Open):
    """What asking took: calls are what was sent, retries the calls after the first of a question."""

    calls: Count = 0
    retries: Count = 0
    cache_hits: Count = 0
    input_tokens: Count = 0
    output_tokens: Count = 0
    cost: Annotated[Amount | None, Field(description="Null where nobody has a price.")] = None


class ModelUsage(Open):
    """One model's part of a job, over all datasets and repeats; times in seconds, cost in the unit of its price.

    Rows are counted once for every repeat. Calls are what was sent, retries the calls after the first of a row.
    """

    model: Reference
    display_name: str
    is_live: bool
    rows_planned: Annotated[Count | None, Field(description="Null until every dataset was read.")]
    rows: Count
    failed_rows: Count
    failed_by_stage: FailedByStage
    failure_rate: Annotated[
        Annotated[float, Field(ge=0, le=1)] | None,
        Field(description="Failed rows over all rows planned; null when nothing ran."),
    ]
    calls: Count = 0
    retries: Count = 0
    cache_hits: Count = 0
    input_tokens: Count = 0
    output_tokens: Count = 0
    cost: Annotated[Amount | None, Field(description="Null for a model without a price.")] = None
    by_metrics: Annotated[
        CallsMade, Field(description="What judges and other live metrics took for its rows.")
    ] = CallsMade()
    latency_p50: Amount | None = None
    latency_p95: Amount | None = None
    seconds: Annotated[Amount, Field(description="That its chunks were worked on, added up.")] = 0.0


class DatasetUsed(Open):
    """What a dataset was when it was read: the same rows in whatever order give the same digest."""

    dataset: Name
    rows: Count
    digest: Annotated[str | None, Field(description="Null until it was read to its end.")]
