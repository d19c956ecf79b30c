"""Uploaded files on this machine, for as long as somebody reads them and a while longer."""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from evalbus.datasets.sources import Uploads
from evalbus.errors import Invalid, NotFound, Unavailable
from evalbus.logs import get_logger
from evalbus.store.ports import UploadStore
from evalbus_schemas.benchmark import Dataset

log = get_logger(__name__)

SCHEME = "upload://"
SOURCE = re.compile(r"upload://([0-9a-f]{64})/[^/]+")
COPIES_BYTES_MAX = 32 * 1024**3
"""Twice the largest file that can be uploaded."""


@dataclass(eq=False)
class _Copy:
    """One content in the folder; readers keep it there."""

    sha256: str
    size: int = 0
    n_readers: int = 0
    is_whole: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class UploadFiles:
    """Copies in a folder that belongs to this process alone; the least recently read make room for others."""

    def __init__(
        self, store: UploadStore, folder: Path, *, bytes_max: int = COPIES_BYTES_MAX
    ) -> None:
        self._store = store
        self._folder = folder
        self._bytes_max = bytes_max
        self._room = asyncio.Lock()
        """Held while copies are removed, and until the place of a new one is counted."""
        self._copies: dict[str, _Copy] = {}
        """In the order of their use, the latest last."""

    @asynccontextmanager
    async def at_hand(self, datasets: Iterable[Dataset]) -> AsyncGenerator[Uploads]:
        """Until it is left, every uploaded file of these datasets lies where the function says.

        Raises Invalid for a source that is none, NotFound for a file that nobody uploaded, Unavailable if there is
        no room.
        """
        files: dict[str, Path] = {}
        async with AsyncExitStack() as held:
            for dataset in datasets:
                for source in dataset.sources:
                    if source.startswith(SCHEME) and source not in files:
                        files[source] = await held.enter_async_context(self._held(source, dataset))
            yield files.__getitem__

    @asynccontextmanager
    async def _held(self, source: str, dataset: Dataset) -> AsyncGenerator[Path]:
        sha256 = _hash_in(source, dataset)
        copy = self._copies.pop(sha256, None) or _Copy(sha256)
        self._copies[sha256] = copy
        copy.n_readers += 1
        try:
            async with copy.lock:
                if not copy.is_whole:
                    await self._fetch(copy, dataset)
            yield self._content(sha256)
        finally:
            copy.n_readers -= 1
            if not copy.is_whole and not copy.n_readers:
                self._copies.pop(sha256, None)

    async def _fetch(self, copy: _Copy, dataset: Dataset) -> None:
        state = await self._store.uploaded(copy.sha256)
        if not state.is_complete:
            raise NotFound(
                f"dataset {dataset.name!r}: no file with the hash {copy.sha256} is uploaded",
                {"wanted": "an uploaded file", "found": copy.sha256},
            )
        async with self._room:
            await self._make_room(state.received)
            copy.size = state.received
        part = self._folder / f"{copy.sha256}.part"
        try:
            await self._write(copy.sha256, part)
        except OSError as error:
            copy.size = 0
            raise Unavailable(
                f"an uploaded file of {state.received} bytes cannot be written here: {error.strerror or error}"
            ) from None
        except BaseException:
            copy.size = 0
            raise
        finally:
            await asyncio.to_thread(part.unlink, missing_ok=True)
        copy.is_whole = True
        log.info("upload.copied", sha256=copy.sha256, bytes=copy.size)

    async def _write(self, sha256: str, part: Path) -> None:
        digest = hashlib.sha256()
        # Not from a thread: whoever is cancelled meanwhile would never see it, nor close it.
        with _created(part) as file:
            async for page in self._store.pages(sha256):
                digest.update(page)
                await asyncio.to_thread(file.write, page)
        if digest.hexdigest() != sha256:
            raise Invalid(f"what is stored of the upload {sha256} has another hash by now")
        await asyncio.to_thread(part.rename, self._content(sha256))

    def _content(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.content"

    async def _make_room(self, size: int) -> None:
        for copy in list(self._copies.values()):
            if self._used + size <= self._bytes_max:
                return
            if copy.is_whole and not copy.n_readers:
                del self._copies[copy.sha256]
                await asyncio.to_thread(self._content(copy.sha256).unlink)
        if self._used + size > self._bytes_max:
            raise Unavailable(
                f"the uploaded files that are being read take {self._used} of {self._bytes_max} bytes,"
                f" and another of {size} has no room beside them"
            )

    @property
    def _used(self) -> int:
        return sum(copy.size for copy in self._copies.values())


def _hash_in(source: str, dataset: Dataset) -> str:
    found = SOURCE.fullmatch(source)
    if found is None:
        raise Invalid(
            f"dataset {dataset.name!r}: {source!r} is no uploaded file: wanted upload://<sha256>/<file name>",
            {"wanted": "upload://<sha256>/<file name>", "found": source},
        )
    return found[1]


def _created(path: Path) -> BinaryIO:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    return path.open("wb")
