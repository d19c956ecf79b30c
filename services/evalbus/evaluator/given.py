"""Lines that carry a row's sample beside its item: how they are written, and how they are taken apart."""

from dataclasses import dataclass

import orjson

from evalbus_schemas.base import JsonObject
from evalbus_schemas.chunks import SAMPLE_SEPARATOR

NOTHING = b"{}"
"""What stands for a sample that there is none of."""

UNDECODABLE = "undecodable"


@dataclass(frozen=True, kw_only=True)
class WhyNot:
    """The reason for which a row has no sample: a word for counting, and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class GivenLine:
    """One row with its sample; with a reason there is none, and its item is of no interest."""

    item: bytes
    sample: bytes
    why_not: WhyNot | None


def sampled_line(item: bytes, sample: JsonObject) -> bytes:
    return item + SAMPLE_SEPARATOR + orjson.dumps(sample)


def unsampled_line(code: str, message: str) -> bytes:
    """Without the item: it may be one that cannot be read at all, whatever bytes it has."""
    return SAMPLE_SEPARATOR.join((b"", NOTHING, orjson.dumps([code, message])))


def parse_given(line: bytes) -> GivenLine:
    """Never raises: what cannot be taken apart is a row without a sample."""
    item, *rest = line.split(SAMPLE_SEPARATOR)
    if not rest:
        why_not = WhyNot(code="no_sample", message="the row came without a sample")
        return GivenLine(item=item, sample=NOTHING, why_not=why_not)
    if len(rest) == 1:
        return GivenLine(item=item, sample=rest[0], why_not=None)
    # The reason is the last part, even where an unreadable item has separators of its own.
    return GivenLine(item=item, sample=NOTHING, why_not=_parse_why(rest[-1]))


def _parse_why(text: bytes) -> WhyNot:
    try:
        why: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        why = None
    match why:
        case [str(code), str(message)]:
            return WhyNot(code=code, message=message)
        case _:
            return WhyNot(code=UNDECODABLE, message="why it has no sample cannot be read")
