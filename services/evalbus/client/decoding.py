"""Text that holds a value: what it stands for, or the text itself."""

import ast
import json
import math
import warnings

LITERAL_CHARACTERS_MAX = 100_000
"""Python's own notation is taken apart by its compiler, whose memory is a multiple of the text."""


def decoded(value: object) -> object:
    """A value that somebody wrote as text: as JSON, or as Python prints it. Anything else stays as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return _literal(value)


def typed_cell(text: str) -> object:
    """What a cell says if that is JSON, else its text: `4` is a number, `007` and `NaN` are not."""
    try:
        return json.loads(text, parse_constant=_refused, parse_float=_finite)
    except (ValueError, RecursionError):
        return text


def _literal(text: str) -> object:
    if len(text) > LITERAL_CHARACTERS_MAX:
        return text
    try:
        with warnings.catch_warnings():
            # Prose with a backslash in it is no mistake in a program.
            warnings.simplefilter("ignore")
            return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return text


def _refused(word: str) -> object:
    raise ValueError(f"JSON has no {word}")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is larger than any number")
    return number
