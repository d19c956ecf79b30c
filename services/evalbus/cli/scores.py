"""A job's end: its scores as a table or a document, and a sentence when it did not complete."""

from collections.abc import Sequence

from evalbus.cli.output import Cell, Style, Table, note, write_document, write_table
from evalbus.client import AsyncClient
from evalbus_schemas.jobs import Job, JobStatus
from evalbus_schemas.scores import MetricResult


async def finish(client: AsyncClient, job: Job, style: Style) -> None:
    """Print what a job that has ended has to show; without a result the document's list is empty."""
    results: tuple[MetricResult, ...] = ()
    if job.status is JobStatus.COMPLETED:
        results = (await client.results.get(job.name)).results
    if style is Style.JSON:
        write_document({"job": job, "results": results})
    elif results:
        write_table(scores_table(results, workspace=job.workspace), style)
    note(epilogue(job))


def epilogue(job: Job) -> str:
    """How it ended, in one sentence."""
    match job.status:
        case JobStatus.COMPLETED:
            failed = f", {job.failed_rows} of them failed" if job.failed_rows else ""
            return f"job {job.name} completed: {job.rows} rows{failed}"
        case JobStatus.ERROR:
            cause = f"{job.error.message} ({job.error.code})" if job.error else "no cause is known"
            return f"job {job.name} ended in error: {cause}; {job.rows} scored rows are kept"
        case JobStatus.CANCELLED:
            return f"job {job.name} was cancelled; {job.rows} scored rows are kept"
        case _:
            return f"job {job.name} is {job.status.value}"


def scores_table(results: Sequence[MetricResult], *, workspace: str) -> Table:
    """A line for each score; a column for the dataset only when there are several, for values missing only when some are."""
    several = len({result.dataset for result in results}) > 1
    unscored = any(s.nan_count > s.n_failed for result in results for s in result.scores)
    columns = ("model", "metric", *(["dataset"] if several else []), "mean", "n", "failed")
    rows: list[tuple[Cell, ...]] = []
    for result in results:
        for score in result.scores:
            metric = _short(result.metric, workspace)
            if len(result.scores) > 1:
                metric = f"{metric}:{score.name}"
            dataset = [_short(result.dataset, workspace)] if several else []
            missing = [score.nan_count - score.n_failed] if unscored else []
            model = _short(result.model, workspace)
            rows.append(
                (model, metric, *dataset, score.mean, score.count, score.n_failed, *missing)
            )
    return Table(columns=(*columns, *(["no value"] if unscored else [])), rows=rows)


def _short(reference: str, workspace: str) -> str:
    return reference.removeprefix(f"{workspace}/")
