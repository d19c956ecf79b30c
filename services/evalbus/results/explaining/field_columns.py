"""The fields of items and samples as columns: what is kept of them while they pass, a few numbers for each text."""

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from pydantic import JsonValue

from evalbus.results.explaining.texts import NOTHING, TextFacts, facts_of, script_of

if TYPE_CHECKING:
    from evalbus.results.exact import Numbers

FIELDS_MAX: Final = 64
"""The first that appear; what an item has beyond them is not looked at."""
CATEGORIES_MAX: Final = 12
CATEGORY_CHARACTERS_MAX: Final = 64
LARGEST: Final = 1e300

NAN: Final = math.nan


class TextColumns:
    """Of the texts in one place of the rows: a column of each fact, NaN where there is no text."""

    def __init__(self) -> None:
        self._columns = [array("d") for _ in NOTHING]
        self.scripts: Counter[str] = Counter()
        self._seen: set[int] = set()
        self.repeated = 0

    def pad(self, n_rows: int) -> None:
        missing = n_rows - len(self._columns[0])
        for column in self._columns if missing > 0 else ():
            column.extend([NAN] * missing)

    def add(self, text: str) -> None:
        for column, fact in zip(self._columns, facts_of(text), strict=True):
            column.append(fact)
        self.scripts[script_of(text) or "none"] += 1
        # As a number: 20,000 texts may be long, and only whether one comes again matters.
        digest = hash(text)
        self.repeated += digest in self._seen
        self._seen.add(digest)

    @property
    def facts(self) -> "dict[str, Numbers]":
        """By the names of TextFacts."""
        import numpy as np

        columns = (np.frombuffer(column) for column in self._columns)
        return dict(zip(TextFacts._fields, columns, strict=True))


class FieldColumn:
    """One field of the items. Of few different short texts or truth values also which each row has."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.types: Counter[str] = Counter()
        self.n_empty = 0
        self.texts = TextColumns()
        self._numbers = array("d")
        self._sizes = array("d")
        self._presence = array("d")
        self._places = array("i")
        self._categories: dict[str | bool, int] | None = {}

    def add(self, value: JsonValue, row: int) -> None:
        """Of this row, which comes after those before."""
        self.pad(row)
        self.types[_type_of(value)] += 1
        self._presence.append(1.0)
        match value:
            case bool():
                self._note(value)
            case str():
                self.n_empty += not value.strip()
                self.texts.add(value)
                self._note(value)
            case int() | float():
                self._numbers.append(_number(value))
            case list() | dict():
                self.n_empty += not value
                self._sizes.append(float(len(value)))
            case None:
                pass
        self.pad(row + 1)

    def pad(self, n_rows: int) -> None:
        self.texts.pad(n_rows)
        for column in (self._numbers, self._sizes):
            column.extend([NAN] * (n_rows - len(column)))
        self._presence.extend([0.0] * (n_rows - len(self._presence)))
        self._places.extend([-1] * (n_rows - len(self._places)))

    @property
    def presence(self) -> "Numbers":
        """1 for the rows that have it."""
        import numpy as np

        return np.frombuffer(self._presence)

    @property
    def numbers(self) -> "Numbers":
        import numpy as np

        return np.frombuffer(self._numbers)

    @property
    def sizes(self) -> "Numbers":
        """Entries of lists and objects."""
        import numpy as np

        return np.frombuffer(self._sizes)

    @property
    def n_present(self) -> int:
        return self.types.total()

    @property
    def categories(self) -> "list[tuple[str | bool, Numbers]]":
        """Each value, and 1 for the rows that have it; none at all where there are too many, or but one."""
        import numpy as np

        if not self._categories or len(self._categories) < 2:
            return []
        places = np.frombuffer(self._places, dtype=np.int32)
        return [
            (value, (places == no).astype(np.float64)) for value, no in self._categories.items()
        ]

    def _note(self, value: str | bool) -> None:
        if self._categories is None:
            return
        is_known = value in self._categories
        if not is_known and (
            len(self._categories) == CATEGORIES_MAX
            or (isinstance(value, str) and len(value) > CATEGORY_CHARACTERS_MAX)
        ):
            self._categories = None
            return
        self._places.append(self._categories.setdefault(value, len(self._categories)))


class FieldColumns:
    """Every field by its path, in the order of their appearance."""

    def __init__(self) -> None:
        self._columns: dict[str, FieldColumn] = {}

    def __iter__(self) -> Iterator[FieldColumn]:
        return iter(self._columns.values())

    def add(self, fields: Iterable[tuple[str, JsonValue]], row: int) -> None:
        # Of two whose paths read alike the last.
        for name, value in dict(fields).items():
            if name not in self._columns and len(self._columns) < FIELDS_MAX:
                self._columns[name] = FieldColumn(name)
            if name in self._columns:
                self._columns[name].add(value, row)

    def finish(self, n_rows: int) -> None:
        """There are no more rows."""
        for column in self:
            column.pad(n_rows)


def _type_of(value: JsonValue) -> str:
    match value:
        case bool():
            return "boolean"
        case str():
            return "text"
        case int() | float():
            return "number"
        case list():
            return "list"
        case dict():
            return "object"
        case None:
            return "null"


def _number(value: float) -> float:
    """Kept within what can be squared and added up."""
    try:
        return min(max(float(value), -LARGEST), LARGEST)
    except OverflowError:
        return LARGEST if value > 0 else -LARGEST
