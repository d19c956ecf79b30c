"""Where in an answer a value stands: `$.scores[0]['f 1']`, the singular queries of RFC 9535 (section 2.3.5.1).

Names and indexes alone, so that a path finds one value or none, and can do nothing else. Names in brackets have no
escapes; as in many programs, names after a dot may have hyphens, and `score` is `$.score`.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, JsonValue

CHARACTERS_MAX: Final = 1024

_FIRST: Final = r"A-Za-z_\u0080-\U0010ffff"
_STEP: Final = re.compile(
    rf"\.(?P<name>[{_FIRST}][0-9{_FIRST}-]*)"
    r"|\['(?P<single>[^'\\]*)'\]"
    r'|\["(?P<double>[^"\\]*)"\]'
    r"|\[(?P<index>0|-?[1-9][0-9]{0,8})\]"
)


@dataclass(frozen=True, kw_only=True)
class JsonPath:
    """Steps from an answer to a value in it."""

    text: str
    steps: tuple[str | int, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError, with the place of what is no step."""
        whole = text if text.startswith("$") else f"$.{text}"
        steps: list[str | int] = []
        place = 1
        while place < len(whole):
            match = _STEP.match(whole, place)
            if match is None:
                raise ValueError(
                    f"not a path: after {whole[:place]!r} wanted .name, ['name'] or [0], found {whole[place:]!r}"
                )
            place = match.end()
            index = match["index"]
            names = (match["name"], match["single"], match["double"])
            steps += [next(n for n in names if n is not None) if index is None else int(index)]
        return cls(text=whole, steps=tuple(steps))

    def find(self, answer: JsonValue) -> JsonValue:
        """The value there, or None; an index below 0 counts from the end."""
        found = answer
        for step in self.steps:
            match found:
                case dict() if isinstance(step, str):
                    found = found.get(step)
                case list() if isinstance(step, int) and -len(found) <= step < len(found):
                    found = found[step]
                case _:
                    return None
        return found


def _into_an_object(text: str) -> str:
    path = JsonPath.parse(text)
    if not path.steps or isinstance(path.steps[0], int):
        raise ValueError(f"{text!r} leads to no value: answers are objects, as in $.score")
    return text


JsonPathText = Annotated[
    str,
    Field(
        max_length=CHARACTERS_MAX,
        description="Names and indexes from the answer to a number, true or false.",
        examples=["$.result.score", "$.scores[0]['f 1']"],
    ),
    AfterValidator(_into_an_object),
]
