"""The pieces of a filter in words, each looked for when it is asked for: what follows a mistake costs nothing."""

import re
from enum import Enum
from typing import NamedTuple

import orjson

from evalbus.errors import Invalid
from evalbus.filters.showing import sendable

SPACE = re.compile(r"\s*")
STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
SIGN = re.compile(r">=|<=|[:~<>=()\[\],]")
WORD = re.compile(r'[^\s"():~<>=\[\],]+')
BARE_VALUE = re.compile(r'[^\s"()\[\],]+')
"""Where a value stands there is no operator, so that times need no quotes."""


class Sort(Enum):
    STRING = "string"
    SIGN = "sign"
    WORD = "word"
    END = "end"


class Piece(NamedTuple):
    """`text` of a string is what it says, without quotes and escapes; `at` and `end` are places in the filter."""

    sort: Sort
    text: str
    at: int
    end: int


class Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._next = self._piece(0, WORD)

    def peek(self) -> Piece:
        return self._next

    def take(self) -> Piece:
        piece = self._next
        self._next = self._piece(piece.end, WORD)
        return piece

    def take_value(self) -> Piece:
        """Where a word can be only a value."""
        piece = self._piece(self._next.at, BARE_VALUE)
        self._next = self._piece(piece.end, WORD)
        return piece

    def took_minus(self) -> bool:
        """True if the next word begins with one, which is gone now."""
        at = self._next.at
        if not self._text.startswith("-", at):
            return False
        self._next = self._piece(at + 1, WORD)
        return True

    def lost(self, wanted: str, piece: Piece) -> Invalid:
        return _lost(piece.at, wanted, repr(sendable(piece.text)) if piece.text else "the end")

    def _piece(self, at: int, words: re.Pattern[str]) -> Piece:
        space = SPACE.match(self._text, at)
        at = space.end() if space else at
        if at == len(self._text):
            return Piece(Sort.END, "", at, at)
        if self._text[at] == '"':
            return self._string(at)
        if word := words.match(self._text, at):
            return Piece(Sort.WORD, word[0], at, word.end())
        sign = SIGN.match(self._text, at)
        assert sign, "what is no space, string or word is a sign"
        return Piece(Sort.SIGN, sign[0], at, sign.end())

    def _string(self, at: int) -> Piece:
        match = STRING.match(self._text, at)
        if match is None:
            raise _lost(at, "a string that ends", repr(sendable(self._text[at:])))
        try:
            text: str = orjson.loads(match[0])
        except orjson.JSONDecodeError as error:
            raise _lost(at, f"a JSON string ({error.msg})", repr(sendable(match[0]))) from None
        return Piece(Sort.STRING, text, at, match.end())


def _lost(at: int, wanted: str, found: str) -> Invalid:
    return Invalid(
        f"the filter cannot be understood at character {at + 1}: wanted {wanted}, found {found}",
        {"wanted": wanted, "found": found},
    )
