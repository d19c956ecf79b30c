"""A job that goes on from an ended one: what is missing of it once more, or its samples with other metrics."""

import hashlib
import json
from dataclasses import dataclass

from pydantic import ValidationError

from evalbus.datasets import check_first_rows
from evalbus.errors import Conflict, Invalid
from evalbus.producer.accepting import with_given
from evalbus.producer.checking import PartChecks
from evalbus.producer.references import References
from evalbus.store.ports import Derived, JobLimits, JobStore, NewJob, SourceJob
from evalbus.validation import describe
from evalbus_schemas.benchmark import Benchmark, Params
from evalbus_schemas.jobs import Derivation
from evalbus_schemas.queries import JobStarted, RescoreJob, RetryJob

SAME_ROWS = ("limit_samples", "repeats")
"""Params that say which rows a job has; a retry has those of its source."""


@dataclass(frozen=True, kw_only=True)
class Sender:
    """What a derived job keeps of the message that asked for it."""

    key: str
    correlation_id: str | None
    created_by: str | None


@dataclass(frozen=True, kw_only=True)
class Deriving:
    """Turns a command about an ended job into a new one, once.

    Raises NotFound, Conflict if the source has not ended or there is nothing to do, Invalid, or NotAllowed.
    """

    jobs: JobStore
    limits: JobLimits
    references: References
    checks: PartChecks

    async def retry(self, command: RetryJob, sender: Sender) -> JobStarted:
        content = _content_hash("retry", command)
        key = command.idempotency_key or sender.key
        if made := await self.jobs.made_by(command.workspace, key, content):
            return JobStarted(job=made, created=False)
        source = await self.jobs.source(command.workspace, command.job)
        if not source.rows_missing:
            raise Conflict(
                f"job {source.job.name!r} has no failed or missing rows: there is nothing to retry",
                {"wanted": "failed or missing rows", "found": 0},
            )
        params = _merged(source.benchmark.params, command.params)
        benchmark = source.benchmark.model_copy(update={"params": params})
        return await self._create(command, sender, source, "retry", benchmark, content)

    async def rescore(self, command: RescoreJob, sender: Sender) -> JobStarted:
        content = _content_hash("rescore", command)
        key = command.idempotency_key or sender.key
        if made := await self.jobs.made_by(command.workspace, key, content):
            return JobStarted(job=made, created=False)
        source = await self.jobs.source(command.workspace, command.job)
        if source.job.rows == 0:
            raise Conflict(
                f"job {source.job.name!r} has no stored samples: there is nothing to score",
                {"wanted": "stored samples", "found": 0},
            )
        benchmark = await self._with_metrics(source.benchmark, command)
        self._check(benchmark, source)
        return await self._create(command, sender, source, "rescore", benchmark, content)

    async def _with_metrics(self, benchmark: Benchmark, command: RescoreJob) -> Benchmark:
        metrics = await self.references.metrics(command.metrics)
        try:
            return Benchmark(
                name=benchmark.name,
                description=benchmark.description,
                datasets=benchmark.datasets,
                models=benchmark.models,
                metrics=metrics,
                slices=benchmark.slices,
                params=benchmark.params,
                labels=benchmark.labels,
            )
        except ValidationError as error:
            raise Invalid("; ".join(describe(error, Benchmark))) from None

    def _check(self, benchmark: Benchmark, source: SourceJob) -> None:
        """The metrics are what they should be, and the rows that are stored have the fields that they ask for."""
        uses = self.checks.metrics(benchmark)
        read = [
            (dataset.model_copy(update={"id": None}), items)
            for dataset, items in zip(benchmark.datasets, source.first_items, strict=True)
            if items
        ]
        of_those = benchmark.model_copy(update={"datasets": tuple(dataset for dataset, _ in read)})
        check_first_rows(of_those, [items for _, items in read], uses)

    async def _create(
        self,
        command: RetryJob | RescoreJob,
        sender: Sender,
        source: SourceJob,
        how: Derivation,
        benchmark: Benchmark,
        content: bytes,
    ) -> JobStarted:
        job, created = await self.jobs.create(
            NewJob(
                workspace=source.job.workspace,
                name=command.name,
                benchmark=benchmark,
                limits=self.limits,
                labels=source.job.labels,
                idempotency_key=command.idempotency_key or sender.key,
                content_hash=content,
                correlation_id=sender.correlation_id,
                created_by=sender.created_by,
                fingerprints=source.fingerprints,
                models=source.models,
                metric_endpoints=self.checks.metric_endpoints(benchmark),
                derivation=Derived(source=source.job.job_id, how=how),
            )
        )
        return JobStarted(job=job, created=created)


def _merged(params: Params, given: Params | None) -> Params:
    """What was given takes the place of what the job ran with. Raises Invalid if that would be other rows."""
    merged = with_given(params, given)
    for name in SAME_ROWS:
        if getattr(merged, name) != getattr(params, name):
            raise Invalid(
                f"params.{name} of a retry is that of the job that it goes on from",
                {"wanted": getattr(params, name), "found": getattr(merged, name)},
            )
    return merged


def _content_hash(how: Derivation, command: RetryJob | RescoreJob) -> bytes:
    content = command.model_dump(mode="json", exclude={"idempotency_key"})
    return hashlib.sha256(json.dumps([how, content], sort_keys=True).encode()).digest()
