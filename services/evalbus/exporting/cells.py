"""Cells as lines of a CSV file that no spreadsheet runs as formulas."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass

from evalbus.characters import whole

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet run a text."""


def neutralised(text: str) -> str:
    """With an apostrophe before what a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Text is quoted, and nothing else is: so a missing cell can be told from an empty text.

    Quotes and escape characters inside of a text are doubled. Without an `escapechar` it is RFC 4180.
    """

    sep: str = ","
    quotechar: str = '"'
    escapechar: str | None = None
    neutralise: bool = True

    def line(self, cells: Iterable[object]) -> str:
        """With its line feed. Lists and objects are JSON, NaN is missing."""
        return self.sep.join(map(self._cell, cells)) + "\n"

    def _cell(self, cell: object) -> str:
        match cell:
            case str():
                return self._quoted(neutralised(cell) if self.neutralise else cell)
            case None:
                return ""
            case float():
                return "" if math.isnan(cell) else repr(cell)
            case bool() | int():
                return str(cell)
            case _:
                return self._quoted(json.dumps(cell, ensure_ascii=False))

    def _quoted(self, text: str) -> str:
        quote, escape = self.quotechar, self.escapechar
        if escape is not None:
            text = text.replace(escape, escape + escape)
        return f"{quote}{text.replace(quote, quote + quote)}{quote}"


def as_bytes(lines: Iterable[str]) -> bytes:
    return whole("".join(lines)).encode()
