"""Asking for everything that a report is written from; what is gone is left out, as long as something is there."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from evalbus.client.calls import Calls
from evalbus.client.parameters import parameters
from evalbus.errors import NotFound
from evalbus.reporting import Material
from evalbus_schemas.exports import DatapointPage, ListDatapoints
from evalbus_schemas.jobs import Job, JobStatus
from evalbus_schemas.queries import JobNamed, Result, SliceScores

if TYPE_CHECKING:
    from evalbus.client.results import Results

A = TypeVar("A")


async def report_material(results: "Results", calls: Calls, workspace: str, name: str) -> Material:
    """Of a job by its name or id, or of a result that outlived its job by its name. Raises NotFound."""
    asked = parameters(JobNamed, {"job": name, "workspace": workspace})
    try:
        job = await calls.call("jobs.get", asked, Job)
    except NotFound as no_job:
        result = await _if_there(results.get(name))
        if result is None:
            raise no_job from None
        return Material(name=name, job=None, result=result, slices=await _slices(results, result))
    result = await _if_there(results.get(job.name)) if _has_completed(job) else None
    first = {"job": job.name, "workspace": workspace, "limit": 1}
    page = await _if_there(
        calls.call("results.datapoints", parameters(ListDatapoints, first), DatapointPage)
    )
    return Material(
        name=job.name,
        job=job,
        result=result,
        slices=await _slices(results, result),
        explanations=await _if_there(results.explain(job.name)),
        head=page.head if page else None,
    )


def _has_completed(job: Job) -> bool:
    return job.status is JobStatus.COMPLETED


async def _slices(results: "Results", result: Result | None) -> tuple[SliceScores, ...]:
    return tuple([each async for each in results.slices(result.name)]) if result else ()


async def _if_there(answer: Coroutine[Any, Any, A]) -> A | None:
    """A part that was deleted since is no reason to tell nothing."""
    try:
        return await answer
    except NotFound:
        return None
