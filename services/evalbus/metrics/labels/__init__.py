"""Metrics of answers that are labels, probabilities or attempts, most of them for all rows together."""

from typing import Final

from evalbus.metrics.base import Metric

LABELS: Final[dict[str, type[Metric]]] = {}
