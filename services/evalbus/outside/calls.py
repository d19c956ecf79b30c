"""What comes of one call to somebody else's service: a whole answer, or the reason why there is none."""

from dataclasses import dataclass

from evalbus.characters import whole
from evalbus.errors import EvalbusError
from evalbus_schemas.base import JsonObject


@dataclass(frozen=True, kw_only=True)
class HttpAnswer:
    """A whole answer; the body has no secret in it that was sent along."""

    status: int
    headers: dict[str, str]
    """With names in small letters."""
    body: bytes


class CallFailed(EvalbusError):
    """One attempt gave no answer; `code` is one word for counting, the message holds no secret."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        is_retryable: bool,
        is_outage: bool = False,
        retry_after_seconds: float | None = None,
        log: JsonObject | None = None,
    ) -> None:
        # Who is asked may be a stranger's code, and its words have to be written down.
        self.code = whole(code)
        self.message = whole(message)
        super().__init__(self.message)
        self.is_retryable = is_retryable
        self.is_outage = is_outage
        """True: it says something about the endpoint, not about this request (no connection, a time-out, 5xx)."""
        self.retry_after_seconds = retry_after_seconds
        self.log: JsonObject = log or {}
