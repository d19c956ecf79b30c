"""Files of this machine as the content of datasets."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from evalbus.datasets.base import PREFIX_BYTES, FileMark

BUFFER_BYTES = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class LocalFile:
    """A file that may be read as it lies there."""

    path: Path
    shown: str

    def open(self) -> BinaryIO:
        return self.path.open("rb", buffering=BUFFER_BYTES)

    def mark(self) -> FileMark:
        with self.path.open("rb") as file:
            prefix = file.read(PREFIX_BYTES)
            status = self.path.stat()
        return FileMark(
            path=self.shown,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            sha256=sha256(prefix).hexdigest(),
        )


@dataclass(frozen=True, kw_only=True)
class UploadedFile:
    """A copy of a file that is known by the hash of its content: every producer has its own, and all are the same."""

    path: Path
    shown: str
    content_sha256: str

    def open(self) -> BinaryIO:
        return self.path.open("rb", buffering=BUFFER_BYTES)

    def mark(self) -> FileMark:
        size = self.path.stat().st_size
        return FileMark(path=self.shown, size=size, mtime_ns=0, sha256=self.content_sha256)
