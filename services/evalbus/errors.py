"""Every error of evalbus, classed by what the caller does next.

EvalbusError
├── TransientError            try again, later
│   ├── Unavailable           a server is away: everybody waits until it is back
│   ├── FolderInUse           another process owns the data folder of embedded mode
│   └── CannotRun             a plan needs what this evaluator lacks (evaluator/child_process.py)
├── PermanentError            trying again gives the same
│   ├── Refused               said no to a request, with a JSON-RPC code
│   │   ├── Invalid           -32602
│   │   ├── NotAllowed        -32001
│   │   ├── NotFound          -32004
│   │   ├── Conflict          -32009
│   │   └── OverLimit         -32010
│   ├── Unroutable            nobody is there to receive a message
│   ├── Malformed             a message that cannot be understood
│   ├── UnknownJob            a message about a job that nobody knows
│   ├── SourceBroken          a dataset that can no longer be read as it was accepted
│   ├── NoResult              rows that no result can be made of
│   ├── TemplateError         one row cannot be rendered (templates/base.py)
│   ├── RowsFailed            some rows of a batch cannot (templates/base.py)
│   ├── WrongSamples          rows that are not what a class of benchmark is made of (client/samples.py)
│   └── WrongSettings         exit code 78
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar

from evalbus_schemas.base import JsonObject
from evalbus_schemas.rpc import ErrorCode


class EvalbusError(Exception):
    """The root; its text is meant for a person."""


class TransientError(EvalbusError):
    """Trying again may help."""


class Unavailable(TransientError):
    """A server that everything needs is away."""

    code: ClassVar[int] = ErrorCode.UNAVAILABLE


class FolderInUse(TransientError):
    """Another process owns the data folder; it can be had when that one ends."""

    def __init__(self, message: str, *, owner_pid: int | None) -> None:
        super().__init__(message)
        self.owner_pid = owner_pid


class PermanentError(EvalbusError):
    """Trying again gives the same."""


class Refused(PermanentError):
    """A request that was understood and is not carried out."""

    code: ClassVar[int] = ErrorCode.INVALID

    def __init__(self, message: str, data: JsonObject | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.data: JsonObject = data or {}


class Invalid(Refused):
    code = ErrorCode.INVALID


class NotAllowed(Refused):
    code = ErrorCode.NOT_ALLOWED


class NotFound(Refused):
    code = ErrorCode.NOT_FOUND


class Conflict(Refused):
    code = ErrorCode.CONFLICT


class OverLimit(Refused):
    code = ErrorCode.OVER_LIMIT


class Unroutable(PermanentError):
    """No queue takes a message that must arrive."""


class Malformed(PermanentError):
    """A message that cannot be understood; `reason` is one word for counting."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class UnknownJob(PermanentError):
    """A message about a job that nobody knows."""


class SourceBroken(PermanentError):
    """A dataset cannot be read, or is no longer what was accepted; the text names file and line."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class NoResult(PermanentError):
    """All rows of a job are stored, and yet no result can be made of them."""


class WrongSettings(PermanentError):
    """The environment does not make sense; the text names the variable."""


def unknown(kind: str, found: str, known: Iterable[str], *, where: str = "") -> Invalid:
    """Wanted one of `known`, found another word: the error says which one was probably meant."""
    names = sorted(known)
    near = get_close_matches(found, names, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    place = f"{where}: " if where else ""
    return Invalid(
        f"{place}unknown {kind} {found!r}{guess} (known: {', '.join(names) or 'none'})",
        {"wanted": kind, "found": found, "known": list(names)},
    )
