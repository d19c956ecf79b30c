"""How large a filter may be: beyond this it is refused before anything is built from it."""

from typing import Final

DEPTH_MAX: Final = 16
COMPARISONS_MAX: Final = 100
VALUES_MAX: Final = 1000
TEXT_CHARACTERS_MAX: Final = 1000
FILTER_CHARACTERS_MAX: Final = 65_536
