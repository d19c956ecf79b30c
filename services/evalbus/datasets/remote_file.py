"""A file on another machine as a seekable stream: read in blocks, and gone on with when a connection breaks."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from evalbus.datasets.base import PREFIX_BYTES, SOURCE_CHANGED, UNREADABLE, FileMark
from evalbus.datasets.remote_faults import Unreachable, patiently
from evalbus.errors import Refused, SourceBroken

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK_BYTES = 1024 * 1024
BUFFER_BYTES = 1024 * 1024
CACHE = "readahead"
"""One block and what is asked for, and never more, however long one reads."""
READING_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file as it was when it was looked up."""

    shown: str
    name: str
    path: str
    """As its file system knows it."""
    files: Any
    """An fsspec file system."""
    size: int | None
    """In bytes; None if the server does not say."""
    mtime_ns: int
    etag: str | None

    def open(self) -> BinaryIO:
        return io.BufferedReader(_RemoteStream(self), BUFFER_BYTES)

    def mark(self) -> FileMark:
        with _RemoteStream(self, block_bytes=PREFIX_BYTES) as stream:
            prefix = b""
            while len(prefix) < PREFIX_BYTES and (piece := stream.read(PREFIX_BYTES - len(prefix))):
                prefix += piece
        return FileMark(
            path=self.shown,
            size=-1 if self.size is None else self.size,
            mtime_ns=self.mtime_ns,
            sha256=sha256(prefix).hexdigest(),
            etag=self.etag,
        )


class _RemoteStream(io.RawIOBase):
    """Where it stands is known here, so that it may be opened anew at any time."""

    def __init__(self, remote: RemoteFile, *, block_bytes: int = BLOCK_BYTES) -> None:
        self._remote = remote
        self._block_bytes = block_bytes
        self._position = 0
        self._file: Any = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        match whence:
            case io.SEEK_SET:
                self._position = offset
            case io.SEEK_CUR:
                self._position += offset
            case _:
                if self._remote.size is None:
                    raise SourceBroken(
                        UNREADABLE,
                        f"{self._remote.shown}: the server does not say how large the file is, and its format is read from the end",
                    )
                self._position = self._remote.size + offset
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        size = self._remote.size
        wanted = len(view) if size is None else min(len(view), size - self._position)
        if wanted <= 0:
            return 0
        data = self._patiently(lambda: self._read(wanted))
        if not data and size is not None:
            raise SourceBroken(
                SOURCE_CHANGED,
                f"{self._remote.shown} ends after {self._position} bytes, and had {size} when it was looked up",
            )
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._give_up()
        super().close()

    def _patiently(self, work: Callable[[], T]) -> T:
        def tried() -> T:
            try:
                return work()
            except BaseException:
                self._give_up()
                raise

        try:
            return patiently(tried, pauses=READING_PAUSES_SECONDS)
        except Unreachable as error:
            raise SourceBroken(UNREADABLE, f"{self._remote.shown}: {error}") from None
        except Refused as refusal:
            raise SourceBroken(UNREADABLE, f"{self._remote.shown}: {refusal.message}") from None

    def _read(self, count: int) -> bytes:
        if self._file is None:
            self._file = self._opened(self._block_bytes)
        try:
            return self._read_there(count)
        except ValueError:
            # A server that knows no ranges: read on from the start, in one go.
            self._give_up()
            self._block_bytes = 0
            self._file = self._opened(self._block_bytes)
            return self._read_there(count)

    def _read_there(self, count: int) -> bytes:
        if self._file.tell() != self._position:
            self._go_there()
        found: bytes = self._file.read(count)
        return found

    def _go_there(self) -> None:
        if self._block_bytes:
            self._file.seek(self._position)
            return
        if self._file.tell() > self._position:
            self._give_up()
            self._file = self._opened(self._block_bytes)
        while (left := self._position - self._file.tell()) > 0:
            if not self._file.read(min(left, BUFFER_BYTES)):
                return

    def _opened(self, block_bytes: int) -> Any:
        remote = self._remote
        file = remote.files.open(remote.path, "rb", block_size=block_bytes, cache_type=CACHE)
        etag = file.details.get("ETag")
        if etag is not None and etag != remote.etag:
            file.close()
            raise SourceBroken(SOURCE_CHANGED, f"{remote.shown} was changed while it was read")
        return file

    def _give_up(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()
