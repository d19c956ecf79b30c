"""For authors of metrics: score rows in one line, and check that a metric keeps what every metric promises."""

from evalbus.testing.promises import Row, check_metric
from evalbus.testing.scoring import corpus_of, score_row

__all__ = ["Row", "check_metric", "corpus_of", "score_row"]
