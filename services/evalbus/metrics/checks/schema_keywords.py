"""The keywords of JSON Schema that we judge ourselves: those with patterns, which take linear time, and exact multiples."""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from math import isinf
from typing import Any, Final, Protocol, cast

from evalbus.metrics.patterns import Pattern

PATTERNED: Final = "patternProperties"

Keyword = Callable[[Any, Any, Any, Any], Iterator[Exception]]
"""From a validator, the keyword's value, what is looked at and the schema around it, to what is wrong with it."""


class _Descending(Protocol):
    """What a keyword needs of its validator, whose stubs leave it untyped."""

    def descend(
        self, instance: object, schema: object, path: str, schema_path: str | None = None
    ) -> Iterator[Exception]: ...


class Keywords:
    """With its patterns compiled, each once; every pattern of a schema has to be added before it is used."""

    def __init__(self) -> None:
        self._patterns: dict[str, Pattern] = {}

    def add_patterns(self, schema: Mapping[str, object]) -> None:
        """Those of one object of a schema; raises Invalid."""
        own = schema.get("pattern")
        of_names = schema.get(PATTERNED)
        texts = [own] if isinstance(own, str) else []
        if isinstance(of_names, dict):
            texts += cast("dict[str, object]", of_names)
        for text in texts:
            if text not in self._patterns:
                self._patterns[text] = Pattern(text)

    def by_name(self) -> dict[str, Keyword]:
        return {
            "pattern": self._pattern,
            PATTERNED: self._pattern_properties,
            "additionalProperties": self._additional_properties,
            "multipleOf": _multiple_of,
        }

    def _pattern(
        self, _validator: object, pattern: str, instance: object, _schema: object
    ) -> Iterator[Exception]:
        if isinstance(instance, str) and not self._patterns[pattern].search(instance):
            yield _error(f"{instance!r} does not match {pattern!r}")

    def _pattern_properties(
        self,
        validator: _Descending,
        schemas: Mapping[str, object],
        instance: object,
        _schema: object,
    ) -> Iterator[Exception]:
        if not isinstance(instance, dict):
            return
        for pattern, wanted in schemas.items():
            for name, value in cast("dict[str, object]", instance).items():
                if self._patterns[pattern].search(name):
                    yield from validator.descend(value, wanted, path=name, schema_path=pattern)

    def _additional_properties(
        self,
        validator: _Descending,
        wanted: object,
        instance: object,
        schema: Mapping[str, Mapping[str, object]],
    ) -> Iterator[Exception]:
        if not isinstance(instance, dict):
            return
        named = schema.get("properties", {})
        patterns = [self._patterns[text] for text in schema.get(PATTERNED, {})]
        others = {
            name: value
            for name, value in cast("dict[str, object]", instance).items()
            if name not in named and not any(pattern.search(name) for pattern in patterns)
        }
        if wanted is False and others:
            yield _error(f"no property {', '.join(map(repr, others))} is allowed")
        elif isinstance(wanted, dict):
            for name, value in others.items():
                yield from validator.descend(value, cast("object", wanted), path=name)


def _multiple_of(
    _validator: object, divisor: float, instance: object, _schema: object
) -> Iterator[Exception]:
    # As the numbers are written: 0.3 is a multiple of 0.1, though no quotient of doubles says so.
    if isinstance(instance, bool) or not isinstance(instance, int | float):
        return
    is_infinite = isinstance(instance, float) and isinf(instance)
    if is_infinite or (Fraction(str(instance)) / Fraction(str(divisor))).denominator != 1:
        yield _error(f"{instance!r} is not a multiple of {divisor!r}")


def _error(message: str) -> Exception:
    # Of the server's install, which describing a metric does without.
    from jsonschema import ValidationError

    return ValidationError(message)
