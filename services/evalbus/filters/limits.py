"""How large a filter may be: what is beyond it is refused as soon as that is seen."""

from typing import Final

FILTER_CHARACTERS_MAX: Final = 65_536
"""Of a filter that is written as text."""
DEPTH_MAX: Final = 32
PARTS_MAX: Final = 1000
"""Logical operators and what they join."""
COMPARISONS_MAX: Final = 100
VALUES_MAX: Final = 1000
"""In all comparisons together."""
FIELD_CHARACTERS_MAX: Final = 255
TEXT_CHARACTERS_MAX: Final = 1000
"""Of a single value."""
