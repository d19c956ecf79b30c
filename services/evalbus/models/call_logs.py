"""What the request log of a row says of one attempt: what was sent, what came back, and how long it took."""

import time
from collections.abc import Generator
from contextlib import contextmanager

import orjson
from pydantic import JsonValue

from evalbus.models.answers import beginning
from evalbus.models.base import CallFailed
from evalbus_schemas.base import JsonObject

LOGGED_CHARACTERS_MAX = 8 * 1024


@contextmanager
def logged_call(**sent: JsonValue) -> Generator[JsonObject]:
    """The log of one attempt, to which whoever asks adds; a CallFailed on its way out takes it along."""
    log: JsonObject = sent
    started = time.perf_counter()
    try:
        yield log
    except CallFailed as failure:
        log["error"] = failure.message
        failure.log = log
        raise
    finally:
        log["seconds"] = round(time.perf_counter() - started, 6)


def logged_text(body: bytes) -> str:
    """A body for the request log, cut to LOGGED_CHARACTERS_MAX."""
    return beginning(body, LOGGED_CHARACTERS_MAX)


def logged_object(body: JsonObject) -> JsonObject | str:
    """The same for an object: itself, or the beginning of its JSON."""
    written = orjson.dumps(body)
    return body if len(written) <= LOGGED_CHARACTERS_MAX else logged_text(written)
