"""What is counted, for /metrics; labels never name a job."""

from prometheus_client import Counter

CHUNKS_KEPT = Counter(
    "evalbus_chunks_kept", "Scored chunks that arrived, by what became of them.", ["outcome"]
)
ROWS_KEPT = Counter("evalbus_rows_kept", "Rows whose scores were stored.")
DEAD_LETTERS = Counter("evalbus_dead_letters", "Messages set aside, by reason.", ["reason"])
