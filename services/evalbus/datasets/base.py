"""What a dataset is to evalbus: rows in an order that never changes, read in stretches and in constant memory.

Reading blocks; whoever must not wait reads from a thread, one call at a time. What can be known before the first
row is read (no such file, not allowed, wrong format) is refused when the dataset is opened; what is found later is
SourceBroken, and names the file and the line.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import Annotated, BinaryIO, ClassVar, NamedTuple, Protocol

from pydantic import Field

from evalbus_schemas.base import JsonObject, Open

UNDECODABLE = "undecodable"
UNREADABLE = "unreadable"
SOURCE_CHANGED = "source_changed"
SOURCE_TOO_LARGE = "source_too_large"

PREFIX_BYTES = 64 * 1024
"""So much of a file says whether it begins as it did."""


class ItemRow(NamedTuple):
    """One row as it goes on; an empty item stands for one over the size limit."""

    row_id: str
    item: bytes


class Position(Open):
    """Between two rows: where reading goes on, also in another process."""

    file: Annotated[int, Field(ge=0)] = 0
    offset: Annotated[
        int, Field(ge=0, description="Bytes of that file already read, counted unpacked.")
    ] = 0
    line: Annotated[
        int, Field(ge=0, description="Lines of that file already read; rows if it has no lines.")
    ] = 0


class FileMark(Open):
    """What a file looked like."""

    path: str
    size: int
    mtime_ns: int
    sha256: Annotated[str, Field(description="Of its first 64 KiB.")]
    etag: Annotated[str | None, Field(description="What a remote server calls this version.")] = (
        None
    )


class Fingerprint(Open):
    """What a dataset looked like; the same fingerprint means the same rows."""

    files: tuple[FileMark, ...]


class DatasetReader(Protocol):
    """The rows of one dataset from a position on."""

    def read(self, rows_max: int, bytes_max: int) -> list[ItemRow]:
        """The next rows, at most so many and so large together, but at least one; none at the end."""
        ...

    @property
    def position(self) -> Position:
        """Behind the last row that was read."""
        ...

    def fingerprint(self) -> Fingerprint: ...

    def verify(self, accepted: Fingerprint) -> None:
        """Raises SourceBroken, naming the file, if the dataset is no longer what it was then."""
        ...

    def close(self) -> None:
        """Give up the files; safe twice."""
        ...


class Record(NamedTuple):
    """One row of a file: the item as bytes and as a value, and where the file goes on behind it."""

    item: bytes
    value: JsonObject | None
    """None: the row is over the size limit."""
    offset: int
    line: int
    row_id: str = ""
    """Known only for a row without a value."""


class Content(Protocol):
    """The bytes of one file, wherever it lies."""

    @property
    def shown(self) -> str:
        """Its name for a person, and in fingerprints: the same for every producer, wherever its roots are."""
        ...

    def open(self) -> BinaryIO:
        """A seekable stream at its start; raises SourceBroken or OSError."""
        ...

    def mark(self) -> FileMark:
        """What it looks like now; raises SourceBroken or OSError."""
        ...


class FileFormat(ABC):
    """One way to write rows into a file, found by the file's extension or by the dataset's `format`."""

    packs_itself: ClassVar[bool] = False
    """True: it is compressed by itself and read back and forth, so never from a .gz."""

    cells_are_text: ClassVar[bool] = False
    """True: it knows no types, so that `typed` says whether a cell is read as JSON."""

    @abstractmethod
    def records(
        self, file: BinaryIO, *, shown: str, after: Position, row_bytes: int
    ) -> Generator[Record]:
        """The rows behind a position; raises SourceBroken that begins with `shown`, the file's name for a person.

        `file` belongs to the caller. Going back in it may cost as much as reading it anew. Never keeps more than
        about `row_bytes` of the file, however long its lines are.
        """
