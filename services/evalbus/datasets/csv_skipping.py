"""Where a CSV record ends that is too large to be parsed: found in pieces, by quotes and line ends alone."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import blake2b
from itertools import chain
from typing import BinaryIO

from evalbus.datasets.row_id import HASH_BYTES

PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A record that was passed over."""

    row_id: str
    bytes: int
    lines: int
    is_closed: bool
    """False: the file ended inside quotes."""


class _Field(Enum):
    PLAIN = auto()
    QUOTED = auto()
    CLOSED = auto()
    """A quote ended it, or was the first half of a doubled one."""


def skip_record(kept: Iterable[bytes], file: BinaryIO, *, delimiter: str) -> Skipped:
    """Go on to the end of a record of which `kept` was read already, keeping nothing but a hash.

    The file is left directly behind the record, without going back in it.
    """
    digest = blake2b(digest_size=HASH_BYTES)
    marks = re.compile(rb'["\n' + re.escape(delimiter.encode()) + rb"]")
    state, mark_at = _Field.PLAIN, -1
    done = lines = 0
    # A line is the most that may be read at once: the next one may be another record's.
    rest = iter(lambda: file.readline(PIECE_BYTES), b"")
    for piece in chain(kept, rest):
        for found in marks.finditer(piece):
            at, mark = done + found.start(), found.group()
            lines += mark == b"\n"
            if state is _Field.QUOTED:
                if mark == b'"':
                    state, mark_at = _Field.CLOSED, at
            elif mark == b"\n":
                digest.update(piece[: found.start()])
                return Skipped(row_id=digest.hexdigest(), bytes=at + 1, lines=lines, is_closed=True)
            elif mark != b'"':
                state, mark_at = _Field.PLAIN, at
            elif at == mark_at + 1:
                # Directly behind a delimiter it opens a field; directly behind a quote it is the
                # second half of a doubled one. Anywhere else it is a character like others.
                state = _Field.QUOTED
        digest.update(piece)
        done += len(piece)
    return Skipped(
        row_id=digest.hexdigest(),
        bytes=done,
        lines=lines + 1,
        is_closed=state is not _Field.QUOTED,
    )
