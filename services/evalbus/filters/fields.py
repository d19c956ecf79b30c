"""The fields that can be filtered by."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum

from evalbus.errors import Invalid, unknown
from evalbus.filters.expression import FieldPath
from evalbus.filters.limits import FIELD_CHARACTERS_MAX
from evalbus.filters.showing import is_storable, sendable


class FieldKind(Enum):
    """What the values of a field are."""

    TEXT = "text"
    TEXTS = "any number of texts"
    MOMENT = "a moment"
    NUMBER = "a number"
    LABEL = "the text under a key that the user chose"
    SCORE = "a statistic of a score, one number for each (dataset, model)"
    ITEM = "whatever JSON stands at a path of the item"


TAILS = {
    FieldKind.LABEL: ".<key>",
    FieldKind.SCORE: ".<metric>[.<score>].<statistic>",
    FieldKind.ITEM: ".<field>",
}
"""What must follow the first dot of such a field; the others have no dot."""

NUMBERS = frozenset({FieldKind.NUMBER, FieldKind.SCORE})


@dataclass(frozen=True, kw_only=True)
class Fields:
    """Name → kind, and the statistics that a score can be filtered by."""

    kinds: Mapping[str, FieldKind]
    statistics: frozenset[str] = frozenset()
    otherwise: str | None = None
    """The field in which everything is looked for that begins with the name of none; without it, that is refused."""

    @property
    def known(self) -> list[str]:
        return [name + TAILS.get(kind, "") for name, kind in sorted(self.kinds.items())]

    def kind(self, field: FieldPath) -> FieldKind:
        return self.kinds[field.name]

    def find(self, text: str) -> FieldPath:
        """Raises Invalid that lists what is known, and says what was probably meant."""
        name, dot, rest = text.partition(".")
        if self.otherwise is not None and (name not in self.kinds or not rest):
            name, rest = self.otherwise, text
        kind = self.kinds.get(name)
        if kind is None or len(text) > FIELD_CHARACTERS_MAX:
            raise self._unknown(text)
        if kind not in TAILS:
            if dot:
                raise self._unknown(text)
            return FieldPath(name=name)
        if not rest or not is_storable(rest):
            raise self._unknown(text)
        if kind is FieldKind.SCORE:
            self._check_score(text, rest)
        return FieldPath(name=name, rest=rest)

    def _check_score(self, text: str, rest: str) -> None:
        metric, _, statistic = rest.rpartition(".")
        if statistic not in self.statistics:
            raise unknown("statistic", sendable(statistic), self.statistics, where=sendable(text))
        if not metric:
            raise self._unknown(text)

    def _unknown(self, text: str) -> Invalid:
        """The guess is about what stands before the first dot: what follows it is the user's own."""
        found = sendable(text)
        head, _, rest = found.partition(".")
        near = get_close_matches(head, self.kinds, n=1)
        guess = ""
        if near:
            tail = TAILS.get(self.kinds[near[0]], "")
            meant = near[0] + (f".{rest}" if tail and rest else tail)
            guess = f"; did you mean {meant!r}?" if meant != found else ""
        return Invalid(
            f"unknown filter field {found!r}{guess} (known: {', '.join(self.known)})",
            {"wanted": "filter field", "found": found, "known": list(self.known)},
        )
