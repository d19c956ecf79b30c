"""A column of numbers, and the part of it that two columns have in common."""

from functools import cached_property
from typing import TYPE_CHECKING, Final

from evalbus.results.explaining.ranks import Usual, centred, ranks, usual_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evalbus.results.exact import Numbers

    Chosen = NDArray[np.bool_]

PARTS_KEPT: Final = 2
"""Of each column: nearly all others have something to say of the same rows."""


class Part:
    """Some rows of a column, each with a number."""

    def __init__(self, values: "Numbers", *, is_group: bool) -> None:
        self.values = values
        self._is_group = is_group

    @cached_property
    def centred(self) -> "Numbers | None":
        """Its ranks, ready to be correlated; None if it never varies. Of two values ranks say no more than these."""
        return centred(self.values if self._is_group else ranks(self.values))

    @cached_property
    def usual(self) -> Usual:
        return usual_of(self.values)


class Column:
    """Numbers of rows, NaN where one has none; those of a group are 0 and 1."""

    def __init__(self, values: "Numbers", *, is_group: bool = False) -> None:
        import numpy as np

        self.values = values
        self.is_told: Chosen = np.isfinite(values)
        self._is_group = is_group
        self._kept: dict[bytes, Part] = {}

    def part(self, where: "Chosen") -> Part:
        """Of these rows, all of which have a number."""
        key = where.tobytes()
        if key not in self._kept:
            if len(self._kept) == PARTS_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = Part(self.values[where], is_group=self._is_group)
        return self._kept[key]
