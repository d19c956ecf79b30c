"""The words that ROUGE compares: those of the rouge-score package for English, and words in every other script."""

import re
from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Final, cast
from unicodedata import normalize

STEMMED_FROM_CHARACTERS: Final = 4
STEMS_KEPT_MAX: Final = 65_536
STEM_KEPT_CHARACTERS_MAX: Final = 64

_ASCII_WORD: Final = re.compile("[a-z0-9]+")

# Scripts that put no spaces between words: every letter, with the marks on it, stands for itself.
_UNSPACED: Final = r"[\p{L}&&[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]"
_WORD: Final = rf"(?V1){_UNSPACED}\p{{M}}*|[\p{{L}}\p{{M}}\p{{N}}--{_UNSPACED}]+"


class RougeWords:
    """Lower-case words of letters and digits; with `stemmer` English words without their endings.

    The stems of words seen before are kept, so that a text costs little more than finding its words.
    """

    def __init__(self, *, stemmer: bool) -> None:
        # Describing a metric must work where regex is not installed.
        import regex  # type: ignore[import-untyped]  # it has none, and its stubs lag behind

        self._find_words: Callable[[str], list[str]] = regex.compile(_WORD).findall
        self._stemmer = stemmer

    def of_lines(self, text: str) -> list[list[str]]:
        """The words of every line that is not empty."""
        return [self.of(line) for line in text.split("\n") if line]

    def of(self, text: str) -> list[str]:
        if text.isascii():
            words = _ASCII_WORD.findall(text.lower())
        else:
            # Equal to a reader is equal here: an accent may be a character of its own or not.
            words = self._find_words(normalize("NFC", text.lower()))
        return list(map(self._stemmed, words)) if self._stemmer else words

    def _stemmed(self, word: str) -> str:
        if len(word) < STEMMED_FROM_CHARACTERS or not word.isascii():
            return word
        return (self._kept_stem if len(word) <= STEM_KEPT_CHARACTERS_MAX else self._stem)(word)

    @cached_property
    def _kept_stem(self) -> Callable[[str], str]:
        return lru_cache(STEMS_KEPT_MAX)(self._stem)

    def load(self) -> None:
        """Import the stemmer, if there is one: it takes a second or more, which no row should have to wait for."""
        if self._stemmer:
            self._kept_stem("stemmed")

    @cached_property
    def _stem(self) -> Callable[[str], str]:
        from nltk.stem.porter import (  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
            PorterStemmer,
        )

        return cast("Callable[[str], str]", PorterStemmer().stem)
