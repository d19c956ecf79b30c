"""Metrics that answer yes or no, or measure one thing, row by row."""

from typing import Final

from evalbus.metrics.base import Metric
from evalbus.metrics.checks.exact_match import ExactMatch
from evalbus.metrics.checks.number_check import NumberCheck
from evalbus.metrics.checks.string_check import StringCheck

CHECKS: Final[dict[str, type[Metric]]] = {
    "exact-match": ExactMatch,
    "number-check": NumberCheck,
    "string-check": StringCheck,
}
