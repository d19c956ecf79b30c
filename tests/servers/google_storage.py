"""As much of Google Cloud Storage as evalbus needs: objects, their listings, their bytes by version, and uploads."""

import re
from urllib.parse import unquote

from aiohttp import web

from tests.servers.background import run
from tests.servers.ports import free_ports

PREFIX = "/storage/v1/b/"
DOWNLOADS = "/download" + PREFIX
UPLOADS = "/upload" + PREFIX
SESSIONS = "/session/"
STEP_BYTES = 256 * 1024
"""Of a part that is not the last, so many are kept, or twice as many, and so on."""


class GoogleStorage:
    """Objects by bucket and name, on 127.0.0.1; a context manager."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str], tuple[int, bytes]] = {}
        self._generation = 0
        self.tokens: set[str | None] = set()
        """What was sent as Authorization."""
        self.closed_buckets: set[str] = set()
        """Nobody may write there."""
        self.keeps_at_once = 2**40
        """Of what one request brings, no more than that is kept."""
        self._sessions: dict[str, tuple[str, str, bytearray]] = {}
        """Objects that somebody writes, each with its bucket and name."""

    def __enter__(self) -> "GoogleStorage":
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
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def put(self, bucket: str, name: str, content: bytes) -> None:
        """A new version of an object; there is no older one afterwards."""
        self._generation += 1
        self._objects[bucket, name] = self._generation, content

    @property
    def unfinished(self) -> list[str]:
        """The names of the objects that somebody has begun to write."""
        return [name for _, name, _ in self._sessions.values()]

    def objects(self, bucket: str) -> dict[str, bytes]:
        found = self._objects.items()
        return {name: content for (held, name), (_, content) in found if held == bucket}

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.tokens.add(request.headers.get("Authorization"))
        path = request.rel_url.raw_path
        if path.startswith(DOWNLOADS):
            return self._download(request, path.removeprefix(DOWNLOADS))
        if path.startswith(UPLOADS):
            return self._begin(path.removeprefix(UPLOADS).partition("/")[0], request.query["name"])
        if path.startswith(SESSIONS):
            return await self._write(request, path.removeprefix(SESSIONS))
        bucket, _, rest = path.removeprefix(PREFIX).partition("/")
        if rest == "o":
            return self._listing(bucket, request.query)
        found = self._objects.get((bucket, unquote(rest.removeprefix("o/"))))
        if found is None:
            return web.json_response({"error": {"code": 404, "message": "Not Found"}}, status=404)
        return web.json_response(self._about(bucket, unquote(rest.removeprefix("o/"))))

    def _about(self, bucket: str, name: str) -> dict[str, object]:
        generation, content = self._objects[bucket, name]
        return {
            "kind": "storage#object",
            "bucket": bucket,
            "name": name,
            "size": str(len(content)),
            "generation": str(generation),
            "etag": f"etag-{generation}",
            "updated": "2026-01-02T03:04:05.678Z",
        }

    def _listing(self, bucket: str, query: object) -> web.Response:
        wanted = dict(query)  # type: ignore[call-overload]  # a mapping, whatever aiohttp calls it
        prefix, delimiter = wanted.get("prefix", ""), wanted.get("delimiter")
        names = sorted(name for held, name in self._objects if held == bucket)
        names = [name for name in names if name.startswith(prefix)]
        folders = {
            prefix + name.removeprefix(prefix).partition(delimiter)[0] + delimiter
            for name in names
            if delimiter and delimiter in name.removeprefix(prefix)
        }
        files = [name for name in names if not any(map(name.startswith, folders))]
        return web.json_response(
            {"items": [self._about(bucket, name) for name in files], "prefixes": sorted(folders)}
        )

    def _download(self, request: web.BaseRequest, path: str) -> web.Response:
        bucket, _, rest = path.partition("/o/")
        generation, content = self._objects[bucket, unquote(rest)]
        if request.query.get("generation") not in (None, str(generation)):
            return web.json_response({"error": {"code": 404, "message": "Not Found"}}, status=404)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
        if wanted is None:
            return web.Response(body=content)
        return web.Response(status=206, body=content[int(wanted[1]) : int(wanted[2]) + 1])

    def _begin(self, bucket: str, name: str) -> web.Response:
        if bucket in self.closed_buckets:
            return web.json_response({"error": {"code": 403, "message": "no"}}, status=403)
        if bucket not in {held for held, _ in self._objects}:
            return web.json_response({"error": {"code": 404, "message": "Not Found"}}, status=404)
        session = str(len(self._sessions))
        self._sessions[session] = bucket, name, bytearray()
        return web.Response(headers={"Location": self.url + SESSIONS + session})

    async def _write(self, request: web.BaseRequest, session: str) -> web.Response:
        if request.method == "DELETE":
            return web.Response(status=499 if self._sessions.pop(session, None) else 404)
        bucket, name, kept = self._sessions[session]
        # Not `read`, which takes no more than a form.
        body = await request.content.read()
        place = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", request.headers["Content-Range"])
        assert place is not None, request.headers["Content-Range"]
        if place[1] is not None:
            assert int(place[1]) == len(kept), "it goes on where it stands"
            assert len(body) == int(place[2]) - int(place[1]) + 1
        if place[3] != "*":
            assert int(place[3]) == len(kept) + len(body)
            self.put(bucket, name, bytes(kept + body))
            del self._sessions[session]
            return web.json_response(self._about(bucket, name))
        assert len(body) % STEP_BYTES == 0
        kept += body[: self.keeps_at_once]
        return web.Response(status=308, headers={"Range": f"bytes=0-{len(kept) - 1}"})
