"""Commands as they arrive: StartBenchmark as a plain message, and everything that changes something as RPC."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import orjson
from pydantic import BaseModel

from evalbus.bus import codec
from evalbus.bus.base import Message, Outgoing
from evalbus.bus.rpc import Answerer, refusal_reply, rpc_reply
from evalbus.errors import Invalid, Malformed, Refused
from evalbus.logs import get_logger
from evalbus.producer.accepting import Acceptance
from evalbus.producer.deriving import Deriving, Sender
from evalbus.producer.destinations import Destinations
from evalbus.store.ports import EventStore, ExportStore, JobStore, ResultStore
from evalbus_schemas import cloudevents
from evalbus_schemas.benchmark import StartBenchmark
from evalbus_schemas.events import BenchmarkEvent, EventError
from evalbus_schemas.exports import ExportJob
from evalbus_schemas.names import DEFAULT_WORKSPACE, is_name
from evalbus_schemas.queries import (
    ArchiveJob,
    JobNamed,
    JobStarted,
    RescoreJob,
    ResultNamed,
    RetryJob,
)
from evalbus_schemas.rpc import RpcReply

log = get_logger(__name__)

SOURCE = "evalbus/producer"


@dataclass(frozen=True, kw_only=True)
class StartCommand:
    """A StartBenchmark message: a job and an answer, or a BenchmarkRejected and the same error as answer."""

    acceptance: Acceptance
    events: EventStore

    async def __call__(self, message: Message) -> Sequence[Outgoing]:
        try:
            started = await self._start(message)
        except Refused as refusal:
            log.info("command.refused", code=refusal.code, message=refusal.message)
            await self._tell(message, refusal)
            return rpc_reply(SOURCE, message, refusal_reply(message.id, refusal))
        answer = RpcReply(id=message.id, result=started.model_dump(mode="json"))
        return rpc_reply(SOURCE, message, answer)

    async def _start(self, message: Message) -> JobStarted:
        try:
            command = codec.parse(message, StartBenchmark, type=cloudevents.START_BENCHMARK)
        except Malformed as error:
            if error.reason != "invalid":
                raise
            raise Invalid(error.detail) from None
        return await start(self.acceptance, command, message)

    async def _tell(self, message: Message, refusal: Refused) -> None:
        event = BenchmarkEvent(
            job=None,
            job_id=None,
            workspace=_workspace_in(message.body),
            benchmark=None,
            status=None,
            correlation_id=message.correlation_id or message.id,
            error=EventError(code=refusal.code, message=refusal.message, data=refusal.data or None),
        )
        await self.events.add("rejected", event, id=codec.stable_id("rejected", message.id))


async def start(acceptance: Acceptance, command: StartBenchmark, message: Message) -> JobStarted:
    """The one way a job begins, whichever door the command came through."""
    started = await acceptance.start(
        command,
        key=message.id,
        correlation_id=message.correlation_id or message.id,
        created_by=message.sender,
    )
    return _told(started)


def _told(started: JobStarted) -> JobStarted:
    log.info(
        "job.accepted",
        job=started.job.name,
        job_id=str(started.job.job_id),
        workspace=started.job.workspace,
        created=started.created,
    )
    return started


def command_methods(
    acceptance: Acceptance, jobs: JobStore, results: ResultStore
) -> dict[str, Answerer]:
    deriving = Deriving(
        jobs=jobs,
        limits=acceptance.limits,
        references=acceptance.references,
        checks=acceptance.checks,
    )

    async def jobs_start(command: StartBenchmark, message: Message) -> BaseModel:
        return await start(acceptance, command, message)

    async def jobs_retry(command: RetryJob, message: Message) -> BaseModel:
        return _told(await deriving.retry(command, _sender(message)))

    async def jobs_rescore(command: RescoreJob, message: Message) -> BaseModel:
        return _told(await deriving.rescore(command, _sender(message)))

    return {
        "jobs.start": jobs_start,
        "jobs.retry": jobs_retry,
        "jobs.rescore": jobs_rescore,
        **ending_methods(jobs, results),
    }


def export_methods(exports: ExportStore, destinations: Destinations) -> dict[str, Answerer]:
    async def results_export(command: ExportJob, message: Message) -> BaseModel:
        await asyncio.to_thread(destinations.check, command)
        export = await exports.create(command)
        log.info(
            "export.accepted", export=str(export.export), job=export.job, sender=message.sender
        )
        return export

    return {"results.export": results_export}


def _sender(message: Message) -> Sender:
    return Sender(
        key=message.id,
        correlation_id=message.correlation_id or message.id,
        created_by=message.sender,
    )


def ending_methods(jobs: JobStore, results: ResultStore) -> dict[str, Answerer]:
    """What needs the database and nothing else."""

    async def jobs_cancel(named: JobNamed, message: Message) -> BaseModel:
        return await jobs.cancel(named.workspace, named.job, by=message.sender)

    async def jobs_pause(named: JobNamed, message: Message) -> BaseModel:
        return await jobs.pause(named.workspace, named.job, by=message.sender)

    async def jobs_resume(named: JobNamed, message: Message) -> BaseModel:
        return await jobs.resume(named.workspace, named.job, by=message.sender)

    async def jobs_archive(wanted: ArchiveJob, message: Message) -> BaseModel:
        return await jobs.archive(
            wanted.workspace, wanted.job, archived=wanted.archived, by=message.sender
        )

    async def jobs_delete(named: JobNamed, message: Message) -> BaseModel:
        deleted = await jobs.delete(named.workspace, named.job)
        log.info("job.deleted", job=deleted.id, sender=message.sender)
        return deleted

    async def results_delete(named: ResultNamed, message: Message) -> BaseModel:
        deleted = await results.delete(named.workspace, named.result)
        log.info("result.deleted", result=deleted.id, sender=message.sender)
        return deleted

    return {
        "jobs.cancel": jobs_cancel,
        "jobs.pause": jobs_pause,
        "jobs.resume": jobs_resume,
        "jobs.archive": jobs_archive,
        "jobs.delete": jobs_delete,
        "results.delete": results_delete,
    }


def _workspace_in(body: bytes) -> str:
    """Where the refused command was meant to go, if it says so at all."""
    try:
        command: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return DEFAULT_WORKSPACE
    if not isinstance(command, dict):
        return DEFAULT_WORKSPACE
    said = cast("dict[str, object]", command)
    found, benchmark = said.get("workspace"), said.get("benchmark")
    if found is None and isinstance(benchmark, str):
        # A saved benchmark runs where it is saved.
        found = benchmark.partition("/")[0]
    return found if isinstance(found, str) and is_name(found) else DEFAULT_WORKSPACE
