"""What stands between a dataset's URL and the network: where requests may go, what they carry, what may come back."""

import re
from collections.abc import Mapping
from typing import Any

from aiohttp import (
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    hdrs,
)
from yarl import URL

from evalbus.datasets.base import SOURCE_CHANGED
from evalbus.errors import SourceBroken
from evalbus.outside.addresses import check_url
from evalbus.outside.connector import guarded_connector

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 20.0

_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


class WebFault(Exception):
    """A server did not give what it was asked for; `may_pass` when it may yet."""

    def __init__(self, said: str, *, may_pass: bool = False) -> None:
        super().__init__(said)
        self.may_pass = may_pass


class WebGuard:
    """Sees every request of one file's session, those after redirects as well."""

    def __init__(
        self,
        *,
        shown: str,
        allow_private: bool,
        secret_headers: Mapping[str, str],
        origin: URL | None,
    ) -> None:
        """The secret headers go to `origin` and nowhere else."""
        self._shown = shown
        self._allow_private = allow_private
        self._secret_headers = secret_headers
        self._origin = origin
        self._etag: str | None = None

    async def session(self, **options: Any) -> ClientSession:
        """A session that asks this guard; the options are those of a ClientSession."""
        if "connector" not in options:
            options["connector"] = guarded_connector(allow_private=self._allow_private)
        return ClientSession(
            **options,
            timeout=ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
            ),
            middlewares=[self._ask],
            # A file is its bytes: packed ones are unpacked here, with a limit, or not at all.
            auto_decompress=False,
            headers={hdrs.ACCEPT_ENCODING: "identity"},
        )

    async def _ask(self, request: ClientRequest, ask: ClientHandlerType) -> ClientResponse:
        check_url(str(request.url), allow_private=self._allow_private)
        if request.url.origin() == self._origin:
            request.headers.update(self._secret_headers)
        response = await ask(request)
        try:
            self._check(request, response)
        except BaseException:
            response.close()
            raise
        return response

    def _check(self, request: ClientRequest, response: ClientResponse) -> None:
        status = response.status
        if status in (401, 403):
            raise WebFault(f"the server does not allow it (status {status})")
        if status in (404, 410):
            raise WebFault(f"there is no such file (status {status})")
        # A range behind the end is answered with 416, which fsspec takes for the end of the file.
        if status >= 400 and status != 416:
            raise WebFault(
                f"the server answered with status {status}",
                may_pass=status >= 500 or status in (408, 425, 429),
            )
        if status == 206:
            _check_length(request, response)
        if request.method == hdrs.METH_GET and status in (200, 206):
            self._check_version(response)

    def _check_version(self, response: ClientResponse) -> None:
        """One file is one version from its first byte to its last."""
        etag = response.headers.get(hdrs.ETAG)
        self._etag = self._etag or etag
        if etag != self._etag:
            raise SourceBroken(SOURCE_CHANGED, f"{self._shown} was changed while it was read")


def _check_length(request: ClientRequest, response: ClientResponse) -> None:
    """A range is held in memory: a server must say how long it is, and may not send more than was asked for."""
    wanted = _RANGE.fullmatch(request.headers.get(hdrs.RANGE, ""))
    if wanted is None:
        return
    first, last = int(wanted[1]), int(wanted[2])
    length = response.content_length
    if length is None or length > last - first + 1:
        raise WebFault("the server answered a range without its length, or with more than it")
