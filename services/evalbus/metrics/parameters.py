"""The parameters of a metric in words, as the JSON Schema of their model has them; nested models too."""

from collections.abc import Iterator
from typing import Final, cast

import orjson
from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter

from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import Template

_TEMPLATE: Final = TypeAdapter[str](Template).json_schema()
_TEMPLATE_MARKS: Final = ("type", "maxLength", "examples")

TEMPLATE: Final[str] = _TEMPLATE["description"]
"""What a template is, in a sentence."""

_PLAIN: Final = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}
_BOUNDS: Final = (
    ("minimum", "at least {}"),
    ("exclusiveMinimum", "above {}"),
    ("maximum", "at most {}"),
    ("exclusiveMaximum", "below {}"),
    ("maxLength", "at most {} characters"),
    ("pattern", "matching {}"),
)


class ParameterExplanation(BaseModel):
    """What may be written under one name."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: str
    """In words, with its bounds."""
    is_required: bool
    default: JsonValue = None
    description: str = ""
    """Empty where there is nothing to say but the type."""
    forms: tuple["ParameterForm", ...] = ()
    """The kinds of object that its type speaks of."""


class ParameterForm(BaseModel):
    """A kind of object with fields of its own; one that was spelled out further above has none."""

    model_config = ConfigDict(frozen=True)

    name: str
    parameters: tuple[ParameterExplanation, ...]


def parameters_of(model: type[BaseModel]) -> tuple[ParameterExplanation, ...]:
    """In the order of the model, by the names that a benchmark file has for them."""
    schema = model.model_json_schema()
    return _Schema(cast(JsonObject, schema.get("$defs", {}))).fields(schema, frozenset())


class _Schema:
    """A JSON Schema as pydantic writes them, with its definitions at hand."""

    def __init__(self, definitions: JsonObject) -> None:
        self._definitions = definitions

    def fields(
        self, schema: JsonObject, spelled_out: frozenset[str]
    ) -> tuple[ParameterExplanation, ...]:
        """The properties of an object; `spelled_out` are the objects that it lies in."""
        required = cast("list[str]", schema.get("required", []))
        return tuple(
            ParameterExplanation(
                name=name,
                type=self.words(each),
                is_required=name in required,
                default=each.get("default"),
                description=_described(each),
                forms=tuple(
                    ParameterForm(
                        name=_title(form),
                        parameters=()
                        if _title(form) in spelled_out
                        else self.fields(form, spelled_out | {_title(form)}),
                    )
                    for form in self._forms(each)
                ),
            )
            for name, each in cast("dict[str, JsonObject]", schema.get("properties", {})).items()
        )

    def words(self, schema: JsonObject) -> str:
        """The type and its bounds."""
        if "$ref" in schema:
            return self.words(self._resolved(schema))
        if _is_template(schema):
            return "template"
        bounds = [
            words.format(_bound(schema[key]))
            for key, words in _BOUNDS
            if schema.get(key) is not None
        ]
        return ", ".join([self._type(schema), *bounds])

    def _type(self, schema: JsonObject) -> str:
        if "const" in schema:
            return _written(schema["const"])
        if "enum" in schema:
            return f"one of {', '.join(map(_written, cast('list[JsonValue]', schema['enum'])))}"
        if options := _options(schema):
            # That it may be left out says enough of null.
            is_optional = schema.get("default", ...) is None
            words = dict.fromkeys(
                self.words(option)
                for option in options
                if not (is_optional and option.get("type") == "null")
            )
            return " or ".join(words)
        match schema.get("type"):
            case "array":
                return self._list(schema)
            case "object" if "properties" in schema:
                return _title(schema)
            case "object" if isinstance(inner := schema.get("additionalProperties"), dict):
                of = self.words(inner)
                return "object" if of == "anything" else f"object of {of}"
            case "object":
                return "object"
            case str() as plain:
                return _PLAIN[plain]
            case _:
                return "anything"

    def _list(self, schema: JsonObject) -> str:
        if isinstance(places := schema.get("prefixItems"), list):
            return f"list of {', '.join(self.words(cast(JsonObject, each)) for each in places)}"
        items = schema.get("items")
        of = self.words(items) if isinstance(items, dict) and items else "anything"
        if " or " in of or ", " in of:
            of = f"({of})"
        least, most = schema.get("minItems"), schema.get("maxItems")
        match least, most:
            case None, None:
                return f"list of {of}"
            case _, None:
                return f"list of {of}, at least {least}"
            case _ if least == most:
                return f"list of {of}, {most} of them"
            case _:
                return f"list of {of}, {least or 0} to {most}"

    def _forms(self, schema: JsonObject) -> Iterator[JsonObject]:
        """The objects with fields that a type names, itself not looked into."""
        if "$ref" in schema:
            yield from self._forms(self._resolved(schema))
        elif "properties" in schema:
            yield schema
        else:
            inner = [*_options(schema), schema.get("items"), schema.get("additionalProperties")]
            for each in inner:
                if isinstance(each, dict):
                    yield from self._forms(each)

    def _resolved(self, schema: JsonObject) -> JsonObject:
        name = cast(str, schema["$ref"]).rpartition("/")[2]
        return cast(JsonObject, self._definitions[name])


def _options(schema: JsonObject) -> "list[JsonObject]":
    return cast("list[JsonObject]", schema.get("anyOf") or schema.get("oneOf") or [])


def _is_template(schema: JsonObject) -> bool:
    return all(schema.get(mark) == _TEMPLATE[mark] for mark in _TEMPLATE_MARKS)


def _described(schema: JsonObject) -> str:
    """What is said of this parameter, beyond what is said of all of its type."""
    # With null as its other choice, what is said stands in the first.
    found = (cast(str, each.get("description", "")) for each in (schema, *_options(schema)))
    return next((text for text in found if text not in ("", TEMPLATE)), "")


def _title(schema: JsonObject) -> str:
    return cast(str, schema.get("title", "object"))


def _bound(value: JsonValue) -> str:
    match value:
        case int() | float() if value == int(value):
            return f"{int(value):,}"
        case _:
            return str(value)


def _written(value: JsonValue) -> str:
    return value if isinstance(value, str) and value else orjson.dumps(value).decode()
