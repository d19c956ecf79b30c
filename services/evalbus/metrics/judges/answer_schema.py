"""A JSON schema of what a judge shall answer, so that endpoints that can hold a model to one do."""

from collections.abc import Mapping

from evalbus_schemas.base import JsonObject

EXPLANATION = "explanation"


def closed_object(properties: Mapping[str, JsonObject]) -> JsonObject:
    """All of the properties and no others: strict endpoints want both said."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def explained(properties: Mapping[str, JsonObject]) -> JsonObject:
    """The same with a text in front of them: a model that says why first judges better, and may be checked."""
    return closed_object({EXPLANATION: {"type": "string"}, **properties})


def nested(places: Mapping[tuple[str, ...], JsonObject]) -> dict[str, JsonObject]:
    """Properties at their paths, as the properties of an object; no path is the beginning of another."""
    first: dict[str, dict[tuple[str, ...], JsonObject]] = {}
    for path, schema in places.items():
        first.setdefault(path[0], {})[path[1:]] = schema
    return {
        key: below[()] if () in below else closed_object(nested(below))
        for key, below in first.items()
    }
