"""The ways to make texts comparable before they are compared.

`squad` is the one that the reading-comprehension benchmarks made common: lower case, without ASCII punctuation,
without the English articles, words separated by one space.
"""

import re
import string
from collections.abc import Sequence
from typing import Final, Literal, assert_never, cast

from evalbus.metrics.base import Batch
from evalbus.templates import Template

Normalize = Literal["squad", "none", "strip", "casefold"]

Words = tuple[str, ...]

_PUNCTUATION = {ord(character): None for character in string.punctuation}
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_ARTICLE_WORDS = frozenset({"a", "an", "the"})

# In ASCII, once punctuation is gone, words are whatever stands between white space: only letters and digits are
# left, so that an article is one exactly if it is a whole word. Other control characters would end a word without
# being space; they become NUL, which sends the text to the general formula.
_SPACES = b"\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f "
_FOLD: Final = bytes(
    0x20 if code in _SPACES else 0 if code < 0x20 or code >= 0x7F else ord(chr(code).lower())
    for code in range(256)
)
_PUNCTUATION_BYTES: Final = string.punctuation.encode()

# Whole columns are folded in one go, joined by a control character that the texts themselves do not have.
_SEPARATOR: Final = "\x19"
_FOLD_JOINED: Final = _FOLD[:0x19] + b"\x19" + _FOLD[0x1A:]


def squad(text: str) -> str:
    """The formula itself; everything else in this module is a faster way to the same words."""
    plain = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", plain).split())


def squad_words(text: str) -> Words:
    """The words of `squad(text)`."""
    if text.isascii():
        plain = text.encode().translate(_FOLD, _PUNCTUATION_BYTES)
        if 0 not in plain:
            return _without_articles(plain.decode().split())
    return tuple(squad(text).split())


def squad_words_of(batch: Batch, template: Template) -> list[Words | None]:
    """The words of every row's text, None for null; metrics that ask for the same template share them."""
    return batch.keep(("squad", template.text), lambda: _all_squad_words(batch.texts(template)))


def normalized(batch: Batch, template: Template, how: Normalize) -> Sequence[object]:
    """Every row's text in a form that is equal exactly if the normalized texts are; None for null."""
    match how:
        case "squad":
            return squad_words_of(batch, template)
        case "none":
            return batch.texts(template)
        case _:
            return [
                None if text is None else normalize(text, how) for text in batch.texts(template)
            ]


def normalize(text: str, how: Normalize) -> str:
    """One text in a form that reads as text."""
    match how:
        case "squad":
            return " ".join(squad_words(text))
        case "none":
            return text
        case "strip":
            return text.strip()
        case "casefold":
            return text.strip().casefold()
        case _:
            assert_never(how)


def _all_squad_words(texts: Sequence[str | None]) -> list[Words | None]:
    if None in texts:
        return [None if text is None else squad_words(text) for text in texts]
    present = cast("Sequence[str]", texts)
    joined = _SEPARATOR.join(present)
    if joined.isascii() and joined.count(_SEPARATOR) == len(present) - 1:
        plain = joined.encode().translate(_FOLD_JOINED, _PUNCTUATION_BYTES)
        if 0 not in plain:
            pieces = plain.decode().split(_SEPARATOR)
            return [_without_articles(piece.split()) for piece in pieces]
    return [squad_words(text) for text in present]


def _without_articles(words: list[str]) -> Words:
    if _ARTICLE_WORDS.isdisjoint(words):
        return tuple(words)
    return tuple(word for word in words if word not in _ARTICLE_WORDS)
