"""What an HTTP status other than success means to whoever asked: again, later, or never."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import cast

import orjson

from evalbus.characters import cut
from evalbus.models.base import CallFailed, HttpAnswer
from evalbus_schemas.benchmark import ROW_SECONDS_MAX

RETRYABLE = frozenset({408, 425, 429})
"""All other statuses from 400 to 499 say that the request itself is wrong; asking again gives the same."""

SAID_CHARACTERS_MAX = 300
SECONDS_PATTERN = re.compile(r"[0-9]{1,9}(?:\.[0-9]+)?")


def failure_of(answer: HttpAnswer, *, place: str, now: datetime | None = None) -> CallFailed:
    """The failure that an answer without success is; `place` says in the message who gave it."""
    is_broken = answer.status >= 500
    is_retryable = is_broken or answer.status in RETRYABLE
    said = said_in(answer.body)
    return CallFailed(
        f"http_{answer.status}",
        f"{place} answered with status {answer.status}{f': {said}' if said else ''}",
        is_retryable=is_retryable,
        is_outage=is_broken,
        retry_after_seconds=_retry_after(answer, now or datetime.now(UTC))
        if is_retryable
        else None,
    )


def bounded_pause(seconds: float) -> float | None:
    """A pause that somebody else asks for; None for one that makes no sense. No row waits longer than the bound."""
    return min(seconds, ROW_SECONDS_MAX) if seconds >= 0 else None


def said_in(body: bytes) -> str:
    """The sentence in an error's body, on one line; where there is none, its beginning."""
    try:
        found: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = body[: 4 * SAID_CHARACTERS_MAX].decode(errors="replace")
    for key in ("error", "message", "detail"):
        if isinstance(found, dict):
            fields = cast("dict[str, object]", found)
            found = fields.get(key, fields)
    text = found if isinstance(found, str) else orjson.dumps(found).decode()
    return one_line(text)


def one_line(text: str) -> str:
    """Somebody else's words for a sentence of ours: without control characters, at most SAID_CHARACTERS_MAX."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return cut(line, SAID_CHARACTERS_MAX)


def _retry_after(answer: HttpAnswer, now: datetime) -> float | None:
    """Retry-After in seconds, written as a number or as a date; None when it is absent or neither."""
    written = answer.headers.get("retry-after", "").strip()
    if SECONDS_PATTERN.fullmatch(written):
        return bounded_pause(float(written))
    try:
        moment = parsedate_to_datetime(written)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return bounded_pause(max((moment - now).total_seconds(), 0.0))
