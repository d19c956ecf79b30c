"""A job as a file: on this machine, or in a bucket that a producer writes to."""

import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path

from evalbus.exporting import (
    ExportConfig,
    LocalFile,
    Sink,
    WrongExport,
    file_chunks,
    save,
)
from evalbus.exporting.base import in_thread
from evalbus_schemas.exports import DatapointPage, ExportFormat
from evalbus_schemas.jobs import Job, JobStatus

Destination = str | Path | Sink
"""The path of a file, `s3://bucket/key` or `gs://bucket/key`, or whatever else takes bytes."""

Tell = Callable[[int, int | None], None]
"""How many datapoints were read so far, and of how many, as far as that is known."""

BUCKET_SCHEMES = ("s3", "gs")
# One letter is a drive, of systems that have such. A Path makes one slash of two.
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A file that is there now."""

    destination: str
    format: ExportFormat
    datapoints: int
    job: Job
    """As it was when the export began."""

    @property
    def partial(self) -> bool:
        """The job had not completed: the file has what there was."""
        return self.job.status is not JobStatus.COMPLETED


def bucket_url(destination: Destination) -> str | None:
    """The destination if it is in a bucket; raises WrongExport (a ValueError) for a URL that nothing is written to."""
    found = SCHEME.match(str(destination)) if isinstance(destination, str | Path) else None
    if found is None:
        return None
    url = str(destination)
    if found[1] not in BUCKET_SCHEMES or not url.startswith(f"{found[1]}://"):
        raise WrongExport(
            f"nothing can be written to {url!r}: give a path, or s3://… or gs://… as text",
            {"found": url},
        )
    return url


async def write_pages(
    pages: AsyncGenerator[DatapointPage],
    destination: Destination,
    config: ExportConfig,
    *,
    tell: Tell | None,
) -> Exported:
    """Raises WrongExport for a path that is no place for a file, OSError, and what `pages` raises."""
    # The job first: where there is none, no folder is made.
    first = await anext(pages)
    assert first.head is not None, "the first page of a job has its head"
    job = first.head.execution
    read = _Read(job, tell)
    sink = await in_thread(_sink, destination)
    folder = sink.folder if isinstance(sink, LocalFile) else None
    await save(file_chunks(read.pages(first, pages), config, folder=folder), sink)
    return Exported(
        destination=str(destination), format=config.format, datapoints=read.datapoints, job=job
    )


def _sink(destination: Destination) -> Sink:
    return LocalFile(Path(destination)) if isinstance(destination, str | Path) else destination


class _Read:
    """How many datapoints went by."""

    def __init__(self, job: Job, tell: Tell | None) -> None:
        self.datapoints = 0
        self._total = sum(used.rows for used in job.datasets) or None
        self._tell = tell

    async def pages(
        self, first: DatapointPage, others: AsyncGenerator[DatapointPage]
    ) -> AsyncGenerator[DatapointPage]:
        yield self._counted(first)
        async for page in others:
            yield self._counted(page)

    def _counted(self, page: DatapointPage) -> DatapointPage:
        self.datapoints += page.count
        if self._tell is not None:
            self._tell(self.datapoints, self._total)
        return page
