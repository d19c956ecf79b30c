"""Sending a file to the services in pages: where an earlier attempt ended, the next one goes on."""

import asyncio
import base64
import hashlib
import os
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path

from evalbus.client.calls import Calls
from evalbus.client.parameters import parameters
from evalbus.errors import Conflict, Invalid
from evalbus_schemas.catalogue import (
    UPLOAD_BYTES_MAX,
    UPLOAD_PAGE_BYTES,
    Upload,
    Uploaded,
    UploadNamed,
)

CHECKED_BYTES_PER_SECOND = 20 * 1024 * 1024
"""At least so fast the service checks a whole content before it answers the last page."""

Progress = Callable[[int, int], None]
"""Called with the bytes that are there and those of the whole file."""


async def upload(
    calls: Calls, file: str | Path, *, name: str | None = None, progress: Progress | None = None
) -> str:
    """The source that the file can be read as from now on: `upload://<sha256>/<name>`.

    A content that is there already is not sent again. Raises Invalid if the file cannot be read, or changes meanwhile.
    """
    path = Path(file)
    called = _file_name(path.name if name is None else name)
    try:
        # Not from a thread: whoever is cancelled meanwhile would never see it, nor close it.
        with _opened(path) as opened:
            size = await asyncio.to_thread(_size, opened, path)
            sha256 = await asyncio.to_thread(_hash, opened)
            sending = _Sending(calls, opened, sha256=sha256, size=size, progress=progress)
            await sending.run()
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror or error}") from None
    return f"upload://{sha256}/{called}"


class _Sending:
    """One file on its way; others may send the same at the same time."""

    def __init__(
        self,
        calls: Calls,
        file: BufferedReader,
        *,
        sha256: str,
        size: int,
        progress: Progress | None,
    ) -> None:
        self._calls = calls
        self._file = file
        self._sha256 = sha256
        self._size = size
        self._progress = progress

    async def run(self) -> None:
        state = await self._state()
        while not state.is_complete:
            self._tell(state)
            state = await self._next(state)
        self._tell(state)

    async def _next(self, state: Uploaded) -> Uploaded:
        """Send the page that follows; where that is depends on everybody who sends the same."""
        try:
            return await self._send(state.received)
        except Conflict:
            now = await self._state()
            if now == state:
                raise
            return now

    async def _send(self, offset: int) -> Uploaded:
        data = await asyncio.to_thread(_page, self._file, offset)
        if not data and self._size:
            raise Invalid(f"{self._file.name} became shorter while it was sent")
        page = parameters(
            Upload,
            {
                "sha256": self._sha256,
                "size": self._size,
                "offset": offset,
                "data": base64.b64encode(data).decode(),
            },
        )
        is_last = offset + len(data) >= self._size
        checking_seconds = self._size / CHECKED_BYTES_PER_SECOND if is_last else 0.0
        return await self._calls.call(
            "datasets.upload", page, Uploaded, extra_seconds=checking_seconds
        )

    async def _state(self) -> Uploaded:
        named = UploadNamed(sha256=self._sha256)
        return await self._calls.call("datasets.uploaded", named, Uploaded)

    def _tell(self, state: Uploaded) -> None:
        if self._progress is not None:
            self._progress(state.received, self._size)


def _file_name(name: str) -> str:
    if not name or name in (".", "..") or "/" in name or "\x00" in name or len(name.encode()) > 255:
        raise Invalid(f"{name!r} is no file name to upload under", {"found": name})
    return name


def _opened(path: Path) -> BufferedReader:
    return path.open("rb")


def _size(file: BufferedReader, path: Path) -> int:
    size = file.seek(0, os.SEEK_END)
    if size > UPLOAD_BYTES_MAX:
        raise Invalid(f"{path}: {size} bytes are more than the {UPLOAD_BYTES_MAX} of an upload")
    file.seek(0)
    return size


def _hash(file: BufferedReader) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()


def _page(file: BufferedReader, offset: int) -> bytes:
    file.seek(offset)
    return file.read(UPLOAD_PAGE_BYTES)
