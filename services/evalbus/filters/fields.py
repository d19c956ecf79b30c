"""The fields that can be filtered by, and what may be compared with each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from pydantic import JsonValue

from evalbus.errors import Invalid, unknown
from evalbus.filters.expression import FieldPath, Operator, Value
from evalbus.filters.limits import TEXT_CHARACTERS_MAX


class FieldKind(Enum):
    """What a field's values are; the value is the word for a person."""

    TEXT = "text"
    TEXTS = "texts"
    MOMENT = "an ISO 8601 date or time"
    NUMBER = "a number"
    LABEL = "label"
    """`labels.<key>`: text under a key that the user chose."""
    SCORE = "score"
    """`scores.<metric>.<statistic>` or `scores.<metric>.<score>.<statistic>`: a number."""


ORDERED = frozenset({Operator.LT, Operator.LTE, Operator.GT, Operator.GTE})


@dataclass(frozen=True)
class Fields:
    """Name → kind, and the statistics that a score can be filtered by."""

    kinds: Mapping[str, FieldKind]
    statistics: frozenset[str] = frozenset()

    @property
    def known(self) -> list[str]:
        patterns = {
            FieldKind.LABEL: ".<key>",
            FieldKind.SCORE: ".<metric>.<statistic>",
        }
        return [name + patterns.get(kind, "") for name, kind in sorted(self.kinds.items())]

    def find(self, text: str) -> FieldPath:
        """Raises Invalid that lists the known fields."""
        name, _, rest = text.partition(".")
        kind = self.kinds.get(name)
        has_rest = kind in (FieldKind.LABEL, FieldKind.SCORE)
        if kind is None or has_rest != bool(rest):
            raise unknown("filter field", text, self.known)
        if kind is FieldKind.SCORE:
            metric, _, statistic = rest.rpartition(".")
            if statistic not in self.statistics:
                raise unknown("statistic", statistic, self.statistics, where=text)
            if not metric:
                raise unknown("filter field", text, self.known)
        return FieldPath(name=name, rest=rest)

    def kind(self, field: FieldPath) -> FieldKind:
        return self.kinds[field.name]

    def value(self, field: FieldPath, operator: Operator, given: JsonValue) -> Value:
        """The value in the field's own type; raises Invalid that names field, operator and what was wanted."""
        if given is None:
            if operator in (Operator.EQ, Operator.IN, Operator.NIN):
                return None
            raise _unfit(field, operator, "something to compare with", given)
        match self.kind(field):
            case FieldKind.NUMBER | FieldKind.SCORE:
                if operator is Operator.LIKE:
                    raise _unfit(field, operator, "another operator: it has numbers", given)
                if isinstance(given, bool) or not isinstance(given, int | float):
                    raise _unfit(field, operator, "a number", given)
                return _finite(field, operator, given)
            case FieldKind.MOMENT:
                if operator is Operator.LIKE:
                    raise _unfit(field, operator, "another operator: it has times", given)
                return _moment(field, operator, given)
            case FieldKind.TEXT | FieldKind.TEXTS | FieldKind.LABEL:
                if not isinstance(given, str):
                    raise _unfit(field, operator, "text", given)
                if len(given) > TEXT_CHARACTERS_MAX or "\x00" in given:
                    raise _unfit(field, operator, f"at most {TEXT_CHARACTERS_MAX} characters", "")
                return given


def _finite(field: FieldPath, operator: Operator, given: float) -> float:
    try:
        return float(given)
    except OverflowError:
        raise _unfit(field, operator, "a number that a double can hold", "") from None


def _moment(field: FieldPath, operator: Operator, given: JsonValue) -> datetime:
    """Without an offset it is UTC; with one, the offset counts."""
    if not isinstance(given, str):
        raise _unfit(field, operator, FieldKind.MOMENT.value, given)
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        raise _unfit(field, operator, FieldKind.MOMENT.value, given) from None
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError:
        raise _unfit(field, operator, "a time between the years 1 and 9999", given) from None


def _unfit(field: FieldPath, operator: Operator, wanted: str, found: JsonValue) -> Invalid:
    shown = str(found)[:100]
    return Invalid(
        f"{field} {operator}: wanted {wanted}, found {shown!r}",
        {"wanted": wanted, "found": shown},
    )
