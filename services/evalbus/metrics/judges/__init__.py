"""Metrics that ask a model what it thinks of an answer."""

from typing import Final

from evalbus.metrics.base import Metric

JUDGES: Final[dict[str, type[Metric]]] = {}
