"""What a judge makes of one answer: a value, perhaps with a label; or that it cannot be told what it meant."""

from dataclasses import dataclass

BEGINNING_CHARACTERS = 120
RATIONALE_CHARACTERS_MAX = 8192


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


def cut(text: str, characters_max: int = BEGINNING_CHARACTERS) -> str:
    """The text, or so much of its beginning with an ellipsis behind it."""
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"


def rationale_of(judges: tuple[str, ...], said: list[str]) -> str:
    """What the judges said, word for word; of several each under its name, and each with the same room."""
    if len(judges) == 1:
        return cut(said[0], RATIONALE_CHARACTERS_MAX)
    room = RATIONALE_CHARACTERS_MAX // len(judges)
    parts = (f"{judge}: {text}" for judge, text in zip(judges, said, strict=True))
    return "\n\n".join(cut(part, room - 2) for part in parts)
