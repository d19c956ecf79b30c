"""Filters over results and over items, in three spellings: a mapping, the same as JSON text, or words."""

from evalbus.filters.expression import And, Comparison, Expression, FieldPath, Not, Operator, Or
from evalbus.filters.fields import FieldKind, Fields
from evalbus.filters.parsing import parse_filter, parse_search

__all__ = [
    "And",
    "Comparison",
    "Expression",
    "FieldKind",
    "FieldPath",
    "Fields",
    "Not",
    "Operator",
    "Or",
    "parse_filter",
    "parse_search",
]
