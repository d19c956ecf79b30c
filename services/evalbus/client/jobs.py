"""Jobs: starting, looking at, waiting for and ending them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from evalbus.client.benchmark_file import is_reference, load_benchmark
from evalbus.client.calls import Calls
from evalbus.client.pages import entries, pages
from evalbus.client.parameters import parameters
from evalbus.client.patience import asked_on
from evalbus_schemas.base import JsonObject, Labels
from evalbus_schemas.benchmark import Benchmark, BenchmarkFile, Params, Plugin, StartBenchmark
from evalbus_schemas.jobs import Job, JobStatus, LogLine, Why
from evalbus_schemas.queries import (
    WAIT_SECONDS_MAX,
    ArchiveJob,
    Deleted,
    JobNamed,
    JobPage,
    JobStarted,
    ListJobs,
    ListLog,
    LogPage,
    RescoreJob,
    RetryJob,
    WaitForJob,
)

WAIT_SECONDS = 20.0
WATCH_SECONDS = 0.5
BUSY_PAUSE_SECONDS = 0.5
LOG_PAGE = 100

BenchmarkSource = BenchmarkFile | Benchmark | Mapping[str, object] | str | Path
"""A benchmark, the same as a dict, the path of its file, or `workspace/name` of a saved one."""


class Jobs:
    """`client.jobs`."""

    def __init__(self, calls: Calls, workspace: str, *, away_seconds: float) -> None:
        self._calls = calls
        self._workspace = workspace
        self._away_seconds = away_seconds

    async def start(
        self,
        benchmark: BenchmarkSource,
        *,
        job: str | None = None,
        labels: Labels | None = None,
        params: Params | Mapping[str, object] | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """The job, accepted and stored. Called again with the same key and content it gives the same job."""
        document: dict[str, object] = {
            "benchmark": _benchmark(benchmark),
            "job": job,
            "workspace": self._workspace,
            "labels": labels or {},
            "params": _given(params),
            # Made here and not by the service, so that the call may be repeated when its reply is lost.
            "idempotency_key": idempotency_key or str(uuid4()),
        }
        command = parameters(StartBenchmark, document)
        return (await self._calls.call("jobs.start", command, JobStarted)).job

    async def get(self, job: str) -> Job:
        """The job of that name or id; raises NotFound."""
        return await self._calls.call("jobs.get", self._named(job), Job)

    async def list(
        self,
        *,
        status: JobStatus | str | None = None,
        benchmark: str | None = None,
        include_archived: bool = False,
        limit: int | None = None,
    ) -> AsyncIterator[Job]:
        """The jobs of the workspace, newest first; as many as there are, or `limit`.

        `benchmark` is the `workspace/name` of the one whose runs are wanted.
        """

        async def ask(after: str | None, count: int) -> JobPage:
            wanted: dict[str, object] = {
                "workspace": self._workspace,
                "status": status,
                "benchmark": benchmark,
                # Told only if it is wanted: an older service does not know of it.
                "include_archived": include_archived or None,
                "after": after,
                "limit": count,
            }
            return await self._calls.call("jobs.list", parameters(ListJobs, wanted), JobPage)

        found = pages(ask, count=lambda p: len(p.jobs), cursor=lambda p: p.next, limit=limit)
        async for each in entries(found, lambda page: page.jobs):
            yield each

    async def why(self, job: str) -> Why:
        """What the job waits for, and what to do about it."""
        return await self._calls.call("jobs.why", self._named(job), Why)

    async def cancel(self, job: str) -> Job:
        """End the job; the rows that are stored stay readable."""
        return await self._calls.call("jobs.cancel", self._named(job), Job)

    async def pause(self, job: str) -> Job:
        """Send no more of the job's rows; what is in flight still comes in. Raises Conflict for one that has ended."""
        return await self._calls.call("jobs.pause", self._named(job), Job)

    async def resume(self, job: str) -> Job:
        """Let a paused job go on; one that runs is returned as it is. Raises Conflict for one that has ended."""
        return await self._calls.call("jobs.resume", self._named(job), Job)

    async def retry(
        self,
        job: str,
        *,
        name: str | None = None,
        params: Params | Mapping[str, object] | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """A new job that runs the failed and missing rows of an ended one again, and takes over the others.

        Of `params` what is given replaces what the job ran with. Raises Conflict when there is nothing to retry.
        """
        document: dict[str, object] = {
            "job": job,
            "workspace": self._workspace,
            "name": name,
            "params": _given(params),
            "idempotency_key": idempotency_key or str(uuid4()),
        }
        command = parameters(RetryJob, document)
        return (await self._calls.call("jobs.retry", command, JobStarted)).job

    async def rescore(
        self,
        job: str,
        metrics: Sequence[Plugin | Mapping[str, object] | str],
        *,
        name: str | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """A new job that scores the stored samples of an ended one with other metrics; no model is asked.

        A metric is written as in a benchmark file, or `workspace/name` of a saved one.
        """
        document: dict[str, object] = {
            "job": job,
            "workspace": self._workspace,
            "metrics": list(metrics),
            "name": name,
            "idempotency_key": idempotency_key or str(uuid4()),
        }
        command = parameters(RescoreJob, document)
        return (await self._calls.call("jobs.rescore", command, JobStarted)).job

    async def logs(self, job: str, *, limit: int | None = None) -> AsyncIterator[LogLine]:
        """What happened to the job so far, oldest first; as much as there is, or `limit` lines."""

        async def ask(after: str | None, count: int) -> LogPage:
            return await self._log_page(job, after, count)

        found = pages(ask, count=lambda p: len(p.lines), cursor=lambda p: p.next, limit=limit)
        async for each in entries(found, lambda page: page.lines):
            yield each

    async def follow_log(
        self, job: str, *, every_seconds: float = WATCH_SECONDS
    ) -> AsyncIterator[LogLine]:
        """The same, and what happens from now on until the job has ended."""
        after, seen, has_ended = None, 0, False
        while True:
            page = await self._log_page(job, after, LOG_PAGE)
            for line in page.lines[seen:]:
                yield line
            if page.next is not None:
                after, seen = page.next, 0
            elif has_ended:
                return
            else:
                seen = len(page.lines)
                # Once more after its end: its last line may have been written meanwhile.
                has_ended = (await self._wait_a_while(job, every_seconds)).is_terminal

    async def archive(self, job: str, *, archived: bool = True) -> Job:
        """Put an ended job away, so that lists leave it out, or with `archived=False` take it out again.

        Nothing else of it changes. Raises Conflict for one that has not ended.
        """
        wanted = {"job": job, "workspace": self._workspace, "archived": archived}
        return await self._calls.call("jobs.archive", parameters(ArchiveJob, wanted), Job)

    async def delete(self, job: str) -> Deleted:
        """An ended job and its rows; its result stays. Raises Conflict for one that has not ended."""
        return await self._calls.call("jobs.delete", self._named(job), Deleted)

    async def wait(self, job: str, *, timeout_seconds: float | None = None) -> Job:
        """The job once it has ended, or as it is when the time is over; without a timeout it waits as long as it takes."""
        clock = asyncio.get_running_loop().time
        deadline = None if timeout_seconds is None else clock() + timeout_seconds
        while True:
            left = WAIT_SECONDS if deadline is None else min(WAIT_SECONDS, deadline - clock())
            found = await self._wait_a_while(job, max(left, 0.001))
            if found.is_terminal or (deadline is not None and clock() >= deadline):
                return found

    async def watch(self, job: str, *, every_seconds: float = WATCH_SECONDS) -> AsyncIterator[Job]:
        """The job as it is now, then at least every so many seconds, last as it ended."""
        found = await self.get(job)
        yield found
        while not found.is_terminal:
            found = await self._wait_a_while(job, every_seconds)
            yield found

    async def _wait_a_while(self, job: str, seconds: float) -> Job:
        """`jobs.wait`, through a restart of the servers: the job goes on by itself, so does whoever waits for it."""
        seconds = min(seconds, WAIT_SECONDS_MAX)
        named = self._named(job)
        wanted = WaitForJob(job=named.job, workspace=named.workspace, timeout_seconds=seconds)
        clock = asyncio.get_running_loop().time
        asked_at = clock()

        async def ask() -> Job:
            nonlocal asked_at
            asked_at = clock()
            return await self._calls.call("jobs.wait", wanted, Job, extra_seconds=seconds)

        found = await asked_on(ask, away_seconds=self._away_seconds)
        if not found.is_terminal:
            # Where too many wait already the answer comes at once, and must not be asked for at once again.
            early = asked_at + seconds - clock()
            await asyncio.sleep(min(max(early, 0.0), BUSY_PAUSE_SECONDS))
        return found

    async def _log_page(self, job: str, after: str | None, count: int) -> LogPage:
        wanted: dict[str, object] = {
            "job": job,
            "workspace": self._workspace,
            "after": after,
            "limit": count,
        }
        return await self._calls.call("jobs.logs", parameters(ListLog, wanted), LogPage)

    def _named(self, job: str) -> JobNamed:
        return parameters(JobNamed, {"job": job, "workspace": self._workspace})


def _benchmark(source: BenchmarkSource) -> JsonObject | str:
    if isinstance(source, str) and is_reference(source):
        return source
    return load_benchmark(source).model_dump(mode="json", exclude_unset=True)


def _given(params: Params | Mapping[str, object] | None) -> Mapping[str, object] | None:
    """Only what somebody set: the rest stays as the benchmark, or the job before, has it."""
    if isinstance(params, Params):
        return params.model_dump(mode="json", exclude_unset=True)
    return params
