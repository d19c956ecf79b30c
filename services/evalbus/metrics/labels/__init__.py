"""Metrics of answers that are labels, probabilities or attempts, most of them for all rows together."""

from typing import Final

from evalbus.metrics.base import Metric
from evalbus.metrics.labels.classification import Classification

LABELS: Final[dict[str, type[Metric]]] = {
    "classification": Classification,
}
