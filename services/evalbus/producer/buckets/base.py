"""What a kind of bucket must be able to do, and what becomes of an object that it does not take."""

import asyncio
from collections.abc import Iterator
from typing import NoReturn, Protocol

from aiohttp import ClientError

from evalbus.datasets.remote_faults import fault_of
from evalbus.errors import PermanentError, Refused, TransientError

PART_BYTES = 16 * 1024 * 1024
"""Google wants a multiple of 256 KiB, S3 at least 5 MiB and at most 10,000 parts: 156 GiB."""


class BucketAway(TransientError):
    """It could not be written; trying again, from the beginning, may help."""


class BucketRefused(PermanentError):
    """It may not or cannot be written; `code` is one word for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Parts(Protocol):
    """The requests that make one object. Each is made in `loop`; each raises BucketAway, BucketRefused or Refused.

    One after the other: begin, add, …, finish. What was begun and is not finished is ended by `abandon`.
    """

    loop: asyncio.AbstractEventLoop

    async def begin(self) -> str | None:
        """What the bucket calls the parts, where they stay until somebody has them removed."""
        ...

    async def add(self, part: bytes) -> None:
        """Of PART_BYTES."""
        ...

    async def finish(self, rest: bytes) -> None:
        """The last part, of any size; the object appears. Also without anything begun, for an object of one part."""
        ...

    async def abandon(self) -> None: ...

    async def remove(self, upload: str) -> None:
        """Parts that somebody else began; nothing if they are gone."""
        ...


def raise_status(status: int, said: str, *, is_begun: bool) -> NoReturn:
    """For an answer that says no; `said` has nothing secret in it."""
    if status in (401, 403):
        raise BucketRefused("not_allowed", f"access is denied ({said})") from None
    if status == 404 and not is_begun:
        raise BucketRefused("no_such_bucket", "there is no such bucket") from None
    if status in (404, 408, 410, 429) or status >= 500:
        raise BucketAway(f"the server answers with status {status} ({said})") from None
    raise BucketRefused(
        "not_written", f"the server answers with status {status} ({said})"
    ) from None


def raise_fault(error: BaseException) -> NoReturn:
    """For a request that had no answer, whatever the libraries make of that."""
    for cause in _causes(error):
        if isinstance(cause, Refused):
            raise cause from None
        if isinstance(cause, OSError | ClientError):
            fault = fault_of(cause)
            if fault.may_pass:
                raise BucketAway(fault.said) from None
            raise BucketRefused("not_allowed", fault.said) from None
    raise BucketRefused("not_written", f"it failed ({type(error).__name__})") from None


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
