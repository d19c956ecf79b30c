"""Where the bytes of an export go, how it is run in threads, and what it refuses or could not do."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar, TypeVarTuple

from anyio import CancelScope

from evalbus.errors import Invalid

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


class WrongExport(Invalid, ValueError):
    """An export that cannot be made as it was asked for. A ValueError too: the published interface raises that."""


@contextmanager
def naming(place: Path) -> Generator[None]:
    """An OSError names this place: a disk that is full has no name, and that of an unfinished file says nothing."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(place)) from error


class Sink(Protocol):
    """A file that is there once all of it is written, and not before: left without a commit, nothing is.

    Its methods may wait for a disk or a network. They raise OSError, or an EvalbusError, that names the place.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """What was not committed is gone, and what was there before is as it was."""
        ...

    def write(self, chunk: bytes) -> None: ...

    def commit(self) -> None:
        """The file appears, in the place of an older one."""
        ...


async def in_thread(function: Callable[[*Ts], T], *args: *Ts) -> T:
    """Off the event loop. Whoever is cancelled meanwhile goes on only when the thread is done with its files."""
    working = asyncio.ensure_future(asyncio.to_thread(function, *args))
    # A cancelled scope says so again and again, a cancelled task hears it once: to wait, both are needed.
    with CancelScope(shield=True):
        try:
            await asyncio.shield(working)
        except asyncio.CancelledError:
            await asyncio.wait([working])
            raise
    return working.result()
