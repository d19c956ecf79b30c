"""Adding up what rows count for scores of the whole: integers, so that every order gives the same."""

from collections import Counter
from collections.abc import Mapping, Sequence

from evalbus_schemas.scores import Counts

NAMES_MAX = 1_000_000
"""What is counted under so many names is no measure of the whole any more, and its sum would outgrow the service."""


class Sum:
    """Over rows, each of which may have been answered repeatedly."""

    def __init__(self, *, names_max: int = NAMES_MAX) -> None:
        self.count = 0
        self._names_max = names_max
        """Rows that take part with at least one of their repeats."""
        self._places: list[int] | None = None
        self._names: Counter[str] | None = None

    def add_row(self, repeats: Sequence[Sequence[int] | Mapping[str, int] | None]) -> None:
        """None for a repeat that does not take part.

        Raises TypeError if rows count in different ways, or under too many names.
        """
        counts = [of_repeat for of_repeat in repeats if of_repeat is not None]
        for one in counts:
            self._add(one)
        self.count += bool(counts)

    @property
    def total(self) -> Counts | None:
        """None when no row takes part; names in their own order, which no order of rows can be seen in."""
        if self._names is not None:
            return dict(sorted(self._names.items()))
        return None if self._places is None else tuple(self._places)

    def _add(self, counts: Sequence[int] | Mapping[str, int]) -> None:
        if isinstance(counts, Mapping):
            if self._places is not None:
                raise TypeError("some rows count by name and others by place")
            self._names = Counter() if self._names is None else self._names
            self._names.update(counts)
            if len(self._names) > self._names_max:
                raise TypeError(f"rows count under more than {self._names_max} names")
        elif self._places is None and self._names is None:
            self._places = list(counts)
        elif self._places is not None and len(self._places) == len(counts):
            self._places = [had + more for had, more in zip(self._places, counts, strict=True)]
        else:
            raise TypeError("rows do not count the same things")
