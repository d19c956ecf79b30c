"""The fields of items and samples as columns: what is kept of them while they pass, a few numbers for each text."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from pydantic import JsonValue

from evalbus.results.explaining.texts import TextFacts, facts_of, script_of

if TYPE_CHECKING:
    from evalbus.results.exact import Numbers

FIELDS_MAX: Final = 32
"""The first that appear; what an item has beyond them is not looked at."""
CATEGORIES_MAX: Final = 12
CATEGORY_CHARACTERS_MAX: Final = 64
LARGEST: Final = 1e300


class Scattered:
    """Numbers of some of the rows, as many of each: what most rows lack costs little."""

    def __init__(self, width: int = 1) -> None:
        self._width = width
        self._rows = array("q")
        self._values = array("d")

    def add(self, row: int, values: Iterable[float]) -> None:
        self._rows.append(row)
        self._values.extend(values)

    def columns(self, n_rows: int) -> "list[Numbers]":
        """Over all rows, NaN for those that have none."""
        import numpy as np

        whole = np.full((self._width, n_rows), np.nan)
        whole[:, np.frombuffer(self._rows, dtype=np.int64)] = (
            np.frombuffer(self._values).reshape(-1, self._width).T
        )
        return list(whole)


class TextColumns:
    """Of the texts in one place of the rows: a column of each fact, NaN where there is no text."""

    def __init__(self) -> None:
        self._facts = Scattered(len(TextFacts._fields))
        self.scripts: Counter[str] = Counter()
        self._seen: set[int] = set()
        self.repeated = 0

    def add(self, text: str, row: int) -> None:
        self._facts.add(row, facts_of(text))
        self.scripts[script_of(text) or "none"] += 1
        # As a number: 20,000 texts may be long, and only whether one comes again matters.
        digest = hash(text)
        self.repeated += digest in self._seen
        self._seen.add(digest)

    def facts(self, n_rows: int) -> "dict[str, Numbers]":
        """By the names of TextFacts."""
        return dict(zip(TextFacts._fields, self._facts.columns(n_rows), strict=True))


class FieldColumn:
    """One field of the items. Of few different short texts or truth values also which each row has."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.types: Counter[str] = Counter()
        self.n_empty = 0
        self.texts = TextColumns()
        self._numbers = Scattered()
        self._sizes = Scattered()
        self._presence = Scattered()
        self._places = Scattered()
        self._categories: dict[str | bool, int] | None = {}

    def add(self, value: JsonValue, row: int) -> None:
        """Of this row, which comes after those before."""
        self.types[_type_of(value)] += 1
        self._presence.add(row, (1.0,))
        match value:
            case bool():
                self._note(value, row)
            case str():
                self.n_empty += not value or value.isspace()
                self.texts.add(value, row)
                self._note(value, row)
            case int() | float():
                self._numbers.add(row, (_number(value),))
            case list() | dict():
                self.n_empty += not value
                self._sizes.add(row, (float(len(value)),))
            case None:
                pass

    def is_missing(self, n_rows: int) -> "Numbers":
        """1 for the rows that lack it."""
        import numpy as np

        found: Numbers = np.isnan(self._presence.columns(n_rows)[0]).astype(np.float64)
        return found

    def numbers(self, n_rows: int) -> "Numbers":
        return self._numbers.columns(n_rows)[0]

    def sizes(self, n_rows: int) -> "Numbers":
        """Entries of lists and objects."""
        return self._sizes.columns(n_rows)[0]

    @property
    def n_present(self) -> int:
        return self.types.total()

    @property
    def is_categorical(self) -> bool:
        """Whether it has two or a few more different values."""
        return self._categories is not None and len(self._categories) > 1

    def categories(self, n_rows: int) -> "list[tuple[str | bool, Numbers]]":
        """Each value, and 1 for the rows that have it; none at all where there are too many, or but one."""
        import numpy as np

        if self._categories is None or not self.is_categorical:
            return []
        places = self._places.columns(n_rows)[0]
        return [
            (value, (places == no).astype(np.float64)) for value, no in self._categories.items()
        ]

    def _note(self, value: str | bool, row: int) -> None:
        if self._categories is None:
            return
        is_known = value in self._categories
        if not is_known and (
            len(self._categories) == CATEGORIES_MAX
            or (isinstance(value, str) and len(value) > CATEGORY_CHARACTERS_MAX)
        ):
            self._categories = None
            return
        self._places.add(row, (self._categories.setdefault(value, len(self._categories)),))


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
