"""Values with defaults: a test names only what it is about."""

from collections.abc import Collection, Sequence
from uuid import UUID, uuid4

import orjson

from evalbus.store.ports import (
    ChunkToSend,
    Derived,
    JobLimits,
    LetterToKeep,
    ModelFacts,
    NewJob,
    Stretch,
)
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import Benchmark, Dataset, MetricPlugin, Params, Plugin, Slice
from evalbus_schemas.chunks import Asked, ChunkProgress, ChunkScored, ScoreError, ScoreRemark
from evalbus_schemas.events import BenchmarkEvent
from evalbus_schemas.scores import Counts, Signature

SAMPLE = b'{"output_text":"Paris"}'


def a_benchmark(
    *,
    name: str = "capitals",
    datasets: Sequence[str] = ("capitals",),
    models: Sequence[str] = ("baseline",),
    metrics: Sequence[str | MetricPlugin] = ("exact-match",),
    max_row_error_ratio: float | None = None,
    params: Params | None = None,
    slices: Sequence[str] = (),
) -> Benchmark:
    """A metric of which only the name is given is an exact match."""
    return Benchmark(
        name=name,
        datasets=tuple(Dataset(name=dataset, source=f"{dataset}.jsonl") for dataset in datasets),
        models=tuple(Plugin(name=model, type="recorded") for model in models),
        metrics=tuple(
            MetricPlugin.model_validate(
                {"name": metric, "type": "exact-match", "reference": "Paris"}
            )
            if isinstance(metric, str)
            else metric
            for metric in metrics
        ),
        slices=tuple(Slice(name=name, where={"in": name}) for name in slices),
        params=params or Params(max_row_error_ratio=max_row_error_ratio),
    )


def a_new_job(
    *,
    name: str | None = None,
    workspace: str = "default",
    benchmark: Benchmark | None = None,
    labels: dict[str, str] | None = None,
    idempotency_key: str | None = None,
    content: bytes = b"the same command",
    correlation_id: str | None = None,
    live: Collection[str] = (),
    endpoint: str = "http://127.0.0.1:1",
    metric_endpoints: Collection[str] = (),
    derivation: Derived | None = None,
) -> NewJob:
    """Without a key it is a command of its own; the models named in `live` are asked at the endpoint."""
    benchmark = benchmark or a_benchmark()
    return NewJob(
        workspace=workspace,
        name=name,
        benchmark=benchmark,
        limits=JobLimits(chunk_rows=500, chunk_bytes=262_144),
        labels=labels or {},
        idempotency_key=idempotency_key or str(uuid4()),
        content_hash=content,
        correlation_id=correlation_id,
        created_by="somebody",
        fingerprints=tuple(f"of {dataset.name}" for dataset in benchmark.datasets),
        models=tuple(
            ModelFacts(is_live=True, endpoint=endpoint)
            if model.name in live
            else ModelFacts(is_live=False)
            for model in benchmark.models
        ),
        metric_endpoints=tuple(metric_endpoints),
        derivation=derivation,
    )


def an_item(number: int) -> bytes:
    return orjson.dumps({"id": number, "input": f"question {number}", "output": "Paris"})


def a_stretch(
    *,
    dataset_no: int = 0,
    first_row: int = 0,
    n_rows: int = 3,
    rows: Sequence[tuple[str, bytes]] | None = None,
    slices: Sequence[int] = (),
) -> Stretch:
    if rows is None:
        rows = [(f"row-{i}", an_item(i)) for i in range(first_row, first_row + n_rows)]
    return Stretch(dataset_no=dataset_no, first_row=first_row, rows=rows, slices=slices)


def stretches(
    *,
    of_rows: int,
    in_chunks_of: int,
    dataset_no: int = 0,
    items: Sequence[bytes] | None = None,
    slices: Sequence[int] = (),
) -> list[Stretch]:
    """A whole dataset."""
    lines = items or [an_item(row) for row in range(of_rows)]
    rows = [(f"row-{row}", line) for row, line in enumerate(lines)]
    return [
        a_stretch(
            dataset_no=dataset_no,
            first_row=first,
            rows=rows[first : first + in_chunks_of],
            slices=slices[first : first + in_chunks_of],
        )
        for first in range(0, of_rows, in_chunks_of)
    ]


