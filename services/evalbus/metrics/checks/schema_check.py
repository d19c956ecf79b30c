"""A JSON Schema made ready: checked beforehand, without a network, and with patterns that take linear time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from pydantic import JsonValue

from evalbus.errors import Invalid
from evalbus.metrics.checks.schema_keywords import PATTERNED, Keywords
from evalbus_schemas.base import JsonObject

if TYPE_CHECKING:
    from jsonschema import FormatChecker, SchemaError, ValidationError
    from referencing import Registry, Resource
    from referencing._core import Resolver

DISTRIBUTIONS: Final = ("google-re2", "jsonschema")
PROBLEMS_MAX = 5
SHOWN_CHARACTERS_MAX = 200

_DEFAULT_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_UNEVALUATED: Final = "unevaluatedProperties"
_ONE_OF_EACH: Final[tuple[JsonValue, ...]] = (None, True, 0, "", [], {})


class _Validator(Protocol):
    def iter_errors(self, instance: JsonValue, /) -> Iterator["ValidationError"]: ...


class _Draft(Protocol):
    """The library's class for one draft, of which its stubs say less."""

    META_SCHEMA: Mapping[str, str]

    def __call__(self, schema: JsonObject, *, registry: "Registry[Any]") -> _Validator: ...

    def check_schema(self, schema: JsonObject, *, format_checker: "FormatChecker") -> None: ...


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Where a value breaks its schema, as a JSON path, and how."""

    path: str
    message: str


class TooDeep(ValueError):
    """A value and a schema that lead each other deeper than can be followed."""


class SchemaCheck:
    """What a schema says of values; references are looked up in it and among the published drafts, never fetched.

    Raises Invalid for what is no schema of a known draft, for a reference that leads nowhere or round in a circle, for
    a pattern that RE2 does not know, and for patterns of names beside `unevaluatedProperties`, which the library reads
    with an engine that hostile names could stop.
    """

    def __init__(self, schema: JsonObject) -> None:
        try:
            kind = _checked_dialect(schema)
            keywords = _Reader(kind).keywords_of(schema)
            self._validator = _extended(kind, keywords)(schema, registry=_published())
            for value in _ONE_OF_EACH:
                self.problems(value)
        except (RecursionError, TooDeep):
            raise Invalid("schema: it leads round in a circle, or is nested too deeply") from None

    def problems(self, value: JsonValue) -> list[Problem]:
        """The first PROBLEMS_MAX, in the order of the schema; none for a value that it allows. Raises TooDeep."""
        try:
            return [
                _problem(each) for each in islice(self._validator.iter_errors(value), PROBLEMS_MAX)
            ]
        except RecursionError:
            raise TooDeep("nested too deeply for its schema") from None


# What follows is of the server's install, which describing a metric does without; hence the imports in functions.


def _checked_dialect(schema: JsonObject) -> "_Draft":
    """The validators of the draft that a schema is written in, by which it is one; raises Invalid."""
    from jsonschema import FormatChecker, SchemaError

    known = {_dialect(kind): kind for kind in _drafts()}
    dialect = schema.get("$schema", _DEFAULT_DIALECT)
    kind = known.get(dialect.rstrip("#")) if isinstance(dialect, str) else None
    if kind is None:
        raise Invalid(f"schema: $schema {dialect!r} is unknown (known: {', '.join(known)})")
    try:
        # Without formats: whether a pattern is one is for our engine to say, not for Python's.
        kind.check_schema(schema, format_checker=FormatChecker(()))
    except SchemaError as error:
        problem = _problem(error)
        raise Invalid(f"schema: {problem.path}: {problem.message}") from None
    return kind


def _drafts() -> "tuple[_Draft, ...]":
    from jsonschema import validators

    drafts = (
        validators.Draft202012Validator,
        validators.Draft201909Validator,
        validators.Draft7Validator,
        validators.Draft6Validator,
        validators.Draft4Validator,
    )
    return cast("tuple[_Draft, ...]", drafts)


def _dialect(kind: "_Draft") -> str:
    return kind.META_SCHEMA["$schema"].rstrip("#")


def _published() -> "Registry[Any]":
    """The drafts themselves, by their addresses; the package that has them is without types."""
    return cast("Registry[Any]", import_module("jsonschema_specifications").REGISTRY)


def _extended(kind: "_Draft", keywords: Keywords) -> "_Draft":
    # Its stub has no types.
    extend = cast("Callable[..., _Draft]", import_module("jsonschema.validators").extend)
    return extend(kind, validators=keywords.by_name())


class _Reader:
    """Walks through every part of a schema that a value may be held against, those behind references too."""

    def __init__(self, kind: "_Draft") -> None:
        from referencing.jsonschema import specification_with

        self._specification = specification_with(_dialect(kind))
        self._keywords = Keywords()
        self._seen: set[int] = set()
        self._names: set[str] = set()

    def keywords_of(self, schema: JsonObject) -> Keywords:
        """With all the patterns of the schema; raises Invalid for what cannot be followed or judged."""
        resource = self._specification.create_resource(schema)
        self._read(resource, _published().resolver_with_root(resource))
        if {PATTERNED, _UNEVALUATED} <= self._names:
            raise Invalid(f"schema: {PATTERNED} and {_UNEVALUATED} in one schema are not supported")
        return self._keywords

    def _read(self, resource: "Resource[Any]", outer: "Resolver[Any]") -> None:
        contents = cast("object", resource.contents)
        if not isinstance(contents, dict):
            return
        schema = cast("dict[str, object]", contents)
        if id(schema) in self._seen:
            return
        self._seen.add(id(schema))
        self._names |= schema.keys() & {PATTERNED, _UNEVALUATED}
        self._keywords.add_patterns(schema)
        resolver = outer.in_subresource(resource)
        for keyword in _REFERENCES:
            if isinstance(reference := schema.get(keyword), str):
                self._follow(keyword, reference, resolver)
        for part in resource.subresources():
            self._read(part, resolver)

    def _follow(self, keyword: str, reference: str, resolver: "Resolver[Any]") -> None:
        from referencing.exceptions import Unresolvable

        try:
            found = resolver.lookup(reference)
        except Unresolvable:
            raise Invalid(
                f"schema: {keyword} {reference!r} leads nowhere in it; nothing is fetched"
            ) from None
        self._read(self._specification.create_resource(found.contents), found.resolver)


def _problem(error: "ValidationError | SchemaError") -> Problem:
    return Problem(path=_shown(error.json_path), message=_shown(error.message))


def _shown(text: str) -> str:
    """At most SHOWN_CHARACTERS_MAX, in characters that every reader bears: names come from answers."""
    shown = "".join(
        each if each.isprintable() else repr(each)[1:-1] for each in text[:SHOWN_CHARACTERS_MAX]
    )
    return shown + "…" if len(text) > SHOWN_CHARACTERS_MAX else shown
