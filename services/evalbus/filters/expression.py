"""What a filter means, whichever way it was spelt.

Two-valued: a comparison with something that is not there is false, so `not` of it is true. A field with several
values (a result's models) matches when one of them does.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

Value: TypeAlias = str | float | datetime | None


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
    """A known field, and what follows its first dot: `labels.team`, `scores.exact-match.mean`."""

    name: str
    rest: str = ""

    def __str__(self) -> str:
        return f"{self.name}.{self.rest}" if self.rest else self.name


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """`$in` and `$nin` have any number of values, the others one; `$eq` null means that there is none."""

    field: FieldPath
    operator: Operator
    values: tuple[Value, ...]


@dataclass(frozen=True)
class And:
    parts: "tuple[Expression, ...]"


@dataclass(frozen=True)
class Or:
    parts: "tuple[Expression, ...]"


@dataclass(frozen=True)
class Not:
    part: "Expression"


Expression: TypeAlias = Comparison | And | Or | Not

EVERYTHING = And(())
