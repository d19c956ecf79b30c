"""What an export says of its job beside the datapoints."""

from typing import Any

from evalbus_schemas.exports import ExportHead
from evalbus_schemas.jobs import Job

EXECUTION_FIELDS = (
    *("uid", "name", "created_at", "created_by", "started_at", "finished_at", "duration_seconds"),
    *("status", "partial", "error", "job_id", "workspace", "benchmark", "labels", "archived"),
    *("correlation_id", "derived_from", "derivation", "rows", "failed_rows", "rows_total"),
    *("datasets", "models", "scores", "dataset_usage", "model_usage", "definition"),
)


def benchmark_metadata(head: ExportHead) -> dict[str, Any]:
    return head.benchmark_metadata.model_dump(mode="json")


def execution_metadata(head: ExportHead) -> dict[str, Any]:
    """The run: which it is, when it was and how long it took, how far it came, and what it ran.

    `partial` is true while it is not, or never will be, complete; `duration_seconds` is null until it has ended.
    """
    whole = head.model_dump(mode="json")
    run = whole["execution"]
    found = {
        **run,
        "duration_seconds": _duration_seconds(head.execution),
        "partial": head.partial,
        "dataset_usage": run["datasets"],
        "model_usage": run["models"],
        **{name: whole[name] for name in ("datasets", "models", "scores", "definition")},
    }
    return {name: found[name] for name in EXECUTION_FIELDS}


def slices(head: ExportHead) -> list[dict[str, Any]]:
    return [each.model_dump(mode="json") for each in head.slices]


def _duration_seconds(job: Job) -> float | None:
    if job.started_at is None or job.finished_at is None:
        return None
    return (job.finished_at - job.started_at).total_seconds()