def a_scored_chunk(
    sent: ChunkToSend,
    *,
    scores: Sequence[Sequence[float | None]] | None = None,
    errors: Sequence[ScoreError] = (),
    n_rows: int | None = None,
    asked: Sequence[Asked] | None = None,
    asked_by_metrics: Sequence[Sequence[Asked]] = (),
    counts: Sequence[Sequence[Counts | None]] = (),
    remarks: Sequence[ScoreRemark] = (),
    signatures: Sequence[Signature] = (),
    truths: Sequence[Sequence[float | None]] = (),
) -> ChunkScored:
    """What an evaluator makes of a chunk: by default every metric gives every row 1.0, after one call if it is live."""
    if asked is None:
        asked = [an_asked_row()] * (n_rows or sent.n_rows) if sent.is_live else []
    n_rows = n_rows or sent.n_rows
    columns = scores or [[1.0] * n_rows for _ in sent.plan.metrics]
    return ChunkScored(
        job_id=sent.job_id,
        job=sent.job,
        workspace=sent.workspace,
        chunk=sent.chunk_no,
        n_rows=n_rows,
        scores=tuple(tuple(column) for column in columns),
        errors=tuple(errors),
        remarks=tuple(remarks),
        counts=tuple(tuple(column) for column in counts),
        signatures=tuple(signatures),
        truths=tuple(tuple(column) for column in truths),
        asked=tuple(asked),
        asked_by_metrics=tuple(tuple(of_row) for of_row in asked_by_metrics),
        seconds=0.25,
        evaluator="evaluator-1",
    )


def an_asked_row(*, calls: int = 1, cost: float | None = 0.01, seconds: float = 0.2) -> Asked:
    return Asked(
        calls=calls,
        input_tokens=10,
        output_tokens=5,
        cost=cost,
        seconds=seconds,
        requests=tuple({"status": 200} for _ in range(calls)),
    )


def samples_of(chunk: ChunkScored, sample: bytes = SAMPLE) -> list[bytes]:
    return [sample] * chunk.n_rows


def a_failed_row(
    row: int, *, metric: str | None = None, message: str = "it broke", unanswered: bool = False
) -> ScoreError:
    return ScoreError(
        row=row,
        metric=metric,
        stage="sample" if metric is None else "metric",
        code="broken",
        message=message,
        failed=True,
        unanswered=unanswered,
    )


def an_unscored_row(row: int, *, metric: str = "exact-match") -> ScoreError:
    return ScoreError(
        row=row,
        metric=metric,
        stage="metric",
        code="no_reference",
        message="nothing to compare with",
        failed=False,
    )


def a_signature(*, release: str = "1.0", type: str = "exact-match") -> Signature:
    return Signature(
        type=type,
        version="1",
        parameters={"reference": "Paris", "normalize": "squad"},
        libraries={"words": release},
    )


def a_sign_of_life(sent: ChunkToSend) -> ChunkProgress:
    return ChunkProgress(
        job_id=sent.job_id, chunk=sent.chunk_no, rows_done=1, evaluator="evaluator-1"
    )


def an_event(
    *,
    workspace: str = "default",
    job: str | None = None,
    job_id: UUID | None = None,
    labels: dict[str, str] | None = None,
) -> BenchmarkEvent:
    return BenchmarkEvent(
        job=job,
        job_id=job_id,
        workspace=workspace,
        benchmark=None,
        status=None,
        correlation_id=None,
        labels=labels or {},
    )


def a_letter(
    *,
    queue: str = "evalbus.scored",
    reason: str = "invalid",
    detail: str = "not JSON",
    message_id: str = "message-1",
    headers: dict[str, str] | None = None,
    body: bytes = b"{",
    body_bytes: int | None = None,
) -> LetterToKeep:
    return LetterToKeep(
        queue=queue,
        reason=reason,
        detail=detail,
        type="evalbus.chunk.scored.v1",
        message_id=message_id,
        attempts=1,
        headers=headers or {},
        body=body,
        body_bytes=len(body) if body_bytes is None else body_bytes,
    )


def as_json(line: bytes) -> JsonObject:
    parsed: JsonObject = orjson.loads(line)
    return parsed
