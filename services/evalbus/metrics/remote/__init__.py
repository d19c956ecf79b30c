"""Metrics that are somebody else's service: behind an endpoint or behind a queue."""

from typing import Final

from evalbus.metrics.base import Metric

REMOTE: Final[dict[str, type[Metric]]] = {}
