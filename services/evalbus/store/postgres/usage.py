"""What a job took of each model, and what its datasets were, from its chunks: while it runs as at its end."""

from typing import TYPE_CHECKING

from evalbus.store.postgres.database import Connection
from evalbus.store.postgres.sql import load
from evalbus_schemas.benchmark import Benchmark, Plugin
from evalbus_schemas.jobs import Job
from evalbus_schemas.names import reference
from evalbus_schemas.usage import CallsMade, DatasetUsed, FailedByStage, ModelUsage

if TYPE_CHECKING:
    import asyncpg

SQL = load("usage.sql")


async def told(connection: Connection, job_no: int, job: Job) -> Job:
    """The job with its models and datasets: more than a list of many tells of each."""
    benchmark = Benchmark.model_validate_json(await connection.fetchval(SQL.spec, job_no))
    return job.model_copy(
        update={
            "models": await models_of(connection, job_no, job.workspace, benchmark),
            "datasets": await datasets_of(connection, job_no, benchmark),
        }
    )


async def models_of(
    connection: Connection, job_no: int, workspace: str, benchmark: Benchmark
) -> tuple[ModelUsage, ...]:
    """In the order of the benchmark."""
    records = await connection.fetch(SQL.models, job_no)
    return tuple(
        _usage(record, reference(workspace, model.name), model)
        for record, model in zip(records, benchmark.models, strict=True)
    )


async def datasets_of(
    connection: Connection, job_no: int, benchmark: Benchmark
) -> tuple[DatasetUsed, ...]:
    """The same for its datasets."""
    records = await connection.fetch(SQL.datasets, job_no)
    return tuple(
        DatasetUsed(dataset=dataset.name, rows=record["n_rows"], digest=record["digest"])
        for record, dataset in zip(records, benchmark.datasets, strict=True)
    )


def _usage(record: "asyncpg.Record", model: str, plugin: Plugin) -> ModelUsage:
    n_rows, n_planned = int(record["n_rows"]), record["n_planned"]
    n_failed, n_failed_sample = record["n_failed"], record["n_failed_sample"]
    shown = plugin.parameters.get("display_name")
    latencies: list[float] | None = record["latencies"]
    p50, p95 = latencies or (None, None)
    return ModelUsage(
        model=model,
        display_name=shown if isinstance(shown, str) else plugin.name,
        is_live=record["is_live"],
        rows_planned=n_planned,
        rows=n_rows,
        failed_rows=n_failed,
        failed_by_stage=FailedByStage(sample=n_failed_sample, metric=n_failed - n_failed_sample),
        failure_rate=n_failed / max(n_planned or 0, n_rows) if n_rows else None,
        calls=record["calls"],
        retries=record["retries"],
        cache_hits=record["cache_hits"],
        input_tokens=record["input_tokens"],
        output_tokens=record["output_tokens"],
        cost=record["cost"],
        by_metrics=CallsMade(
            calls=record["metric_calls"],
            retries=record["metric_retries"],
            cache_hits=record["metric_cache_hits"],
            input_tokens=record["metric_input_tokens"],
            output_tokens=record["metric_output_tokens"],
            cost=record["metric_cost"],
        ),
        latency_p50=p50,
        latency_p95=p95,
        seconds=record["seconds"],
    )
