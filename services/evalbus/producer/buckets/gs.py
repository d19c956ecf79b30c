"""Objects of Google Cloud Storage in parts, which Google forgets by itself after a week."""

import asyncio
from typing import Any, NoReturn, cast

from evalbus.errors import Refused
from evalbus.extras import imported
from evalbus.producer.buckets.base import BucketAway, BucketRefused, raise_fault, raise_status

CONTENT_TYPE = "application/octet-stream"


class GoogleParts:
    """`files` is a gcsfs file system."""

    def __init__(self, files: Any, bucket: str, key: str) -> None:
        self.loop: asyncio.AbstractEventLoop = files.loop
        self._core = imported("gcsfs.core", extra="gs", what="writing to gs://")
        self._files = files
        self._bucket = bucket
        self._key = key
        self._session: str | None = None
        """The address of the parts; who knows it may write there."""
        self._sent = 0

    async def begin(self) -> str | None:
        try:
            self._session = await self._core.initiate_upload(
                self._files, self._bucket, self._key, CONTENT_TYPE
            )
        except Exception as error:
            self._raise(error)
        return None

    async def add(self, part: bytes) -> None:
        end = self._sent + len(part)
        headers = await self._send(part, f"bytes {self._sent}-{end - 1}/*")
        # `bytes=0-99`: the last that it has; nothing if it has none.
        kept = int(headers["Range"].rpartition("-")[2]) + 1 if "Range" in headers else 0
        if kept == self._sent:
            raise BucketAway("the server keeps nothing of what it is sent")
        rest, self._sent = part[kept - self._sent :], kept
        if rest:
            await self.add(rest)

    async def finish(self, rest: bytes) -> None:
        if self._session is None:
            await self.begin()
        size = self._sent + len(rest)
        which = f"{self._sent}-{size - 1}" if rest else "*"
        await self._send(rest, f"bytes {which}/{size}")
        self._session = None

    async def abandon(self) -> None:
        if self._session is not None:
            try:
                await self._files._call("DELETE", self._session)
            except Exception as error:
                self._raise(error)

    async def remove(self, upload: str) -> None:
        """Nothing is left that could be named."""

    async def _send(self, part: bytes, place: str) -> Any:
        headers = {
            "Content-Range": place,
            "Content-Type": CONTENT_TYPE,
            "Content-Length": str(len(part)),
        }
        # Read again from its beginning where the library repeats the request.
        body = self._core.UnclosableBytesIO(part)
        try:
            answer = await self._files._call("PUT", self._session, headers=headers, data=body)
        except Exception as error:
            self._raise(error)
        return answer[0]

    def _raise(self, error: Exception) -> NoReturn:
        """What the library made of an answer: a class for some of them, a status for others, words for 403."""
        retry = imported("gcsfs.retry", extra="gs", what="writing to gs://")
        auth = imported("google.auth.exceptions", extra="gs", what="writing to gs://")
        begun = self._session is not None
        match error:
            case Refused():
                raise error
            case FileNotFoundError():
                raise_status(404, "Not Found", is_begun=begun)
            case OSError() if str(error).startswith("Forbidden"):
                raise_status(403, "Forbidden", is_begun=begun)
            case _ if isinstance(error, retry.HttpError):
                raise_status(int(cast("Any", error).code), "HttpError", is_begun=begun)
            case _ if isinstance(error, auth.GoogleAuthError):
                raise BucketRefused("not_allowed", "the credentials are of no use") from None
            case _:
                raise_fault(error)
