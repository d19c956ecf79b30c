"""`client.datasets`, `models`, `metrics` and `benchmarks` for code without an event loop."""

from collections.abc import Iterator
from pathlib import Path
from typing import Unpack

from evalbus.client.catalogue import About, Benchmarks, Datasets, Definition, Saved
from evalbus.client.thread import Thread
from evalbus.client.uploads import Progress
from evalbus_schemas.catalogue import BenchmarkRow, BenchmarkRowPage, Entry, EntrySaved
from evalbus_schemas.queries import Deleted


class SyncSaved:
    """One kind of thing. A name is one of the client's workspace, or `workspace/name`; a number is the entry's uid."""

    def __init__(self, saved: Saved, thread: Thread) -> None:
        self._saved = saved
        self._thread = thread

    def create(self, definition: Definition, **about: Unpack[About]) -> Entry:
        """Save it under its name. Raises Conflict if the name has another content, Invalid for what cannot be run.

        A benchmark has written out what it names as `workspace/name`; NotFound says what is not there.
        """
        return self._thread.call(self._saved.create, definition, **about)

    def update(self, definition: Definition, **about: Unpack[About]) -> Entry:
        """Save its next revision, unless nothing differs; raises NotFound."""
        return self._thread.call(self._saved.update, definition, **about)

    def save(self, definition: Definition, **about: Unpack[About]) -> EntrySaved:
        """Create it, or update what is there; and which of these it was."""
        return self._thread.call(self._saved.save, definition, **about)

    def get(self, name: str | int, *, revision: int | None = None) -> Entry:
        """In that revision, or the newest; raises NotFound."""
        return self._thread.call(self._saved.get, name, revision=revision)

    def list(self, *, search: str | None = None, limit: int | None = None) -> Iterator[Entry]:
        """In the order of their making; with `search` only those that have it in name or description."""
        return self._thread.iterate(self._saved.list, search=search, limit=limit)

    def delete(self, name: str | int) -> Deleted:
        """With all its revisions; raises NotFound, also the second time. What has it written out keeps it."""
        return self._thread.call(self._saved.delete, name)


class SyncDatasets(SyncSaved):
    """`client.datasets`."""

    def __init__(self, datasets: Datasets, thread: Thread) -> None:
        super().__init__(datasets, thread)
        self._datasets = datasets

    def upload(
        self, file: str | Path, *, name: str | None = None, progress: Progress | None = None
    ) -> str:
        """Send a file to the services; the source that a dataset reads it as, under that file name or its own.

        A content that is there already is not sent again, and what was interrupted goes on. Raises Invalid.
        """
        return self._thread.call(self._datasets.upload, file, name=name, progress=progress)


class SyncBenchmarks(SyncSaved):
    """`client.benchmarks`."""

    def __init__(self, benchmarks: Benchmarks, thread: Thread) -> None:
        super().__init__(benchmarks, thread)
        self._benchmarks = benchmarks

    def rows(self, name: str | int, *, limit: int | None = None) -> Iterator[BenchmarkRow]:
        """The rows of its datasets, one dataset after the other, as their sources are now.

        Raises NotFound, or Invalid for what cannot be read. However many there are, only a page of them is held.
        """
        # By the page: to go to the other thread for every row takes longer than the row.
        for page in self.row_pages(name, limit=limit):
            yield from page.rows

    def row_pages(self, name: str | int, *, limit: int | None = None) -> Iterator[BenchmarkRowPage]:
        """The same by the page as it was answered."""
        return self._thread.iterate(self._benchmarks.row_pages, name, limit=limit)
