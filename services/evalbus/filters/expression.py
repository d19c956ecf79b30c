"""What a filter means, whichever way it was spelt.

A field has no value, one, or several (a result's models, the elements of a list in an item). A comparison is true when one of the values makes it true;
`$eq` null is true when there is none. Nothing is neither true nor false by halves: what is not true is false, and
`$not` turns each into the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

Value: TypeAlias = str | float | bool | datetime | None


class Operator(StrEnum):
    EQ = "$eq"
    LIKE = "$like"
    LT = "$lt"
    LTE = "$lte"
    GT = "$gt"
    GTE = "$gte"
    IN = "$in"
    NIN = "$nin"


@dataclass(frozen=True, kw_only=True)
class FieldPath:
    """A known field, and what follows its first dot: `labels.team`, `scores.exact-match.mean`, `item.meta.source`."""

    name: str
    rest: str = ""

    def __str__(self) -> str:
        return f"{self.name}.{self.rest}" if self.rest else self.name


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """`$in` and `$nin` have any number of values, the others one; null only goes with `$eq`, `$in` and `$nin`."""

    field: FieldPath
    operator: Operator
    values: tuple[Value, ...]


@dataclass(frozen=True)
class And:
    """True of everything when it has no parts."""

    parts: "tuple[Expression, ...]"


@dataclass(frozen=True)
class Or:
    """True of nothing when it has no parts."""

    parts: "tuple[Expression, ...]"


@dataclass(frozen=True)
class Not:
    part: "Expression"


Expression: TypeAlias = Comparison | And | Or | Not

EVERYTHING = And(())


def comparisons(expression: Expression) -> Iterator[Comparison]:
    """Those that it is made of, in the order in which they were written."""
    match expression:
        case Comparison():
            yield expression
        case And(parts) | Or(parts):
            for part in parts:
                yield from comparisons(part)
        case Not(part):
            yield from comparisons(part)
