"""What each live model was asked, and what that took."""

from collections.abc import Sequence

from evalbus.writing.names import bare
from evalbus.writing.tables import Cell, Table
from evalbus_schemas.usage import ModelUsage


def usage_table(models: Sequence[ModelUsage]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            bare(model.model),
            model.calls,
            model.retries,
            model.cache_hits,
            model.input_tokens,
            model.output_tokens,
            model.cost,
            model.latency_p50,
            model.latency_p95,
            model.failed_by_stage.sample,
            model.failed_by_stage.metric,
        )
        for model in models
        if model.is_live
    ]
    columns = (
        *("model", "calls", "retries", "cached", "tokens in", "tokens out", "cost"),
        *("p50 s", "p95 s", "no answer", "metric failed"),
    )
    return Table(columns=columns, rows=rows)


def judging_table(models: Sequence[ModelUsage]) -> Table:
    """What judges and other live metrics took for the rows of each model."""
    rows: list[tuple[Cell, ...]] = [
        (
            *(bare(model.model), asked.calls, asked.retries, asked.cache_hits),
            *(asked.input_tokens, asked.output_tokens, asked.cost),
        )
        for model in models
        if (asked := model.by_metrics).calls or asked.cache_hits
    ]
    columns = ("model", "calls", "retries", "cached", "tokens in", "tokens out", "cost")
    return Table(columns=columns, rows=rows)
