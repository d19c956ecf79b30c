"""What went wrong with a file on another machine: in words without anything secret, and whether it may pass."""

import random
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from aiohttp import ClientConnectorError, ClientError

from evalbus.datasets.web_guard import WebFault
from evalbus.errors import Refused, SourceBroken

SAID_CHARACTERS_MAX = 200

T = TypeVar("T")


class Fault(NamedTuple):
    """Why something could not be had."""

    said: str
    may_pass: bool


class Unreachable(Exception):
    """It could not be had, however often it was tried; the text says why."""


def patiently(work: Callable[[], T], *, pauses: Sequence[float]) -> T:
    """What `work` returns, tried again after each pause (in seconds, jittered) while the fault may pass.

    Raises Unreachable, or the SourceBroken or Refused that `work` was ended by.
    """
    left = list(pauses)
    while True:
        try:
            return work()
        # The libraries raise whatever the ones below them do.
        except Exception as error:
            cause = _cause(error)
            if isinstance(cause, SourceBroken | Refused):
                raise cause from None
            fault = fault_of(cause)
            if not fault.may_pass or not left:
                raise Unreachable(fault.said) from None
        # Not in the handler: what was caught holds on to connections as long as it is there.
        time.sleep(left.pop(0) * random.uniform(0.5, 1.0))  # noqa: S311


def _cause(error: BaseException) -> BaseException:
    """fsspec says of every failure that there is no such file, and keeps the failure behind it."""
    while isinstance(error, FileNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def fault_of(error: BaseException) -> Fault:
    match error:
        case WebFault():
            return Fault(str(error), error.may_pass)
        case FileNotFoundError():
            return Fault("there is no such file", may_pass=False)
        case PermissionError():
            return Fault("access to it is denied", may_pass=False)
        case ClientConnectorError() if isinstance(error.os_error, PermissionError):
            return Fault(error.os_error.strerror or "access to it is denied", may_pass=False)
        case ClientConnectorError():
            return Fault(f"there is no connection to {error.host}:{error.port}", may_pass=True)
        case TimeoutError():
            return Fault("there was no answer in time", may_pass=True)
        case ClientError():
            # Its text may have the whole URL in it, with whatever is signed there.
            return Fault(f"the connection failed ({type(error).__name__})", may_pass=True)
        case _:
            said = " ".join(str(error).split())[:SAID_CHARACTERS_MAX]
            return Fault(f"{type(error).__name__}: {said}", may_pass=isinstance(error, OSError))
