"""What a service is asked must be JSON that can be written; templates can make what cannot."""

from collections.abc import Sequence

import orjson

from evalbus.templates import RowsFailed, TemplateError
from evalbus_schemas.base import JsonObject

UNSENDABLE = "unsendable"


def sendable(requests: Sequence[JsonObject | None]) -> Sequence[JsonObject | None]:
    """The same requests; raises RowsFailed for rows with half a surrogate pair, or an integer beyond 64 bits."""
    errors: dict[int, TemplateError] = {}
    for row, request in enumerate(requests):
        try:
            orjson.dumps(request)
        except orjson.JSONEncodeError as error:
            errors[row] = TemplateError(UNSENDABLE, f"the request cannot be written: {error}")
    if errors:
        raise RowsFailed(errors)
    return requests
