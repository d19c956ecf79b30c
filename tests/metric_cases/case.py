"""A metric with rows, and what it gives for them."""

from dataclasses import dataclass, field
from typing import Any

OUTPUT = "{{ sample.output_text }}"
REFERENCE = "{{ item.reference }}"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A metric with parameters that need `item.reference`, and (reference, answer) pairs with their scores."""

    type: str
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    scored: tuple[tuple[object, str, tuple[float, ...]], ...]
    unscored: tuple[tuple[object, str, str], ...]
    """Pairs that cannot be scored, with the reason."""
