"""Where the elements of a JSON array begin and end: found in pieces, without keeping more than one element."""

import re
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import BinaryIO, Final

from evalbus.datasets.base import Position
from evalbus.datasets.faults import fault
from evalbus.datasets.row_id import HASH_BYTES
from evalbus.errors import SourceBroken

PIECE_BYTES = 256 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_MARK: Final = re.compile(rb'["{}\[\]]')
_QUOTE: Final = ord('"')
_BACKSLASH: Final = ord("\\")


@dataclass(frozen=True, kw_only=True)
class Element:
    """One element of the array; without content it is over the size limit."""

    content: bytes | None
    row_id: str = ""
    """Of an element without content: a hash of its bytes."""


class Scanner:
    """A file from a position on; `offset` and `line` say how much of it was taken."""

    def __init__(self, file: BinaryIO, *, shown: str, after: Position) -> None:
        file.seek(after.offset)
        self._file = file
        self._shown = shown
        self._piece = b""
        self._at = 0
        self._piece_offset = after.offset
        self.line = after.line

    @property
    def offset(self) -> int:
        return self._piece_offset + self._at

    def fault(self, said: str) -> SourceBroken:
        """What is wrong with what comes next."""
        return fault(self._shown, self.line + 1, self.offset, said)

    def skip_byte_order_mark(self) -> None:
        if self._has_more() and self._piece.startswith(BYTE_ORDER_MARK, self._at):
            self._at += len(BYTE_ORDER_MARK)

    def next_mark(self) -> bytes:
        """The next byte that is no white space, not taken yet; empty at the end of the file."""
        while self._has_more():
            space = _SPACE.match(self._piece, self._at)
            assert space is not None, "no white space at all matches as well"
            self._take_to(space.end())
            if self._at < len(self._piece):
                return self._piece[self._at : self._at + 1]
        return b""

    def take(self) -> None:
        """Take the byte that `next_mark` gave."""
        self._at += 1

    def element(self, bytes_max: int) -> Element:
        """Take the element whose opening bracket comes next."""
        depth = _Depth()
        kept: list[bytes] | None = []
        size = 0
        digest = blake2b(digest_size=HASH_BYTES)
        opened_at = self.line + 1, self.offset
        is_closed = False
        while not is_closed:
            if not self._has_more():
                said = "the array is never closed: an element that opens here does not end"
                raise fault(self._shown, *opened_at, said)
            begin = self._at
            end = depth.end_in(self._piece, begin)
            is_closed = end is not None
            self._take_to(len(self._piece) if end is None else end)
            part = self._piece[begin : self._at]
            size += len(part)
            if kept is not None and size > bytes_max:
                digest.update(b"".join(kept))
                kept = None
            if kept is None:
                digest.update(part)
            else:
                kept.append(part)
        if kept is None:
            return Element(content=None, row_id=digest.hexdigest())
        return Element(content=b"".join(kept))

    def _take_to(self, end: int) -> None:
        self.line += self._piece.count(b"\n", self._at, end)
        self._at = end

    def _has_more(self) -> bool:
        """Whether there is a byte to take; it is at hand then."""
        if self._at == len(self._piece):
            self._piece_offset += self._at
            self._piece = self._file.read(PIECE_BYTES)
            self._at = 0
        return bool(self._piece)


@dataclass(kw_only=True)
class _Depth:
    """How deep inside an element the bytes so far have led."""

    brackets: int = 0
    is_in_text: bool = False
    is_escaped: bool = field(default=False)
    """The byte to come stands behind a backslash."""

    def end_in(self, piece: bytes, at: int) -> int | None:
        """Behind the bracket that closes the element; None if it is not in this piece."""
        while at < len(piece):
            if self.is_escaped:
                self.is_escaped = False
                at += 1
            elif self.is_in_text:
                at = self._out_of_text(piece, at)
            else:
                found = _MARK.search(piece, at)
                if found is None:
                    return None
                at = found.end()
                mark = piece[at - 1]
                if mark == _QUOTE:
                    self.is_in_text = True
                else:
                    self.brackets += 1 if mark in b"{[" else -1
                    if self.brackets == 0:
                        return at
        return None

    def _out_of_text(self, piece: bytes, at: int) -> int:
        quote = piece.find(b'"', at)
        end = len(piece) if quote < 0 else quote
        is_escaped = _backslashes_before(piece, at, end) % 2 == 1
        if quote < 0:
            # What the last byte escapes is in the next piece.
            self.is_escaped = is_escaped
            return end
        self.is_in_text = is_escaped
        return end + 1


def _backslashes_before(piece: bytes, begin: int, end: int) -> int:
    at = end
    while at > begin and piece[at - 1] == _BACKSLASH:
        at -= 1
    return end - at
