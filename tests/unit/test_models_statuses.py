"""What the status of an HTTP answer means to whoever asked."""

from datetime import UTC, datetime

import pytest

from evalbus.models.base import CallFailed, HttpAnswer
from evalbus.models.statuses import failure_of

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def failure(status: int, *, body: bytes = b"", retry_after: str | None = None) -> CallFailed:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    answer = HttpAnswer(status=status, headers=headers, body=body)
    return failure_of(answer, place="api.example", now=NOW)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 529, 599])
def test_what_may_be_better_later_is_tried_again(status: int) -> None:
    assert failure(status).is_retryable


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 413, 415, 422, 451, 499])
def test_a_wrong_request_is_never_sent_again(status: int) -> None:
    failed = failure(status, retry_after="1")

    assert not failed.is_retryable
    assert not failed.is_outage
    assert failed.retry_after_seconds is None


@pytest.mark.parametrize(
    ("status", "is_outage"), [(429, False), (408, False), (500, True), (503, True)]
)
def test_only_a_broken_server_is_an_outage(status: int, is_outage: bool) -> None:
    assert failure(status).is_outage is is_outage


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("3", 3.0),
        ("0", 0.0),
        (" 2.5 ", 2.5),
        ("Fri, 01 May 2026 12:00:30 GMT", 30.0),
        ("Fri, 01 May 2026 14:00:30 +0200", 30.0),
        ("Fri, 01 May 2026 11:00:00 GMT", 0.0),
        ("86400", 1500.0),
        ("Sat, 02 May 2026 12:00:00 GMT", 1500.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("1e400", None),
        ("9" * 400, None),
        ("nan", None),
        ("Fri, 99 May 2026 12:00:00 GMT", None),
        (None, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_pause_that_a_server_asks_for_is_known_in_seconds_and_bounded(
    status: int, written: str | None, seconds: float | None
) -> None:
    assert failure(status, retry_after=written).retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": {"message": "no such model", "type": "x"}}', "status 404: no such model"),
        (b'{"error": "no such model"}', "status 404: no such model"),
        (b'{"message": "no such\\n\\u001b[31mmodel"}', "status 404: no such [31mmodel"),
        (b'{"detail": [{"loc": ["body"]}]}', 'status 404: [{"loc":["body"]}]'),
        (b"<html>\n  Not here</html>", "status 404: <html> Not here</html>"),
        (b"\xff\xfe", "status 404: \ufffd\ufffd"),
        (b"", "status 404"),
        (b"null", "status 404: null"),
    ],
)
def test_the_failure_says_what_the_server_said_on_one_line(body: bytes, said: str) -> None:
    failed = failure(404, body=body)

    assert failed.message == f"api.example answered with {said}"
    assert failed.code == "http_404"


def test_a_long_error_is_cut() -> None:
    assert len(failure(500, body=b"a" * 1_000_000).message) < 400
