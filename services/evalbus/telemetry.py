"""What is counted, for /metrics; labels never name a job."""

from urllib.parse import urlsplit

from prometheus_client import Counter, Gauge

CHUNKS_KEPT = Counter(
    "evalbus_chunks_kept", "Scored chunks that arrived, by what became of them.", ["outcome"]
)
ROWS_KEPT = Counter("evalbus_rows_kept", "Rows whose scores were stored.")
DEAD_LETTERS = Counter("evalbus_dead_letters", "Messages set aside, by reason.", ["reason"])

CALLS = Counter(
    "evalbus_model_calls",
    "Calls to live models, by endpoint host and by what came of them.",
    ["host", "outcome"],
)
"""The outcome is answered, put_off (to be tried again), outage, refused or cut_off."""
ANSWERS_KNOWN = Counter(
    "evalbus_answers_known",
    "Rows of live models that needed no call, by whose answer did.",
    ["source"],
)
CIRCUIT_OPEN = Gauge(
    "evalbus_circuit_open", "1 while an endpoint is given up for the moment.", ["host"]
)


def endpoint_host(endpoint: str) -> str:
    """The part of an endpoint that may stand in a label: the host of a URL, or a queue as it is called."""
    return urlsplit(endpoint).hostname or endpoint
