"""The reading methods of the RPC, each a plain path to the store."""

import asyncio
from dataclasses import dataclass, field

from pydantic import BaseModel

from evalbus.bus.base import Message
from evalbus.bus.rpc import Answerer
from evalbus.results.explaining import Explainer
from evalbus.store.ports import (
    CatalogueStore,
    Changes,
    ComparisonStore,
    DatapointStore,
    DeadLetterStore,
    EventStore,
    ExportStore,
    JobStore,
    ResultStore,
    RowStore,
    UploadStore,
)
from evalbus_schemas.catalogue import EntryKind, GetEntry, ListEntries, UploadNamed
from evalbus_schemas.exports import ExportNamed, ListDatapoints
from evalbus_schemas.jobs import Job
from evalbus_schemas.openrpc import openrpc_document
from evalbus_schemas.queries import (
    CompareResults,
    DeadLetterNamed,
    Discovered,
    GetResult,
    JobNamed,
    ListDeadLetters,
    ListEvents,
    ListJobs,
    ListLog,
    ListResults,
    ListRows,
    ListSlices,
    Nothing,
    WaitForJob,
)

WAITERS_MAX = 32
POLL_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Queries:
    jobs: JobStore
    results: ResultStore
    comparisons: ComparisonStore
    rows: RowStore
    explainer: Explainer
    datapoints: DatapointStore
    events: EventStore
    exports: ExportStore
    dead_letters: DeadLetterStore
    catalogue: CatalogueStore
    uploads: UploadStore
    changes: Changes
    _waiters: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WAITERS_MAX))

    def methods(self) -> dict[str, Answerer]:
        return {
            "jobs.get": self.jobs_get,
            "jobs.list": self.jobs_list,
            "jobs.why": self.jobs_why,
            "jobs.wait": self.jobs_wait,
            "jobs.logs": self.jobs_logs,
            "results.get": self.results_get,
            "results.list": self.results_list,
            "results.slices": self.results_slices,
            "results.compare": self.results_compare,
            "results.rows": self.results_rows,
            "results.explain": self.results_explain,
            "results.datapoints": self.results_datapoints,
            "results.exported": self.results_exported,
            "events.list": self.events_list,
            "dlq.list": self.dlq_list,
            "dlq.show": self.dlq_show,
            "datasets.uploaded": self.datasets_uploaded,
            "rpc.discover": self.rpc_discover,
            **self._catalogue_methods(),
        }

    def _catalogue_methods(self) -> dict[str, Answerer]:
        kinds: tuple[EntryKind, ...] = ("dataset", "model", "metric", "benchmark")
        return {f"{kind}s.get": self._getting(kind) for kind in kinds} | {
            f"{kind}s.list": self._listing(kind) for kind in kinds
        }

    def _getting(self, kind: EntryKind) -> Answerer:
        async def get(query: GetEntry, _: Message) -> BaseModel:
            return await self.catalogue.get(kind, query)

        return get

    def _listing(self, kind: EntryKind) -> Answerer:
        async def list_entries(query: ListEntries, _: Message) -> BaseModel:
            return await self.catalogue.list(kind, query)

        return list_entries

    async def jobs_get(self, named: JobNamed, _: Message) -> BaseModel:
        return await self.jobs.job(named.workspace, named.job)

    async def jobs_list(self, query: ListJobs, _: Message) -> BaseModel:
        return await self.jobs.list(query)

    async def jobs_why(self, named: JobNamed, _: Message) -> BaseModel:
        return await self.jobs.why(named.workspace, named.job)

    async def jobs_wait(self, query: WaitForJob, _: Message) -> BaseModel:
        """The job as it is at once when too many wait already: who waits must not hold up who asks."""
        if self._waiters.locked():
            return await self.jobs.state(query.workspace, query.job)
        async with self._waiters:
            return await self._ended(query)

    async def _ended(self, query: WaitForJob) -> Job:
        clock = asyncio.get_running_loop().time
        end = clock() + query.timeout_seconds
        with self.changes.watching("jobs") as ended:
            while True:
                job = await self.jobs.state(query.workspace, query.job)
                left = end - clock()
                if job.is_terminal:
                    return await self.jobs.job(query.workspace, query.job)
                if left <= 0:
                    return job
                await ended.wait(min(left, POLL_SECONDS))

    async def jobs_logs(self, query: ListLog, _: Message) -> BaseModel:
        return await self.jobs.logs(query)

    async def results_get(self, named: GetResult, _: Message) -> BaseModel:
        return await self.results.result(named)

    async def results_list(self, query: ListResults, _: Message) -> BaseModel:
        return await self.results.list(query)

    async def results_slices(self, query: ListSlices, _: Message) -> BaseModel:
        return await self.results.slices(query)

    async def results_compare(self, query: CompareResults, _: Message) -> BaseModel:
        return await self.comparisons.compare(query)

    async def results_rows(self, query: ListRows, _: Message) -> BaseModel:
        return await self.rows.list(query)

    async def results_datapoints(self, query: ListDatapoints, _: Message) -> BaseModel:
        return await self.datapoints.page(query)

    async def results_exported(self, named: ExportNamed, _: Message) -> BaseModel:
        return await self.exports.exporting(named)

    async def results_explain(self, named: JobNamed, _: Message) -> BaseModel:
        return await self.explainer.explain(named)

    async def events_list(self, query: ListEvents, _: Message) -> BaseModel:
        return await self.events.list(query)

    async def dlq_list(self, query: ListDeadLetters, _: Message) -> BaseModel:
        return await self.dead_letters.list(query)

    async def dlq_show(self, named: DeadLetterNamed, _: Message) -> BaseModel:
        return await self.dead_letters.show(named.id)

    async def datasets_uploaded(self, named: UploadNamed, _: Message) -> BaseModel:
        return await self.uploads.uploaded(named.sha256)

    async def rpc_discover(self, _nothing: Nothing, _: Message) -> BaseModel:
        return Discovered(document=openrpc_document())
