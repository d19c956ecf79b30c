"""Metrics that answer yes or no, or measure one thing, row by row."""

from typing import Final

from evalbus.metrics.base import Metric
from evalbus.metrics.checks.contains import ContainsAll, ContainsAny
from evalbus.metrics.checks.exact_match import ExactMatch
from evalbus.metrics.checks.json_schema import JsonSchema
from evalbus.metrics.checks.json_valid import JsonValid
from evalbus.metrics.checks.latency import Latency
from evalbus.metrics.checks.length import Length
from evalbus.metrics.checks.multiple_choice import MultipleChoice
from evalbus.metrics.checks.number_check import NumberCheck
from evalbus.metrics.checks.regex import Regex
from evalbus.metrics.checks.string_check import StringCheck
from evalbus.metrics.checks.tool_calling import ToolCalling

CHECKS: Final[dict[str, type[Metric]]] = {
    "contains-all": ContainsAll,
    "contains-any": ContainsAny,
    "exact-match": ExactMatch,
    "json-schema": JsonSchema,
    "json-valid": JsonValid,
    "latency": Latency,
    "length": Length,
    "multiple-choice": MultipleChoice,
    "number-check": NumberCheck,
    "regex": Regex,
    "string-check": StringCheck,
    "tool-calling": ToolCalling,
}
