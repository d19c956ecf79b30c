"""Which of several options a text chooses, told from its words by fixed rules and never guessed.

The rules are listed where users read them, in `multiple_choice.py`. Each takes time in proportion to the text, and
the first that says something decides. Negation is not understood, but no rule matches `the answer is not B`.
"""

import re
from collections.abc import Sequence
from typing import Final

OPTIONS_MAX = 26
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_EMPHASIS: Final = str.maketrans("", "", "*_`$")
_AROUND_LETTERS: Final = " \t\r\n()[]{}.,:;!"
_AROUND_OPTIONS: Final = " .,;:!?\"'()[]"

# Blanks are counted, so that a megabyte of them is not tried in every way.
_BE: Final = r"(?:is|was|(?:would|must|should)\s{1,3}be)"
_LETTER: Final = r"(?:\\(?:text|mathrm)\{)?[(\[{]?([A-Za-z])(?![\w'’])"
_STATEMENT: Final = re.compile(
    rf"""
    (?: \b (?: answer | (?:correct|right|best) \s{{1,3}} (?:option|choice|answer|one) )
        \s{{0,3}} (?: \s {_BE} \b \s{{0,3}} :? | [:=] | \n )
        \s{{0,3}} (?: (?:the\s{{1,3}})? (?:option|choice|letter) \s{{1,3}} )?
      | \b (?: choose | pick | select | go (?:ing)? \s{{1,3}} with ) \s{{1,3}}
        (?: (?:option|choice|answer) \s{{1,3}} )?
      | \\boxed\{{ \s{{0,3}}
    )
    (?:\\boxed\{{)? {_LETTER}
    | (?-i: \b ([A-Z]) ) [)\]}}]? \s{{1,3}} is \s{{1,3}} (?:the\s{{1,3}})? (?:correct|right) \b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ARTICLE: Final = re.compile(r"\s{1,3}\w")
_ALTERNATIVE: Final = re.compile(
    r"[)\]}]{0,2}\s{0,3}(?:or|and|/|,|&)\s{0,3}(?:(?:option|choice)\s{1,3})?[(\[{]?([A-Z])(?![\w'’])"
)
_MARKED_LINE: Final = re.compile(
    r"^[ \t]{0,8}(?:\(([A-Za-z])\)|([A-Z])[).:])(?=\s|$)", re.MULTILINE
)


class Unclear(ValueError):
    """A text that chooses no option, or more than one."""


def chosen_letter(text: str, *, count: int, options: Sequence[str] = ()) -> str:
    """The letter, of the first `count` ones, that a text chooses; `options` are their texts. Raises Unclear."""
    letters = LETTERS[:count]
    plain = text.translate(_EMPHASIS)
    alone = as_letter(plain, letters)
    if alone is not None:
        return alone
    stated = _stated(plain, letters)
    if stated is not None:
        return stated
    own_lines = {letter for line in plain.splitlines() if (letter := as_letter(line, letters))}
    marked = {(one or other).upper() for one, other in _MARKED_LINE.findall(plain)} & set(letters)
    for found in (own_lines, marked, _with_text_in(text, letters, options)):
        if len(found) == 1:
            return found.pop()
    raise Unclear("no single choice can be told from the answer")


def as_letter(text: str, letters: str) -> str | None:
    """The letter that a text is but for brackets and points."""
    # Longer ones would only be looked through in vain.
    bare = text.strip(_AROUND_LETTERS)
    return bare.upper() if len(bare) == 1 and bare.upper() in letters else None


def folded(option: str) -> str:
    """The text of an option without case, spacing and what stands around it."""
    return " ".join(option.casefold().split()).strip(_AROUND_OPTIONS)


def _stated(plain: str, letters: str) -> str | None:
    """What the last statement says; raises Unclear if that is more than one letter."""
    last: re.Match[str] | None = None
    for match in _STATEMENT.finditer(plain):
        letter = match[1] or match[2]
        # `the answer is a city` has an article where a letter would be.
        is_article = letter.islower() and _ARTICLE.match(plain, match.end())
        if letter.upper() in letters and not is_article:
            last = match
    if last is None:
        return None
    other = _ALTERNATIVE.match(plain, last.end())
    letter = (last[1] or last[2]).upper()
    if other is not None and other[1] in letters and other[1] != letter:
        raise Unclear(f"the answer names {letter} and {other[1]}")
    return letter


def _with_text_in(text: str, letters: str, options: Sequence[str]) -> set[str]:
    whole = folded(text)
    known = {letter: folded(option) for letter, option in zip(letters, options, strict=False)}
    same = {letter for letter, option in known.items() if option and option == whole}
    if same:
        return same
    found = {
        letter: option
        for letter, option in known.items()
        if option and re.search(rf"(?<!\w){re.escape(option)}(?!\w)", whole)
    }
    return {
        letter
        for letter, option in found.items()
        if not any(option != other and option in other for other in found.values())
    }
