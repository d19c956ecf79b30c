"""The client for code without an event loop: the asynchronous one, running on a thread of its own."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from anyio.from_thread import start_blocking_portal
from pydantic import BaseModel, JsonValue

from evalbus.client import opening
from evalbus.client.asynchronous import AsyncClient
from evalbus.client.jobs import WATCH_SECONDS, BenchmarkSource, Jobs
from evalbus.client.session import BusOpener
from evalbus.client.synchronous_catalogue import SyncBenchmarks, SyncDatasets, SyncSaved
from evalbus.client.synchronous_results import SyncEvaluation, SyncResults
from evalbus.client.thread import Thread
from evalbus.settings import Settings
from evalbus_schemas.base import Labels
from evalbus_schemas.benchmark import Params, Plugin
from evalbus_schemas.events import BenchmarkEvent
from evalbus_schemas.jobs import Job, JobStatus, LogLine, Why
from evalbus_schemas.names import DEFAULT_WORKSPACE
from evalbus_schemas.queries import DeadLetter, DeadLetterShown, Deleted, StoredEvent


class Client:
    """Asks evalbus; connects at the first call, and stays connected until `close`.

    `Client(amqp_url=…)` asks the services on that broker, and without a URL those of EVALBUS_AMQP_URL;
    `Client.embedded()` brings the whole system up in this process. A context manager, or close it yourself.
    """

    def __init__(
        self,
        *,
        amqp_url: str | None = None,
        workspace: str = DEFAULT_WORKSPACE,
        timeout_seconds: float | None = None,
        settings: Settings | None = None,
        opener: BusOpener | None = None,
    ) -> None:
        """`timeout_seconds` bounds every call (EVALBUS_RPC_SECONDS); `opener` replaces how the bus is reached."""
        client = AsyncClient(
            amqp_url=amqp_url,
            workspace=workspace,
            timeout_seconds=timeout_seconds,
            settings=settings,
            opener=opener,
        )
        self._stack = ExitStack()
        portal = self._stack.enter_context(start_blocking_portal("asyncio"))
        self._thread = Thread(portal)
        self._stack.callback(portal.call, client.close)
        self._stack.callback(self._thread.close)
        self._client = client
        self.workspace = workspace
        self.jobs = SyncJobs(client.jobs, self._thread)
        self.results = SyncResults(client.results, self._thread)
        self.datasets = SyncDatasets(client.datasets, self._thread)
        self.models = SyncSaved(client.models, self._thread)
        self.metrics = SyncSaved(client.metrics, self._thread)
        self.benchmarks = SyncBenchmarks(client.benchmarks, self._thread)
        self.evaluation = SyncEvaluation(self.results_in)
        self.events = SyncEvents(client, self._thread)
        self.dlq = SyncDeadLetters(client, self._thread)

    @classmethod
    def embedded(
        cls,
        data_dir: str | Path | None = None,
        *,
        workspace: str = DEFAULT_WORKSPACE,
        timeout_seconds: float | None = None,
    ) -> Self:
        """The whole system in this process, with its Postgres in `data_dir` (EVALBUS_DATA_DIR)."""
        settings = opening.client_settings(data_dir=data_dir)
        return cls(
            workspace=workspace,
            timeout_seconds=timeout_seconds,
            settings=settings,
            opener=opening.embedded(settings),
        )

    @classmethod
    def reading(
        cls,
        data_dir: str | Path | None = None,
        *,
        workspace: str = DEFAULT_WORKSPACE,
        timeout_seconds: float | None = None,
    ) -> Self:
        """All but starting jobs, on the folder of an embedded system, whether or not a process runs on it."""
        settings = opening.client_settings(data_dir=data_dir)
        return cls(
            workspace=workspace,
            timeout_seconds=timeout_seconds,
            settings=settings,
            opener=opening.reading(settings),
        )

    def jobs_in(self, workspace: str | None) -> "SyncJobs":
        """What `jobs` is, for another workspace; None: for this client's own."""
        if workspace is None:
            return self.jobs
        return SyncJobs(self._client.jobs_in(workspace), self._thread)

    def results_in(self, workspace: str | None) -> SyncResults:
        """What `results` is, for another workspace; None: for this client's own."""
        if workspace is None:
            return self.results
        return SyncResults(self._client.results_in(workspace), self._thread)

    def call(self, method: str, params: Mapping[str, JsonValue] | None = None) -> BaseModel:
        """Any method of the RPC by its name; the answer is that method's own model."""
        return self._thread.call(self._client.call, method, params)

    def close(self) -> None:
        """Let go of the bus and end the thread; safe twice, and before the first call."""
        self._stack.close()

    def __enter__(self) -> Self:
        try:
            self._thread.call(self._client.__aenter__)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class SyncJobs:
    """`client.jobs`."""

    def __init__(self, jobs: Jobs, thread: Thread) -> None:
        self._jobs = jobs
        self._thread = thread

    def start(
        self,
        benchmark: BenchmarkSource,
        *,
        job: str | None = None,
        labels: Labels | None = None,
        params: Params | Mapping[str, object] | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """The job, accepted and stored. Called again with the same key and content it gives the same job."""
        return self._thread.call(
            self._jobs.start,
            benchmark,
            job=job,
            labels=labels,
            params=params,
            idempotency_key=idempotency_key,
        )

    def get(self, job: str) -> Job:
        """The job of that name or id; raises NotFound."""
        return self._thread.call(self._jobs.get, job)

    def list(
        self,
        *,
        status: JobStatus | str | None = None,
        benchmark: str | None = None,
        include_archived: bool = False,
        limit: int | None = None,
    ) -> Iterator[Job]:
        """The jobs of the workspace, newest first; as many as there are, or `limit`.

        `benchmark` is the `workspace/name` of the one whose runs are wanted.
        """
        return self._thread.iterate(
            self._jobs.list,
            status=status,
            benchmark=benchmark,
            include_archived=include_archived,
            limit=limit,
        )

    def why(self, job: str) -> Why:
        """What the job waits for, and what to do about it."""
        return self._thread.call(self._jobs.why, job)

    def wait(self, job: str, *, timeout_seconds: float | None = None) -> Job:
        """The job once it has ended, or as it is when the time is over; without a timeout it waits as long as it takes."""
        return self._thread.call(self._jobs.wait, job, timeout_seconds=timeout_seconds)

    def watch(self, job: str, *, every_seconds: float = WATCH_SECONDS) -> Iterator[Job]:
        """The job as it is now, then at least every so many seconds, last as it ended."""
        return self._thread.iterate(self._jobs.watch, job, every_seconds=every_seconds)

    def cancel(self, job: str) -> Job:
        """End the job; the rows that are stored stay readable."""
        return self._thread.call(self._jobs.cancel, job)

    def pause(self, job: str) -> Job:
        """Send no more of the job's rows; what is in flight still comes in. Raises Conflict for one that has ended."""
        return self._thread.call(self._jobs.pause, job)

    def resume(self, job: str) -> Job:
        """Let a paused job go on; one that runs is returned as it is. Raises Conflict for one that has ended."""
        return self._thread.call(self._jobs.resume, job)

    def retry(
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
        return self._thread.call(
            self._jobs.retry, job, name=name, params=params, idempotency_key=idempotency_key
        )

    def rescore(
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
        return self._thread.call(
            self._jobs.rescore, job, metrics, name=name, idempotency_key=idempotency_key
        )

    def logs(self, job: str, *, limit: int | None = None) -> Iterator[LogLine]:
        """What happened to the job so far, oldest first; as much as there is, or `limit` lines."""
        return self._thread.iterate(self._jobs.logs, job, limit=limit)

    def follow_log(self, job: str, *, every_seconds: float = WATCH_SECONDS) -> Iterator[LogLine]:
        """The same, and what happens from now on until the job has ended."""
        return self._thread.iterate(self._jobs.follow_log, job, every_seconds=every_seconds)

    def archive(self, job: str, *, archived: bool = True) -> Job:
        """Put an ended job away, so that lists leave it out, or with `archived=False` take it out again.

        Nothing else of it changes. Raises Conflict for one that has not ended.
        """
        return self._thread.call(self._jobs.archive, job, archived=archived)

    def delete(self, job: str) -> Deleted:
        """An ended job and its rows; its result stays. Raises Conflict for one that has not ended."""
        return self._thread.call(self._jobs.delete, job)


class SyncEvents:
    """`client.events`."""

    def __init__(self, client: AsyncClient, thread: Thread) -> None:
        self._events = client.events
        self._thread = thread

    def list(self, *, after: int = 0, limit: int | None = None) -> Iterator[StoredEvent]:
        """What was kept after that sequence number, oldest first."""
        return self._thread.iterate(self._events.list, after=after, limit=limit)

    @contextmanager
    def listen(self) -> Generator[Iterator[BenchmarkEvent], None, None]:
        """Events of the workspace from now on; `list` knows what was missed meanwhile."""
        with self._thread.manage(self._events.listen()) as events:
            yield self._thread.entries(events)


class SyncDeadLetters:
    """`client.dlq`."""

    def __init__(self, client: AsyncClient, thread: Thread) -> None:
        self._dlq = client.dlq
        self._thread = thread

    def list(self, *, queue: str | None = None, limit: int | None = None) -> Iterator[DeadLetter]:
        """Newest first, of one queue or of all."""
        return self._thread.iterate(self._dlq.list, queue=queue, limit=limit)

    def show(self, id: int) -> DeadLetterShown:
        """One of them with its body; raises NotFound."""
        return self._thread.call(self._dlq.show, id)
