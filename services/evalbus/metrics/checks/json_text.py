"""JSON as RFC 8259 has it, read from text that a model wrote; the same in every process, whatever is in it."""

import json
import re
from typing import Final, Literal, NoReturn, cast

from pydantic import JsonValue

from evalbus.nesting import NESTING_MAX, is_nested_too_deeply
from evalbus_schemas.base import JsonObject

Extract = Literal["none", "fenced"]

# A line of three backticks or more, as CommonMark has it; what stands behind those that open is not looked at.
_OPENING: Final = re.compile(r"^ {0,3}```[^`\n]*\n", re.MULTILINE)
_CLOSING: Final = re.compile(r"^ {0,3}```", re.MULTILINE)


class NotJson(ValueError):
    """A text that is no JSON; says what is wrong and where."""


def json_of(text: str) -> JsonValue:
    """The value that a text is; of a key that stands twice the last value.

    Raises NotJson also for more than NESTING_MAX levels, which the standard leaves to whoever reads. A number beyond
    the range of a double is infinite.
    """
    try:
        value = cast("JsonValue", _DECODER.decode(text))
    except json.JSONDecodeError as error:
        raise NotJson(f"{error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise NotJson(_TOO_DEEP) from None
    # It looks at any value, though those that it was made for are objects.
    if is_nested_too_deeply(text.encode(errors="replace"), cast("JsonObject", value)):
        raise NotJson(_TOO_DEEP)
    return value


def without_fence(text: str) -> str:
    """What the first fenced block of a Markdown text holds, to the end if nothing closes it; the text if it has none."""
    opening = _OPENING.search(text)
    if opening is None:
        return text
    closing = _CLOSING.search(text, opening.end())
    return text[opening.end() : closing.start() if closing else len(text)]


_TOO_DEEP: Final = f"nested more than {NESTING_MAX} levels deep"


def _integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        return float(digits)  # thousands of digits, which Python reads in no reasonable time


def _refuse_constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is no number of JSON")


_DECODER: Final = json.JSONDecoder(parse_int=_integer, parse_constant=_refuse_constant)
