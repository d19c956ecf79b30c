"""What tests of live models share: services that may reach this machine, benchmarks, and an endpoint that answers."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.servers.openai_endpoint import Act, Asked, OpenAIEndpoint, says
from tests.system import IMPATIENT

ROWS = "question {row}"
SECRET = "canary-5f2b9c77-do-not-repeat"

LOCAL = {
    **IMPATIENT,
    "EVALBUS_ALLOW_PRIVATE_ENDPOINTS": "1",
    "EVALBUS_SECRET_MODEL_KEY": SECRET,
    "EVALBUS_CIRCUIT_SECONDS": "20",
}


def knows(asked: Asked, *, seconds: float = 0.0) -> Act:
    """Answers `question 7` with 7."""
    return says(asked.prompt.rpartition(" ")[2], seconds=seconds)


def after(seconds: float) -> Callable[[Asked], Act]:
    """The same, a little later."""
    return lambda asked: knows(asked, seconds=seconds)


def a_live_benchmark(
    endpoint: OpenAIEndpoint | str,
    *,
    rows: int,
    name: str = "live",
    model: Mapping[str, object] | None = None,
    params: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """Rows that ask for their own number, one live model, and whether it knew."""
    url = endpoint if isinstance(endpoint, str) else endpoint.url
    return {
        "name": name,
        "datasets": [
            {
                "name": "questions",
                "rows": [{"q": ROWS.format(row=row), "a": str(row)} for row in range(rows)],
            }
        ],
        "models": [
            {
                "name": "small",
                "type": "openai",
                "url": url,
                "model": "small-1",
                "prompt": "{{ item.q }}",
            }
            | dict(model or {})
        ],
        "metrics": [{"name": "right", "type": "exact-match", "reference": "{{ item.a }}"}],
        "params": dict(params or {}),
    }
