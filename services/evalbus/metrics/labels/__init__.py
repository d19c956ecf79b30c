"""Metrics of answers that are labels, probabilities or attempts, most of them for all rows together."""

from typing import Final

from evalbus.metrics.base import Metric
from evalbus.metrics.labels.calibration import Calibration
from evalbus.metrics.labels.classification import Classification
from evalbus.metrics.labels.math_equivalence import MathEquivalence
from evalbus.metrics.labels.pass_at_k import PassAtK

LABELS: Final[dict[str, type[Metric]]] = {
    "calibration": Calibration,
    "classification": Classification,
    "math": MathEquivalence,
    "pass-at-k": PassAtK,
}
