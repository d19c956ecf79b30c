"""What is saved under a name: datasets, models, metrics and benchmarks."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import ClassVar, TypedDict, Unpack

from pydantic import BaseModel

from evalbus.client.calls import Calls
from evalbus.client.pages import entries, pages
from evalbus.client.parameters import parameters
from evalbus.client.uploads import Progress, upload
from evalbus.errors import Conflict, NotFound
from evalbus_schemas import catalogue
from evalbus_schemas.base import JsonObject, Labels
from evalbus_schemas.catalogue import (
    BenchmarkRow,
    BenchmarkRowPage,
    Entry,
    EntryKind,
    EntryNamed,
    EntryPage,
    EntrySaved,
    GetEntry,
    ListBenchmarkRows,
    ListEntries,
    SaveBenchmark,
    SaveDataset,
    SaveMetric,
    SaveModel,
)
from evalbus_schemas.queries import Deleted

Definition = BaseModel | Mapping[str, object] | str | Path
"""As in a benchmark file: a model, a dict, or the path of a file with it."""

SAVE_ATTEMPTS_MAX = 5


class About(TypedDict, total=False):
    """What is said of an entry beside its definition; what is left out is empty, and the version 1.0."""

    description: str
    supplier: str
    version: str
    labels: Labels
    additional_info: JsonObject


def as_about(about: catalogue.About) -> About:
    """The same as keyword arguments; what was not said is left out."""
    said: About = {}
    if "description" in about.model_fields_set:
        said["description"] = about.description
    if "supplier" in about.model_fields_set:
        said["supplier"] = about.supplier
    if "version" in about.model_fields_set:
        said["version"] = about.version
    if "labels" in about.model_fields_set:
        said["labels"] = about.labels
    if "additional_info" in about.model_fields_set:
        said["additional_info"] = about.additional_info
    return said


class Saved:
    """One kind of thing. A name is one of the client's workspace, or `workspace/name`; a number is the entry's uid."""

    _kind: ClassVar[EntryKind]
    _command: ClassVar[type[BaseModel]]

    def __init__(self, calls: Calls, workspace: str) -> None:
        self._calls = calls
        self._workspace = workspace

    async def create(self, definition: Definition, **about: Unpack[About]) -> Entry:
        """Save it under its name. Raises Conflict if the name has another content, Invalid for what cannot be run.

        A benchmark has written out what it names as `workspace/name`; NotFound says what is not there.
        """
        return (await self._write("create", definition, about)).entry

    async def update(self, definition: Definition, **about: Unpack[About]) -> Entry:
        """Save its next revision, unless nothing differs; raises NotFound."""
        return (await self._write("update", definition, about)).entry

    async def save(self, definition: Definition, **about: Unpack[About]) -> EntrySaved:
        """Create it, or update what is there; and which of these it was."""
        attempts = 0
        while True:
            attempts += 1
            try:
                return await self._write("create", definition, about)
            except Conflict:
                try:
                    return await self._write("update", definition, about)
                except NotFound:
                    # Deleted between the two: what stood in the way is gone.
                    if attempts == SAVE_ATTEMPTS_MAX:
                        raise

    async def get(self, name: str | int, *, revision: int | None = None) -> Entry:
        """In that revision, or the newest; raises NotFound."""
        wanted = self._named(name) | {"revision": revision}
        return await self._calls.call(f"{self._kind}s.get", parameters(GetEntry, wanted), Entry)

    async def list(
        self, *, search: str | None = None, limit: int | None = None
    ) -> AsyncIterator[Entry]:
        """In the order of their making; with `search` only those that have it in name or description."""

        async def ask(after: str | None, count: int) -> EntryPage:
            wanted: dict[str, object] = {
                "workspace": self._workspace,
                "search": search,
                "after": after,
                "limit": count,
            }
            return await self._calls.call(
                f"{self._kind}s.list", parameters(ListEntries, wanted), EntryPage
            )

        found = pages(ask, count=lambda p: len(p.entries), cursor=lambda p: p.next, limit=limit)
        async for each in entries(found, lambda page: page.entries):
            yield each

    async def delete(self, name: str | int) -> Deleted:
        """With all its revisions; raises NotFound, also the second time. What has it written out keeps it."""
        wanted = parameters(EntryNamed, self._named(name))
        return await self._calls.call(f"{self._kind}s.delete", wanted, Deleted)

    async def _write(self, verb: str, definition: Definition, about: About) -> EntrySaved:
        if isinstance(definition, str | Path):
            from evalbus.client.catalogue_file import read_one  # most calls read no file

            declared = read_one(self._kind, Path(definition))
            definition = declared.definition
            # What the caller says goes before what the file says.
            about = {**as_about(declared.about), **about}
        given = {"definition": definition, "workspace": self._workspace, **about}
        return await self._calls.call(
            f"{self._kind}s.{verb}", parameters(self._command, given), EntrySaved
        )

    def _named(self, name: str | int) -> dict[str, object]:
        if isinstance(name, int):
            return {"uid": name, "workspace": self._workspace}
        workspace, slash, bare = name.partition("/")
        if not slash:
            return {"name": name, "workspace": self._workspace}
        return {"name": bare, "workspace": workspace}


class Models(Saved):
    """`client.models`."""

    _kind = "model"
    _command = SaveModel


class Metrics(Saved):
    """`client.metrics`."""

    _kind = "metric"
    _command = SaveMetric


class Datasets(Saved):
    """`client.datasets`."""

    _kind = "dataset"
    _command = SaveDataset

    async def upload(
        self, file: str | Path, *, name: str | None = None, progress: Progress | None = None
    ) -> str:
        """Send a file to the services; the source that a dataset reads it as, under that file name or its own.

        A content that is there already is not sent again, and what was interrupted goes on. Raises Invalid.
        """
        return await upload(self._calls, file, name=name, progress=progress)


class Benchmarks(Saved):
    """`client.benchmarks`."""

    _kind = "benchmark"
    _command = SaveBenchmark

    async def rows(
        self, name: str | int, *, limit: int | None = None
    ) -> AsyncIterator[BenchmarkRow]:
        """The rows of its datasets, one dataset after the other, as their sources are now.

        Raises NotFound, or Invalid for what cannot be read. However many there are, only a page of them is held.
        """
        async for page in self.row_pages(name, limit=limit):
            for row in page.rows:
                yield row

    async def row_pages(
        self, name: str | int, *, limit: int | None = None
    ) -> AsyncIterator[BenchmarkRowPage]:
        """The same by the page as it was answered."""
        named = self._named(name)

        async def ask(after: str | None, count: int) -> BenchmarkRowPage:
            wanted = parameters(ListBenchmarkRows, named | {"after": after, "limit": count})
            return await self._calls.call("benchmarks.rows", wanted, BenchmarkRowPage)

        found = pages(ask, count=lambda p: len(p.rows), cursor=lambda p: p.next, limit=limit)
        async for page in found:
            yield page


KINDS: Mapping[EntryKind, type[Saved]] = {
    "dataset": Datasets,
    "model": Models,
    "metric": Metrics,
    "benchmark": Benchmarks,
}
