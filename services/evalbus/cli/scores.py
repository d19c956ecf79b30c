"""A job's end: its scores as a table or a document, and a sentence when it did not complete."""

from collections.abc import Sequence

from evalbus.cli.output import Style, note, write_document, write_table
from evalbus.client import AsyncClient
from evalbus.reporting.usage import usage_table
from evalbus.writing.names import names_in
from evalbus.writing.tables import Cell, Table
from evalbus_schemas.jobs import Job, JobStatus
from evalbus_schemas.scores import MetricResult, ScoreStatistics


async def finish(client: AsyncClient, job: Job, style: Style) -> None:
    """Print what a job that has ended has to show; without a result the document's list is empty."""
    results: tuple[MetricResult, ...] = ()
    if job.status is JobStatus.COMPLETED:
        results = (await client.results.get(job.name)).results
    if style is Style.JSON:
        write_document({"job": job, "results": results})
    else:
        if results:
            write_table(scores_table(results, workspace=job.workspace), style)
        if any(model.is_live for model in job.models):
            write_table(usage_table(job.models), style)
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
    """A line for each score; columns that say the same in every line are left out.

    So the dataset is named only when there are several, values missing and the mean with failed rows counted as worst
    are shown only when there are such, and agreement with people where somebody was asked: `results slices` says more.
    """
    names = names_in(results)
    has_several = len({result.dataset for result in results}) > 1
    scores = [score for result in results for score in result.scores]
    has_unscored = any(unscored(score) for score in scores)
    has_failed = any(score.n_failed for score in scores)
    has_truths = any(score.agreement for score in scores)
    rows: list[tuple[Cell, ...]] = [
        (
            result.model.removeprefix(f"{workspace}/"),
            names[result.metric, score.name],
            *([result.dataset.removeprefix(f"{workspace}/")] if has_several else []),
            score.mean,
            *([score.mean_failures_as_worst] if has_failed else []),
            score.count,
            score.n_failed,
            *([unscored(score)] if has_unscored else []),
            *([score.agreement.raw if score.agreement else None] if has_truths else []),
        )
        for result in results
        for score in result.scores
    ]
    columns = (
        *("model", "metric", *(["dataset"] if has_several else [])),
        *("mean", *(["failed as worst"] if has_failed else [])),
        *("n", "failed", *(["no value"] if has_unscored else [])),
        *(["agreement"] if has_truths else []),
    )
    return Table(columns=columns, rows=rows)


def unscored(score: ScoreStatistics) -> int:
    """Rows that did not fail and yet have no value."""
    return (score.nan_count or 0) - (score.n_failed or 0)
