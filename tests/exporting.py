"""Pages of datapoints as the service gives them, made up, and the files that come of them."""

import json
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalbus.exporting import ExportConfig, file_chunks
from evalbus_schemas.exports import (
    DatapointPage,
    ExportedBenchmark,
    ExportedScore,
    ExportedSlice,
    ExportHead,
)
from evalbus_schemas.jobs import JobStatus
from tests.answers import NOON, a_job

Datapoint = dict[str, Any]

SLICES = (
    ExportedSlice(id="None", display_name="All Datapoints", reserved_slice_type="global"),
    ExportedSlice(id="-1", display_name="No Slice", reserved_slice_type="no_slice"),
    ExportedSlice(id="1", display_name="hard", reserved_slice_type="regular_slice"),
)


def a_score(number: int = 1, name: str = "exact-match", **changes: Any) -> ExportedScore:
    score = ExportedScore(
        criteria_uid=number, criteria_name=name, metric=f"default/{name}", score=name
    )
    return score.model_copy(update=changes)


def a_head(*scores: ExportedScore, **changes: Any) -> ExportHead:
    head = ExportHead(
        benchmark_metadata=ExportedBenchmark(
            uid=7, name="capitals", description="", created_at=NOON, created_by="ada"
        ),
        execution=a_job(status=JobStatus.COMPLETED, uid=12, started_at=NOON, finished_at=NOON),
        partial=False,
        definition={"name": "capitals"},
        datasets=("default/capitals",),
        models=("default/terse",),
        scores=scores or (a_score(),),
        slices=SLICES,
    )
    return head.model_copy(update=changes)


def a_datapoint(
    number: int = 0,
    item: Mapping[str, object] | None = None,
    *,
    samples: Sequence[Mapping[str, object]] | None = None,
    scores: Sequence[Mapping[str, object]] = (),
    slices: Sequence[str] = (),
) -> Datapoint:
    return {
        "x_uid": f"capitals::{number}",
        "dataset": "default/capitals",
        "row_index": number,
        "row_id": f"r{number}",
        "item": item or {},
        "samples": [a_sample()] if samples is None else list(samples),
        "scores": list(scores),
        "slice_membership": list(slices),
    }


def a_sample(**changes: Any) -> dict[str, Any]:
    sample = {
        "model": "default/terse",
        "repeat": 0,
        "failed": False,
        "output": {"output_text": "Paris"},
    }
    return sample | changes


def an_entry(kind: str = "EVAL", value: object = 1.0, **changes: Any) -> dict[str, Any]:
    entry = {
        "criteria_uid": 1,
        "criteria_name": "exact-match",
        "model": "default/terse",
        "score_type": kind,
        "value": value,
    }
    return entry | changes


async def pages_of(
    points: Iterable[Datapoint | str], *, head: ExportHead | None = None, size: int = 2
) -> AsyncGenerator[DatapointPage]:
    """So many on a page; a datapoint may be given as its text."""
    texts = [each if isinstance(each, str) else json.dumps(each) for each in points]
    for first in range(0, max(len(texts), 1), size):
        some = texts[first : first + size]
        yield DatapointPage(
            head=(head or a_head()) if first == 0 else None,
            lines="".join(text + "\n" for text in some),
            count=len(some),
            next=str(first + size) if first + size < len(texts) else None,
        )


async def a_file(
    config: ExportConfig,
    points: Iterable[Datapoint | str],
    *,
    head: ExportHead | None = None,
    folder: Path | None = None,
) -> bytes:
    pages = pages_of(points, head=head)
    return b"".join([chunk async for chunk in file_chunks(pages, config, folder=folder)])
