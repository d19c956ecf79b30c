"""What is saved under a name: datasets, models, metrics and benchmarks, in revisions that never change."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from evalbus_schemas.base import Closed, JsonObject, Labels, Moment, Open
from evalbus_schemas.benchmark import BenchmarkFile, Dataset, MetricPlugin, Plugin
from evalbus_schemas.names import DEFAULT_WORKSPACE, Name, Reference

EntryKind = Literal["dataset", "model", "metric", "benchmark"]

Version = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[^\x00-\x1f]*$")]


class About(Closed):
    """What is said of an entry beside its definition."""

    description: Annotated[str, Field(max_length=4096)] = ""
    supplier: Annotated[str, Field(max_length=255)] = ""
    version: Annotated[Version, Field(description="Its maker's own word for this state of it.")] = (
        "1.0"
    )
    labels: Labels = {}
    additional_info: Annotated[JsonObject, Field(max_length=256)] = {}


class SaveDataset(About):
    definition: Dataset
    workspace: Name = DEFAULT_WORKSPACE


class SaveModel(About):
    definition: Plugin
    workspace: Name = DEFAULT_WORKSPACE


class SaveMetric(About):
    definition: MetricPlugin
    workspace: Name = DEFAULT_WORKSPACE


class SaveBenchmark(About):
    """What the definition names as `workspace/name` is copied into it as it is now."""

    definition: BenchmarkFile
    workspace: Name = DEFAULT_WORKSPACE


class EntryNamed(Closed):
    """An entry by its name, or by its number."""

    name: Name | None = None
    uid: Annotated[int, Field(ge=1)] | None = None
    workspace: Name = DEFAULT_WORKSPACE

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.name is None) == (self.uid is None):
            raise ValueError("give either name or uid")
        return self


class GetEntry(EntryNamed):
    revision: Annotated[
        Annotated[int, Field(ge=1)] | None, Field(description="The newest when absent.")
    ] = None


class ListEntries(Closed):
    workspace: Name = DEFAULT_WORKSPACE
    search: Annotated[
        Annotated[str, Field(max_length=255)] | None,
        Field(description="Only those with this in their name or description, in whatever case."),
    ] = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    after: Annotated[str, Field(max_length=255)] | None = None


class Entry(Open):
    """A saved thing in one of its revisions; `uid` and `id` are the same in all of them."""

    uid: Annotated[int, Field(ge=1)]
    id: Reference
    kind: EntryKind
    workspace: Name
    name: Name
    revision: Annotated[int, Field(ge=1)]
    version: Version
    description: str
    supplier: str
    labels: Labels
    additional_info: JsonObject
    definition: Annotated[
        JsonObject, Field(description="As in a benchmark file, with everything written out.")
    ]
    created_at: Moment
    updated_at: Annotated[Moment, Field(description="When this revision was saved.")]
    created_by: str | None


class EntrySaved(Open):
    """What became of it: the same content once more makes no new revision."""

    entry: Entry
    change: Literal["created", "updated", "unchanged"]


class EntryPage(Open):
    """In the order of their making."""

    entries: tuple[Entry, ...]
    next: str | None


class ListBenchmarkRows(EntryNamed):
    """The rows of a saved benchmark's datasets, read from their sources as they are now."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    after: Annotated[str, Field(max_length=1024)] | None = None


class BenchmarkRow(Open):
    row_id: str
    dataset: Reference
    item: JsonObject


class BenchmarkRowPage(Open):
    """At most 1 MiB of rows, therefore perhaps fewer than the limit."""

    rows: tuple[BenchmarkRow, ...]
    next: str | None


UPLOAD_PAGE_BYTES = 256 * 1024
UPLOAD_BYTES_MAX = 16 * 1024**3

ContentHash = Annotated[
    str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the whole content.")
]


class Upload(Closed):
    """One page of a file; pages are sent in order, each once or more often."""

    sha256: ContentHash
    size: Annotated[int, Field(ge=0, le=UPLOAD_BYTES_MAX, description="Of the whole file.")]
    offset: Annotated[int, Field(ge=0)]
    data: Annotated[
        str,
        Field(
            # Base64 takes four characters for three bytes.
            max_length=(UPLOAD_PAGE_BYTES + 2) // 3 * 4,
            description="At most 256 KiB, as base64.",
        ),
    ]


class UploadNamed(Closed):
    sha256: ContentHash


class Uploaded(Open):
    """How much of a file is there: it goes on at `received`. Complete ones are read as `upload://<sha256>/<name>`."""

    sha256: ContentHash
    received: Annotated[int, Field(ge=0)]
    is_complete: bool
