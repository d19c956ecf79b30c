"""Metrics of how much of one text is in another."""

from typing import Final

from evalbus.metrics.base import Metric
from evalbus.metrics.overlap.f1 import F1

OVERLAP: Final[dict[str, type[Metric]]] = {
    "f1": F1,
}
