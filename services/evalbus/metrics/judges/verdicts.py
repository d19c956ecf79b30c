"""What a judge makes of one answer: a value, perhaps with a label; or that it cannot be told what it meant."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from evalbus.characters import cut, whole
from evalbus.metrics.base import RATIONALE_CHARACTERS_MAX

BEGINNING_CHARACTERS = 120
BETWEEN: Final = "\n\n"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    value: float
    label: str | None = None


class Unclear(ValueError):
    """A judge said nothing that is a verdict; `code` is one word for counting."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def beginning(text: str) -> str:
    """Enough of what a judge said to find it again."""
    return cut(text, BEGINNING_CHARACTERS)


def rationale_of(
    judges: Sequence[str], said: Sequence[str], *, characters_max: int = RATIONALE_CHARACTERS_MAX
) -> str:
    """What the judges said, word for word; of several each under its name, and each with the same room."""
    if len(judges) == 1:
        return whole(cut(said[0], characters_max))
    room = characters_max // len(judges)
    parts = (f"{judge}: {text}" for judge, text in zip(judges, said, strict=True))
    return whole(BETWEEN.join(cut(part, room - len(BETWEEN)) for part in parts))
