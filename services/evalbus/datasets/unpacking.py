"""A gzip stream as if it had never been packed, up to a limit: a small file may unpack to a very large one."""

import gzip
import io
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from evalbus.datasets.base import SOURCE_TOO_LARGE, UNDECODABLE
from evalbus.errors import SourceBroken

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BUFFER_BYTES = 1024 * 1024


def unpacked(packed: BinaryIO, *, shown: str, bytes_max: int) -> BinaryIO:
    """What is packed in a stream, which is closed with it; going back unpacks it anew.

    Reading raises SourceBroken behind `bytes_max` bytes, and where the data is damaged or cut off.
    """
    return io.BufferedReader(_Unpacked(packed, shown=shown, bytes_max=bytes_max), BUFFER_BYTES)


class _Unpacked(io.RawIOBase):
    def __init__(self, packed: BinaryIO, *, shown: str, bytes_max: int) -> None:
        self._packed = packed
        self._file = gzip.GzipFile(fileobj=packed, mode="rb")
        self._shown = shown
        self._bytes_max = bytes_max

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: "WriteableBuffer") -> int:
        with self._faults():
            count = self._file.readinto(buffer)
        if self._file.tell() > self._bytes_max:
            raise SourceBroken(
                SOURCE_TOO_LARGE,
                f"{self._shown} unpacks to more than {self._bytes_max} bytes (EVALBUS_SOURCE_BYTES_MAX)",
            )
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with self._faults():
            return self._file.seek(offset, whence)

    @contextmanager
    def _faults(self) -> Generator[None]:
        try:
            yield
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            said = "the packed data is cut off" if isinstance(error, EOFError) else str(error)
            raise SourceBroken(
                UNDECODABLE, f"{self._shown}: {said} (unpacked byte {self._file.tell()})"
            ) from None

    def close(self) -> None:
        if not self.closed:
            self._file.close()
            self._packed.close()
        super().close()
