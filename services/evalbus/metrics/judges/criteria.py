"""Criteria as datasets have them, with the points that each is worth."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import orjson

from evalbus.metrics.base import NO_REFERENCE, UNPARSABLE
from evalbus.metrics.judges.verdicts import Unclear
from evalbus.templates import as_text

TOO_MANY: Final = "too_many_criteria"
CRITERIA_MAX: Final = 64
POINTS_MAX: Final = 1e9


@dataclass(frozen=True, kw_only=True)
class Criterion:
    text: str
    points: float
    """Less than 0 for something that a good answer does not do."""


def criteria_from(value: object) -> tuple[Criterion, ...]:
    """From `{text: points}`, a list of texts (a point each) or of `{description, points}`, or JSON text of these.

    `{"criteria": […]}` is the list in it. Raises Unclear for null and for none at all (`no_reference`), for more than
    CRITERIA_MAX, and for what is none of this or cannot be earned: no criterion is worth more than 0 points.
    """
    criteria = _read(_unpacked(value))
    if not criteria:
        raise Unclear(NO_REFERENCE, "there are no criteria")
    if len(criteria) > CRITERIA_MAX:
        raise Unclear(
            TOO_MANY,
            f"{len(criteria)} criteria, where a judge is asked about {CRITERIA_MAX} at most",
        )
    if not any(criterion.points > 0 for criterion in criteria):
        raise Unclear(UNPARSABLE, "no criterion is worth more than 0 points")
    return criteria


def _unpacked(value: object) -> object:
    if isinstance(value, str):
        try:
            value = cast("object", orjson.loads(value))
        except orjson.JSONDecodeError:
            raise Unclear(UNPARSABLE, "the criteria are a text that is no JSON") from None
    if isinstance(value, dict):
        fields = cast("Mapping[str, object]", value)
        inner = fields.get("criteria")
        return cast("object", inner) if isinstance(inner, list) else fields
    return value


def _read(value: object) -> tuple[Criterion, ...]:
    match value:
        case None:
            return ()
        case dict():
            pairs = cast("Mapping[str, object]", value).items()
            return tuple(_criterion(text, points) for text, points in pairs)
        case list():
            return tuple(_entry(entry) for entry in cast("Sequence[object]", value))
        case _:
            raise Unclear(UNPARSABLE, "criteria are an object or a list")


def _entry(entry: object) -> Criterion:
    if isinstance(entry, str):
        return _criterion(entry, 1)
    empty: Mapping[str, object] = {}
    fields = cast("Mapping[str, object]", entry) if isinstance(entry, dict) else empty
    text = fields.get("description")
    if not isinstance(text, str):
        raise Unclear(UNPARSABLE, "a criterion is a text, or an object with a description")
    return _criterion(text, fields.get("points", 1))


def _criterion(text: str, points: object) -> Criterion:
    if isinstance(points, bool) or not isinstance(points, int | float):
        raise Unclear(UNPARSABLE, f"no points: {as_text(points)[:80]}")
    if not math.isfinite(points) or abs(points) > POINTS_MAX:
        raise Unclear(UNPARSABLE, f"points beyond {POINTS_MAX:g}")
    if not text.strip():
        raise Unclear(UNPARSABLE, "a criterion has no text")
    return Criterion(text=text, points=points)
