"""The headers of our own that a message carries beside the CloudEvents ones."""

from typing import Final

ATTEMPT: Final = "evalbus-attempt"
QUEUE: Final = "evalbus-queue"
REASON: Final = "evalbus-reason"
DETAIL: Final = "evalbus-detail"
KEY: Final = "evalbus-key"
"""How the message was first addressed; a delay replaces the key by the name of the queue to return to."""
BODY_BYTES: Final = "evalbus-body-bytes"
"""The size of the body before it was cut."""
