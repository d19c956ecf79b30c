"""A web server with files, as well or ill behaved as a test wants it, that remembers what it was asked."""

import asyncio
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from tests.servers.background import run
from tests.servers.ports import free_ports


@dataclass(kw_only=True)
class WebFile:
    """A file and the server's manners about it."""

    content: bytes = b""
    knows_ranges: bool = True
    says_size: bool = True
    status: int = 200
    location: str | None = None
    """Where it is said to be instead."""
    breaks_left: int = 0
    """So many answers end after the half of their bytes."""
    refuses_head: bool = False
    answers_too_much: bool = False
    """More than the range that was asked for."""
    wanted_headers: Mapping[str, str] = field(default_factory=dict[str, str])


class WebFiles:
    """Files by their paths, on 127.0.0.1; a context manager."""

    def __init__(self) -> None:
        self.files: dict[str, WebFile] = {}
        self.requests: list[web.BaseRequest] = []

    def __enter__(self) -> "WebFiles":
        (self._port,) = free_ports(1)
        run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        run(self._runner.cleanup())

    async def _start(self) -> None:
        self._runner = web.ServerRunner(web.Server(self._answer))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def add(self, path: str, content: bytes = b"", **manners: object) -> str:
        """The URL of a new file."""
        self.files[path] = WebFile(content=content, **manners)  # type: ignore[arg-type]  # the dataclass's own
        return self.origin + path

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        file = self.files.get(request.path)
        if file is None:
            return web.Response(status=404)
        if file.location is not None:
            return web.Response(status=302, headers={"Location": file.location})
        if any(request.headers.get(name) != value for name, value in file.wanted_headers.items()):
            return web.Response(status=403)
        if file.status != 200 or (file.refuses_head and request.method == "HEAD"):
            return web.Response(status=file.status if file.status != 200 else 405)
        return await self._send(file, request)

    async def _send(self, file: WebFile, request: web.BaseRequest) -> web.StreamResponse:
        content, status = file.content, 200
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()[:16]}"'}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
        if wanted and file.knows_ranges:
            first, last, status = int(wanted[1]), int(wanted[2]), 206
            if file.answers_too_much:
                last = len(content)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            content = content[first : last + 1]
        response = web.StreamResponse(status=status, headers=headers)
        if file.says_size:
            response.content_length = len(content)
        else:
            response.enable_chunked_encoding()
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        if file.breaks_left and request.method == "GET":
            file.breaks_left -= 1
            await response.write(content[: len(content) // 2])
            assert request.transport is not None, "somebody is there to be cut off"
            # What was written is on its way before the connection goes.
            await asyncio.sleep(0)
            request.transport.close()
            return response
        await response.write(content)
        await response.write_eof()
        return response
