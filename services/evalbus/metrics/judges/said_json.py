"""The JSON in what a judge said, whatever else it said around it."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final, cast

from pydantic import JsonValue

from evalbus.metrics.base import UNPARSABLE
from evalbus.metrics.judges.verdicts import Unclear

THOUGHTS_END: Final = "</think>"
"""What models that think aloud write behind it."""

_BEGINS: Final = re.compile(r'\{\s*"')
_MARKS: Final = re.compile(r'\\.|["{}]', re.DOTALL)


class _Contradiction(ValueError):
    """An object that says two things under one key."""


def json_in(text: str) -> JsonValue:
    """The text as JSON; if it is none, the first object in it that is.

    Thoughts before the last `</think>` are left out. Takes time in proportion to the text, so that hostile ones cost
    no more than others: an object that is broken is skipped as a whole, because what stands inside of it may be a
    quotation, and one that never ends is the last that is looked at. Raises Unclear for a text without JSON, for an
    object that gives two values to one key, and for JSON too deep to be read.
    """
    said = text.rpartition(THOUGHTS_END)[2].strip("\ufeff \t\r\n")
    for candidate in chain([said], _objects(said)):
        try:
            return cast("JsonValue", _DECODER.decode(candidate))
        except json.JSONDecodeError:
            continue
        except _Contradiction as error:
            raise Unclear(UNPARSABLE, str(error)) from None
        except (ValueError, RecursionError):
            # A number of thousands of digits, or thousands of levels.
            raise Unclear(UNPARSABLE, "its JSON cannot be read") from None
    raise Unclear(UNPARSABLE, "there is no JSON in it")


def _objects(text: str) -> Iterator[str]:
    """What might be objects, none inside of another."""
    at = 0
    while begins := _BEGINS.search(text, at):
        end = _end_of_object(text, begins.start())
        if end is None:
            return
        yield text[begins.start() : end]
        at = end


def _end_of_object(text: str, start: int) -> int | None:
    """Behind the brace that closes the one at `start`; None if there is none."""
    depth = 0
    is_in_string = False
    for mark in _MARKS.finditer(text, start):
        match mark[0]:
            case '"':
                is_in_string = not is_in_string
            case "{" if not is_in_string:
                depth += 1
            case "}" if not is_in_string:
                depth -= 1
                if depth == 0:
                    return mark.end()
            case _:
                pass
    return None


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        for key, value in pairs:
            if found[key] != value:
                raise _Contradiction(f"its JSON has {key[:80]!r} twice, with different values")
    return found


# Not strict: many models write line breaks into strings as they are.
_DECODER: Final = json.JSONDecoder(strict=False, object_pairs_hook=_object)
