"""Is this command carried out? Everything that can be known before a job exists is checked here."""

import asyncio
import hashlib
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import orjson

from evalbus.datasets import TemplateUse, check_first_rows, open_dataset, template_uses
from evalbus.datasets.base import DatasetReader
from evalbus.errors import Invalid, NotFound, SourceBroken
from evalbus.metrics import build_metric
from evalbus.models import SAMPLE_FIELDS, LiveModel, build_model
from evalbus.settings import Settings
from evalbus.store.base import JobLimits, JobStore, ModelFacts, NewJob
from evalbus_schemas.benchmark import Benchmark, Plugin, StartBenchmark
from evalbus_schemas.queries import JobStarted

FIRST_ROWS = 100


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """Turns a command into a job, once."""

    jobs: JobStore
    limits: JobLimits
    roots: tuple[Path, ...] | None
    """Where datasets may lie; None: anywhere, because whoever asks is the owner of this process."""

    async def start(
        self,
        command: StartBenchmark,
        *,
        key: str,
        correlation_id: str | None,
        created_by: str | None,
    ) -> JobStarted:
        """Raises Invalid, NotAllowed, NotFound or Conflict; nothing is kept of a command that is refused."""
        content = content_hash(command)
        key = command.idempotency_key or key
        workspace = command.job_workspace
        if made := await self.jobs.made_by(workspace, key, content):
            return JobStarted(job=made, created=False)
        benchmark = resolved(command)
        fingerprints = await asyncio.to_thread(self._look_at, benchmark)
        job, created = await self.jobs.create(
            NewJob(
                workspace=workspace,
                name=command.job,
                benchmark=benchmark,
                limits=self.limits,
                labels=benchmark.labels | command.labels,
                idempotency_key=key,
                content_hash=content,
                correlation_id=correlation_id,
                created_by=created_by,
                fingerprints=fingerprints,
                models=tuple(self._facts(model) for model in benchmark.models),
            )
        )
        return JobStarted(job=job, created=created)

    def _facts(self, plugin: Plugin) -> ModelFacts:
        model = build_model(plugin, self.limits)
        if isinstance(model, LiveModel):
            return ModelFacts(is_live=True, endpoint=model.endpoint)
        return ModelFacts(is_live=False)

    def _look_at(self, benchmark: Benchmark) -> tuple[str, ...]:
        """The first rows of every dataset hold what the templates ask for; what the datasets look like now."""
        uses = self._template_uses(benchmark)
        with ExitStack() as opened:
            readers = [
                opened.enter_context(
                    closing(open_dataset(dataset, roots=self.roots, limits=self.limits))
                )
                for dataset in benchmark.datasets
            ]
            check_first_rows(benchmark, [first_items(reader) for reader in readers], uses)
            return tuple(reader.fingerprint().model_dump_json() for reader in readers)

    def _template_uses(self, benchmark: Benchmark) -> list[TemplateUse]:
        """Building every model and metric checks their types and parameters on the way."""
        models = [
            template_uses(build_model(model, self.limits), where=f"model {model.name!r}")
            for model in benchmark.models
        ]
        metrics = [
            template_uses(
                build_metric(metric, self.limits),
                where=f"metric {metric.name!r}",
                sample_fields=SAMPLE_FIELDS,
            )
            for metric in benchmark.metrics
        ]
        return [use for uses in (*models, *metrics) for use in uses]


def job_limits(settings: Settings) -> JobLimits:
    return JobLimits(
        row_seconds=settings.row_seconds_max,
        row_bytes=settings.row_bytes_max,
        template_characters=settings.template_characters_max,
        child_memory_bytes=settings.child_memory_bytes_max,
        chunk_rows=settings.chunk_rows_max,
        chunk_bytes=settings.chunk_bytes_max,
        live_chunk_rows=settings.live_chunk_rows,
        endpoint_parallelism=settings.endpoint_parallelism,
    )


def content_hash(command: StartBenchmark) -> bytes:
    """The same for the same command, whatever key it came with."""
    content = command.model_dump(mode="json", exclude={"idempotency_key"})
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()


def resolved(command: StartBenchmark) -> Benchmark:
    if isinstance(command.benchmark, str):
        raise NotFound(
            f"no benchmark is saved as {command.benchmark!r}",
            {"wanted": "a benchmark", "found": command.benchmark},
        )
    benchmark = command.benchmark.written_out()
    if command.params is None:
        return benchmark
    return benchmark.model_copy(update={"params": command.params})


def first_items(reader: DatasetReader) -> list[bytes]:
    items: list[bytes] = []
    try:
        while len(items) < FIRST_ROWS and (
            rows := reader.read(FIRST_ROWS - len(items), 16 * 1024 * 1024)
        ):
            items += [row.item for row in rows]
    except SourceBroken as error:
        raise Invalid(error.message, {"found": error.code}) from None
    return items
