"""What can be said of a text without understanding it: its size, its numbers, its script."""

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from typing import Final, NamedTuple

NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
LARGEST: Final = 1e300
"""More counts as this: a float holds not much larger numbers."""
QUESTION_MARKS: Final = ("?", "？", "؟", "⁇")
SCRIPT_CHARACTERS: Final = 400
"""From the beginning, to tell the script by."""


class TextFacts(NamedTuple):
    """Numbers, so that a column of each is all that is kept; `largest_number` is NaN where there is none."""

    characters: float
    words: float
    lines: float
    numbers: float
    largest_number: float
    beyond_ascii: float
    """The share of its characters."""
    is_question: float


def facts_of(text: str) -> TextFacts:
    # Without commas, which many write between thousands.
    numbers = NUMBER.findall(text.replace(",", ""))
    return TextFacts(
        characters=float(len(text)),
        words=float(len(text.split())),
        lines=float(text.count("\n") + 1) if text else 0.0,
        numbers=float(len(numbers)),
        largest_number=min(max(map(float, numbers)), LARGEST) if numbers else float("nan"),
        beyond_ascii=0.0 if text.isascii() else 1 - len(text.encode("ascii", "ignore")) / len(text),
        is_question=float(text.rstrip().endswith(QUESTION_MARKS)),
    )


def script_of(text: str) -> str | None:
    """That of most of its letters, by the first word of their names, as LATIN, CYRILLIC, CJK; None without letters."""
    head = text[:SCRIPT_CHARACTERS]
    if head.isascii():
        return "LATIN" if any(map(str.isalpha, head)) else None
    found: Counter[str] = Counter()
    for character, times in Counter(head).items():
        if script := _script(character):
            found[script] += times
    # The first of the alphabet among equals, so that the same text always gives the same.
    return min(found, key=lambda script: (-found[script], script), default=None)


@lru_cache(maxsize=4096)
def _script(character: str) -> str | None:
    if not character.isalpha():
        return None
    name = unicodedata.name(character, "")
    return name.partition(" ")[0].partition("-")[0] or None
