"""Is this command carried out? Everything that can be known before a job exists is checked here."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from evalbus.datasets import TemplateUse, check_first_rows
from evalbus.datasets.base import DatasetReader
from evalbus.datasets.sources import Uploads
from evalbus.errors import Invalid, SourceBroken
from evalbus.producer.checking import PartChecks
from evalbus.producer.opening import DatasetOpening
from evalbus.producer.references import References
from evalbus.producer.slice_fields import check_slice_fields
from evalbus.producer.uploads import UploadFiles
from evalbus.settings import Settings
from evalbus.store.ports import JobLimits, JobStore, NewJob
from evalbus_schemas.benchmark import Benchmark, Params, StartBenchmark
from evalbus_schemas.queries import JobStarted

FIRST_ROWS = 100
LOOK_SECONDS_MAX = 120.0


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """Turns a command into a job, once."""

    jobs: JobStore
    limits: JobLimits
    references: References
    checks: PartChecks
    opening: DatasetOpening
    uploads: UploadFiles

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
        benchmark = await self._benchmark(command)
        fingerprints = await self._look_at(benchmark)
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
                models=tuple(self.checks.facts(model) for model in benchmark.models),
                metric_endpoints=self.checks.metric_endpoints(benchmark),
            )
        )
        return JobStarted(job=job, created=created)

    async def _benchmark(self, command: StartBenchmark) -> Benchmark:
        """Everything written out, with the command's own params."""
        if isinstance(command.benchmark, str):
            benchmark = await self.references.saved_benchmark(_in_its_workspace(command))
        else:
            benchmark = await self.references.written_out(command.benchmark)
        return benchmark.model_copy(update={"params": with_given(benchmark.params, command.params)})

    async def _look_at(self, benchmark: Benchmark) -> tuple[str, ...]:
        """The first rows of every dataset hold what the templates ask for; what the datasets look like now."""
        uses = self.checks.benchmark(benchmark)
        try:
            # A source that never answers must not keep whoever comes behind from being heard.
            async with (
                asyncio.timeout(LOOK_SECONDS_MAX),
                self.uploads.at_hand(benchmark.datasets) as uploads,
            ):
                return await asyncio.to_thread(self._fingerprints, benchmark, uses, uploads)
        except TimeoutError:
            raise Invalid(
                f"the first rows of the datasets could not be read within {LOOK_SECONDS_MAX:g} s"
            ) from None

    def _fingerprints(
        self, benchmark: Benchmark, uses: Sequence[TemplateUse], uploads: Uploads
    ) -> tuple[str, ...]:
        with ExitStack() as opened:
            readers = [
                opened.enter_context(closing(self.opening.open(dataset, uploads=uploads)))
                for dataset in benchmark.datasets
            ]
            items = [first_items(reader) for reader in readers]
            check_first_rows(benchmark, items, uses)
            check_slice_fields(benchmark.slices, items)
            try:
                return tuple(reader.fingerprint().model_dump_json() for reader in readers)
            except SourceBroken as error:
                raise Invalid(error.message, {"found": error.code}) from None


def with_given(params: Params, given: Params | None) -> Params:
    """What was given takes the place of what a benchmark or an earlier job said; the rest stays."""
    if given is None:
        return params
    return params.model_copy(update={name: getattr(given, name) for name in given.model_fields_set})


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
    """The same for the same command as it was written, whatever key it came with."""
    content = command.model_dump(mode="json", exclude={"idempotency_key"})
    # Not orjson: a message may hold integers of any size.
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()


def _in_its_workspace(command: StartBenchmark) -> str:
    saved = str(command.benchmark)
    own = saved.partition("/")[0]
    if command.job_workspace != own:
        raise Invalid(
            f"benchmark {saved!r} runs in its own workspace {own!r}, not in {command.job_workspace!r}",
            {"wanted": own, "found": command.job_workspace},
        )
    return saved


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
