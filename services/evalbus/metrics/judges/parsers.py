"""Where in a judge's words the value of one score stands: at a place of its JSON, or where a pattern matches."""

from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, JsonValue, field_validator

from evalbus.errors import Invalid
from evalbus.metrics.base import UNPARSABLE
from evalbus.metrics.json_path import CHARACTERS_MAX, JsonPath
from evalbus.metrics.judges.said_json import json_in
from evalbus.metrics.judges.verdicts import Unclear
from evalbus.metrics.patterns import Pattern
from evalbus_schemas.base import Closed


class Said:
    """What a judge said; its JSON is looked for once, however many scores are read from it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def value_at(self, path: JsonPath) -> JsonValue:
        """Raises Unclear if there is no JSON, or nothing but null at that place."""
        if isinstance(self._document, Unclear):
            raise self._document
        found = path.find(self._document)
        if found is None:
            raise Unclear(UNPARSABLE, f"its JSON has nothing at {path.text}")
        return found

    @cached_property
    def _document(self) -> JsonValue | Unclear:
        try:
            return json_in(self.text)
        except Unclear as problem:
            return problem


Reader = Callable[[Said], JsonValue]
"""Gives what the judge said about one score, not yet understood; raises Unclear if it said nothing."""


class JsonParser(Closed):
    """The value stands in JSON, which may be the whole answer or an object in the middle of it."""

    type: Literal["json"]
    json_path: Annotated[
        Annotated[
            str,
            Field(min_length=1, max_length=CHARACTERS_MAX, examples=["score", "$.scores[0].value"]),
        ]
        | None,
        Field(description="Where it stands; by default under the score's name."),
    ] = None

    @field_validator("json_path")
    @classmethod
    def _is_a_path(cls, text: str | None) -> str | None:
        if text is not None:
            JsonPath.parse(text)
        return text

    def path(self, score: str) -> JsonPath:
        if self.json_path is None:
            return JsonPath(text=f"$.{score}", steps=(score,))
        return JsonPath.parse(self.json_path)

    def reader(self, score: str) -> Reader:
        path = self.path(score)
        return lambda said: said.value_at(path)


class RegexParser(Closed):
    """The value is the first group of a pattern (RE2: time in proportion to the text, no look-around)."""

    type: Literal["regex"]
    pattern: Annotated[
        str, Field(min_length=1, max_length=4096, examples=[r"(?i)score:\s*([0-9.]+)"])
    ]
    method: Annotated[
        Literal["match", "search"],
        Field(description="match: at the beginning of the answer; search: the first anywhere."),
    ] = "search"

    def reader(self, score: str) -> Reader:
        """Raises Invalid for what is no pattern, or has no group."""
        pattern = self._compiled(score)

        def read(said: Said) -> JsonValue:
            found = pattern.search(said.text)
            value = None if found is None else found.group(1)
            if value is None:
                raise Unclear(UNPARSABLE, f"{self.pattern[:80]!r} matches nothing in it")
            return value

        return read

    def _compiled(self, score: str) -> Pattern:
        where = f"score {score!r}, pattern"
        try:
            pattern = Pattern(self.pattern)
            if self.method == "match":
                pattern = Pattern(rf"\A(?:{self.pattern})")
        except Invalid as error:
            raise Invalid(f"{where}: {error.message}", error.data) from None
        if pattern.groups < 1:
            raise Invalid(f"{where}: wanted parentheses around the value")
        return pattern


Parser = Annotated[JsonParser | RegexParser, Field(discriminator="type")]
