"""Objects of S3, and of whatever speaks like it, in parts."""

import asyncio
from collections.abc import Mapping
from typing import Any, NoReturn, cast

from evalbus.extras import imported
from evalbus.producer.buckets.base import raise_fault, raise_status


class S3Parts:
    """`files` is an s3fs file system."""

    def __init__(self, files: Any, bucket: str, key: str) -> None:
        self.loop: asyncio.AbstractEventLoop = files.loop
        self._files = files
        self._object = {"Bucket": bucket, "Key": key}
        self._upload: str | None = None
        self._parts: list[Mapping[str, object]] = []

    async def begin(self) -> str | None:
        answer = await self._ask("create_multipart_upload")
        self._upload = cast("str", answer["UploadId"])
        return self._upload

    async def add(self, part: bytes) -> None:
        number = len(self._parts) + 1
        answer = await self._ask("upload_part", UploadId=self._upload, PartNumber=number, Body=part)
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})

    async def finish(self, rest: bytes) -> None:
        if self._upload is None:
            await self._ask("put_object", Body=rest)
            return
        if rest:
            await self.add(rest)
        whole = {"Parts": self._parts}
        await self._ask("complete_multipart_upload", UploadId=self._upload, MultipartUpload=whole)
        self._upload = None

    async def abandon(self) -> None:
        if self._upload is not None:
            await self.remove(self._upload)

    async def remove(self, upload: str) -> None:
        try:
            await self._files._call_s3("abort_multipart_upload", **self._object, UploadId=upload)
        except FileNotFoundError:
            # Gone with its bucket, or removed before.
            return
        except Exception as error:
            self._raise(error)

    async def _ask(self, method: str, **arguments: object) -> Mapping[str, Any]:
        try:
            answer = await self._files._call_s3(method, **self._object, **arguments)
        # The libraries raise whatever the ones below them do.
        except Exception as error:
            self._raise(error)
        return cast("Mapping[str, Any]", answer)

    def _raise(self, error: Exception) -> NoReturn:
        botocore = imported("botocore.exceptions", extra="s3", what="writing to s3://")
        answered = error.__cause__ if isinstance(error, OSError) else error
        if isinstance(answered, botocore.ClientError):
            answer = cast("Any", answered).response
            status: int = answer["ResponseMetadata"]["HTTPStatusCode"]
            # Of what is said only the code: the rest may name the key.
            raise_status(status, answer["Error"]["Code"], is_begun=self._upload is not None)
        raise_fault(error)
