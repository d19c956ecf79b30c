"""Regular expressions in time proportional to the text, whatever the expression: those of the RE2 library.

RE2 knows no look-around and no back-references. `\\d`, `\\w`, `\\s` and `\\b` are ASCII; `\\p{L}` is any letter.
"""

from importlib import import_module
from typing import Final, Protocol, cast

from evalbus.characters import whole
from evalbus.errors import Invalid

DISTRIBUTION: Final = "google-re2"

_UNKNOWN_TO_RE2: Final = ("(?=", "(?!", "(?<=", "(?<!")


class Match(Protocol):
    """Where a pattern was found."""

    def group(self, group: int = 0, /) -> str | None: ...


class _Compiled(Protocol):
    @property
    def groups(self) -> int: ...

    def search(self, text: str, /) -> Match | None: ...

    def fullmatch(self, text: str, /) -> Match | None: ...


class _Options(Protocol):
    case_sensitive: bool
    log_errors: bool


class _Engine(Protocol):
    error: type[Exception]
    Options: type[_Options]

    def compile(self, pattern: str, options: _Options, /) -> _Compiled: ...


class Pattern:
    """A regular expression, compiled; raises Invalid with the engine's words for one that RE2 does not know."""

    def __init__(self, text: str, *, ignore_case: bool = False) -> None:
        # Of the server's install, which describing a metric does without; it has no types.
        engine = cast("_Engine", import_module("re2"))
        options = engine.Options()
        options.case_sensitive = not ignore_case
        options.log_errors = False  # they are raised, standard error is not for them
        try:
            self._compiled = engine.compile(whole(text), options)
        except engine.error as error:
            raise Invalid(_refusal(text, error), {"found": text}) from None
        self.groups: int = self._compiled.groups

    def search(self, text: str) -> Match | None:
        """Its first match anywhere in the text."""
        return self._compiled.search(whole(text))

    def fullmatch(self, text: str) -> Match | None:
        """Its match with the whole text."""
        return self._compiled.fullmatch(whole(text))


def _refusal(text: str, error: Exception) -> str:
    said = error.args[0] if error.args else "it cannot be compiled"
    words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    hint = (
        "; look-around is not known to RE2, whose time does not grow out of bounds"
        if any(mark in text for mark in _UNKNOWN_TO_RE2)
        else ""
    )
    return f"not a regular expression of RE2: {words}{hint}"
