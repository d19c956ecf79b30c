"""Lines that carry a row's sample, and what live metrics were answered, beside its item: written and taken apart."""

from dataclasses import dataclass
from typing import cast

import orjson
from pydantic import JsonValue

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
    """One row with its sample; with a reason there is none, and its item may be none that can be read."""

    item: bytes
    sample: bytes
    why_not: WhyNot | None
    answers: bytes = NOTHING
    """What live metrics were answered, by metric."""


def sampled_line(item: bytes, sample: bytes) -> bytes:
    return item + SAMPLE_SEPARATOR + sample


def answered_line(line: bytes, answers: JsonObject) -> bytes:
    """A line with a sample, with the answers behind it."""
    return SAMPLE_SEPARATOR.join((line, b"", orjson.dumps(answers)))


def unsampled_line(item: bytes, code: str, message: str) -> bytes:
    """The item may be one that cannot be read at all, whatever bytes it has."""
    return SAMPLE_SEPARATOR.join((item, NOTHING, orjson.dumps([code, message])))


def parse_given(line: bytes) -> GivenLine:
    """Never raises: what cannot be taken apart is a row without a sample."""
    item, *rest = line.split(SAMPLE_SEPARATOR)
    if not rest:
        why_not = WhyNot(code="no_sample", message="the row came without a sample")
        return GivenLine(item=item, sample=NOTHING, why_not=why_not)
    if len(rest) == 1:
        return GivenLine(item=item, sample=rest[0], why_not=None)
    if not rest[-2] and rest[-1].startswith(b"{"):
        return GivenLine(item=item, sample=rest[0], why_not=None, answers=rest[-1])
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


@dataclass(frozen=True, kw_only=True)
class NoAnswer:
    """Why a question was not answered, or could not be asked."""

    code: str
    message: str
    is_unanswered: bool
    """False: it could not even be asked."""

    @property
    def as_json(self) -> JsonObject:
        return {"code": self.code, "message": self.message, "is_unanswered": self.is_unanswered}


def parse_answers(written: bytes, metric: str) -> list[JsonObject | NoAnswer | None] | None:
    """What the metric's respondents answered about a row, None for those that were not asked.

    None instead of a list: nothing is known of the metric at all.
    """
    try:
        by_metric: object = orjson.loads(written)
    except orjson.JSONDecodeError:
        return None
    match by_metric:
        case dict() if isinstance(answers := cast("JsonObject", by_metric).get(metric), list):
            return [_parse_answer(answer) for answer in answers]
        case _:
            return None


def _parse_answer(answer: JsonValue) -> JsonObject | NoAnswer | None:
    match answer:
        case None:
            return None
        case {"sample": dict(sample)}:
            return sample
        case {"code": str(code), "message": str(message), "is_unanswered": bool(is_unanswered)}:
            return NoAnswer(code=code, message=message, is_unanswered=is_unanswered)
        case _:
            return NoAnswer(
                code=UNDECODABLE, message="what was answered cannot be read", is_unanswered=False
            )
