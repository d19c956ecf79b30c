"""A job as a file in a bucket, written by a producer; whoever asked for it waits until it is there."""

import asyncio

from evalbus.client.calls import Calls
from evalbus.client.job_export import Exported, Tell
from evalbus.client.parameters import parameters
from evalbus.errors import (
    EvalbusError,
    Invalid,
    NotAllowed,
    NotFound,
    PermanentError,
    TransientError,
)
from evalbus.exporting import CsvExportConfig, ExportConfig
from evalbus_schemas.exports import Exporting, ExportJob, ExportNamed
from evalbus_schemas.jobs import Job, JobError
from evalbus_schemas.queries import JobNamed

FIRST_PAUSE_SECONDS = 0.1
PAUSE_SECONDS_MAX = 1.0

ERRORS: dict[str, type[EvalbusError]] = {
    "connector_missing": Invalid,
    "job_deleted": NotFound,
    "no_such_bucket": NotFound,
    "not_allowed": NotAllowed,
    "unreachable": TransientError,
}
"""Any other is a PermanentError."""


async def export_to_bucket(
    calls: Calls,
    workspace: str,
    job: str,
    destination: str,
    config: ExportConfig,
    *,
    connector: str | int | None,
    tell: Tell | None,
) -> Exported:
    """Raises what the producer says of the command, and afterwards what became of it: see ERRORS.

    Left early, the producer goes on; the same call again waits for the same export.
    """
    named = parameters(JobNamed, {"job": job, "workspace": workspace})
    found = await calls.call("jobs.get", named, Job)
    wanted: dict[str, object] = {
        # By its id: a moment later its name may be another's.
        "job": str(found.job_id),
        "workspace": workspace,
        "destination": destination,
        "format": config.format,
        # One by number is one that is called so.
        "connector": None if connector is None else str(connector),
    }
    if isinstance(config, CsvExportConfig):
        wanted |= vars(config)
    export = await calls.call("results.export", parameters(ExportJob, wanted), Exporting)
    export = await _ended(calls, export, found, tell=tell)
    if export.error is not None:
        raise _error(found, export.error)
    return Exported(
        destination=destination, format=config.format, datapoints=export.datapoints, job=found
    )


async def _ended(calls: Calls, export: Exporting, job: Job, *, tell: Tell | None) -> Exporting:
    named = ExportNamed(export=export.export, workspace=job.workspace)
    total = sum(used.rows for used in job.datasets) or None
    pause = FIRST_PAUSE_SECONDS
    while not export.is_terminal:
        await asyncio.sleep(pause)
        pause = min(2 * pause, PAUSE_SECONDS_MAX)
        export = await calls.call("results.exported", named, Exporting)
        if tell is not None:
            tell(export.datapoints, total)
    return export


def _error(job: Job, error: JobError) -> EvalbusError:
    kind = ERRORS.get(error.code, PermanentError)
    return kind(f"job {job.name!r} was not exported: {error.message} ({error.code})")
