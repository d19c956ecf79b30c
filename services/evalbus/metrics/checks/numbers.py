"""The last number in a text, as people and models write numbers.

- A comma, a no-break or thin space, or an apostrophe may part groups of three digits: `1,234.50` is one number. With
  points between the groups and a comma before the decimals it is one as well: `1.234,50`.
- A minus, also the typographic one, belongs to the number unless a word or a number ends right before it: `16-3` ends
  in 3, `x = -3` in -3, `-$5` in -5.
- A currency or percent sign is not part of it: `50%` is 50.
- An exponent is: `1e-5`, `1.5E+10`.
- Digits of every script count, with the full-width and the Arabic marks: `１，２３４．５`, `١٬٢٣٤٫٥`.

Numbers are exact: 0.1 is a tenth, and integers of any length differ in their last digit.
"""

import re
import string
from decimal import Decimal, InvalidOperation
from typing import Final

_MINUS: Final = "-\u2212\ufe63\uff0d"
_SIGN: Final = re.escape("+\uff0b" + _MINUS)
_COMMAS: Final = ",\uff0c\u066c"
_POINTS: Final = ".\uff0e\u066b"
_GROUPING: Final = _COMMAS + "\u00a0\u202f\u2009'\u2019"
_CURRENCY: Final = "$€£¥₹\uff04\uffe5"
_AROUND: Final = f"{string.whitespace}\u00a0\u202f\u2009%{_CURRENCY}"
# Thirteen groups are more than any amount has; without a bound a megabyte of them is looked through once for each.
_NUMBER: Final = re.compile(
    rf"""
    (?: (?<! [\w.%)\]}}] ) (?P<sign> [{_SIGN}] ) [{_CURRENCY}]? (?= [{_POINTS}]?\d ) )?
    (?:
        (?P<continental> (?!0)\d{{1,3}} (?: \.\d{{3}} ){{1,12}} ,\d+ ) (?! [.,]?\d )
      | (?P<plain>
            (?!0)\d{{1,3}} (?: (?P<mark> [{_GROUPING}] ) \d{{3}} (?: (?P=mark)\d{{3}} )* ) (?!\d)
            (?: [{_POINTS}]\d+ )?
          | \d+ (?: [{_POINTS}]\d+ )?
          | (?<! [\d{_POINTS}] ) [{_POINTS}]\d+
        )
        (?: [eE] (?P<exponent> [{_SIGN}]?\d+ ) (?!\w) )?
    )
    """,
    re.VERBOSE,
)
_USUAL: Final = re.compile(
    r"[$€£]?([1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?)%?[.,;:!?)]*"
).fullmatch
"""A word that is a number without sign and exponent, as most are; the pattern above reads it alike, and slower."""
_DIGIT: Final = re.compile(r"\d")
_MARKS: Final = str.maketrans(dict.fromkeys(_GROUPING) | dict.fromkeys(_POINTS, "."))
_SIGNS: Final = str.maketrans(_MINUS + "\uff0b", "-" * len(_MINUS) + "+")

_WORDS_LOOKED_AT: Final = 5
_TAIL_CHARACTERS: Final = 32
"""A long text is searched from here before its end first."""


def last_number(text: str) -> Decimal | None:
    """The number that ends last; None when there is none, or none that a computer could hold."""
    # No number has a blank in it, and none depends on what stands before one: what is the last
    # number behind some blank is the last number of the whole. Most answers have a plain one among their last words.
    end = len(text)
    for _ in range(_WORDS_LOOKED_AT):
        start = text.rfind(" ", 0, end) + 1
        word = text[start:end]
        if usual := _USUAL(word):
            return Decimal(usual[1].replace(",", ""))
        if start == 0 or _DIGIT.search(word) is not None:
            break
        end = start - 1
    if _DIGIT.search(text) is None:
        return None
    cut = text.rfind(" ", 0, -_TAIL_CHARACTERS) + 1
    found = _last_match(text[cut:])
    if found is None and cut:
        found = _last_match(text)
    return None if found is None else _value(found)


def whole_number(text: str) -> Decimal | None:
    """The number that the text is, and nothing else but blanks and a currency or percent sign; None for any other text."""
    match = _NUMBER.fullmatch(text.strip(_AROUND))
    return None if match is None else _value(match)


def _last_match(text: str) -> re.Match[str] | None:
    found = None
    for found in _NUMBER.finditer(text):  # noqa: B007 - the last one is wanted
        pass
    return found


def _value(match: re.Match[str]) -> Decimal | None:
    sign, continental, plain, _, exponent = match.groups()
    if continental is not None:
        digits = continental.replace(".", "").replace(",", ".")
    else:
        digits = plain.translate(_MARKS)
    if sign is not None and sign not in "+\uff0b":
        digits = "-" + digits
    if exponent is not None:
        digits = f"{digits}e{exponent.translate(_SIGNS)}"
    try:
        return Decimal(digits)
    except InvalidOperation:
        return None  # an exponent beyond all bounds
